package points_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs/ntfstest"
)

// outer makes an NTFS volume and fills it through ntfs-3g.
func outer(t *testing.T, size string, fill func(dir string)) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "outer.img")
	testenv.Run(t, testenv.Peer(t, "truncate"), "-s", size, image)
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	dir, unmount := ntfstest.MountNTFS3G(t, image, "rw")
	fill(dir)
	unmount()
	return image
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, b, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// backups holds the demo image in several forms: alone, as a chain of two files, in parts, and in a volume of its own.
func backups(t *testing.T) string {
	qemuImg := testenv.Peer(t, "qemu-img")
	middle := outer(t, "40M", func(dir string) { copyFile(t, demo(t), dir+"/deep/demo.qcow2") })
	return outer(t, "300M", func(dir string) {
		copyFile(t, demo(t), dir+"/WindowsImageBackup/HOST/a@b.qcow2")
		testenv.Run(t, qemuImg, "convert", "-O", "vpc", "-o", "force_size=on", demo(t), dir+"/chain.vhd")
		testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-b", "chain.vhd", "-F", "vpc", dir+"/chain.qcow2")
		testenv.Run(t, qemuImg, "convert", "-O", "raw", demo(t), dir+"/disk.raw")
		testenv.Run(t, testenv.Peer(t, "split"), "-b", "20M", "-d", "-a", "3", dir+"/disk.raw", dir+"/disk.")
		packed := testenv.Run(t, testenv.Peer(t, "gzip"), "-1", "-c", dir+"/disk.raw")
		testenv.Run(t, qemuImg, "convert", "-c", "-O", "qcow2", middle, dir+"/middle.qcow2")
		if err := errors.Join(os.Remove(dir+"/disk.raw"), os.WriteFile(dir+"/note.txt", []byte("hello"), 0o644), os.WriteFile(dir+"/disk.raw.gz", packed, 0o644)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNested(t *testing.T) {
	image := backups(t)
	want := manifest(t)
	for _, inside := range []string{":/WindowsImageBackup/HOST/a@b.qcow2", "@current:chain.qcow2", `:p0:\DISK.000`, ":/disk.raw.gz", ":/middle.qcow2:/deep/demo.qcow2"} {
		t.Run(inside, func(t *testing.T) {
			s := open(t, image+inside)
			if s.Images[0].Path != image+inside || !slices.Equal(s.HostFiles(), []string{image}) {
				t.Errorf("image %s of %q", s.Images[0].Path, s.HostFiles())
			}
			checked := 0
			for _, v := range s.Volumes {
				for _, p := range v.Points {
					name := "current"
					if p.Snapshot != nil {
						name = fmt.Sprintf("vss%d", p.Snapshot.Index)
					}
					if got := contents(t, p); !maps.Equal(got, want[v.Label][name]) || len(got) == 0 {
						t.Errorf("%s@%s: %d files differ from %d", v.Name, name, len(got), len(want[v.Label][name]))
					}
					checked++
				}
			}
			if checked != 7 {
				t.Errorf("%d points", checked)
			}
			location := image + inside + ":p1-Documents@vss1:/Letters/offer.txt"
			if sums := enter(t, location); sums != want["Documents"]["vss1"]["Letters/offer.txt"] {
				t.Errorf("%s: %s", location, sums)
			}
		})
	}
	for location, want := range map[string]error{
		image + ":/note.txt":                                  layer.ErrFormat, // a file, and no disk
		image + ":/no.qcow2":                                  fs.ErrNotExist,
		image + ":/WindowsImageBackup":                        layer.ErrFormat,
		image + ":/middle.qcow2:/deep/none":                   fs.ErrNotExist,
		image + ":nowhere@vss1:/middle.qcow2":                 fs.ErrNotExist,
		image + "@vss1:/middle.qcow2":                         fs.ErrNotExist,
		strings.TrimSuffix(image, "r.img") + ":/middle.qcow2": fs.ErrNotExist,
	} {
		s, err := points.Open(t.Context(), []string{location}, points.Options{})
		if err == nil {
			_, err = s.NTFS()
			s.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", location, err, want)
		}
	}
}

// TestPackedProgress tells of the pass through a compressed image.
func TestPackedProgress(t *testing.T) {
	dir := t.TempDir()
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-O", "raw", demo(t), dir+"/disk.raw")
	testenv.Run(t, testenv.Peer(t, "gzip"), "-1", dir+"/disk.raw")
	told := make(map[string][2]int64)
	s, err := points.Open(t.Context(), []string{dir + "/disk.raw.gz"}, points.Options{Progress: func(what string, done, total int64) {
		if at := told[what]; done < at[0] || done > total {
			t.Errorf("%s: %d of %d after %d", what, done, total, at[0])
		}
		told[what] = [2]int64{done, total}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if at := told[dir+"/disk.raw.gz: reading all of it once, MiB"]; s.Images[0].Disk.Format() != "gzip raw" || at[0] == 0 || at[0] != at[1] {
		t.Errorf("%s, told %v", s.Images[0].Disk.Format(), told)
	}
}

// enter resolves a location and returns the sum of the file that it names.
func enter(t *testing.T, location string) string {
	t.Helper()
	loc, err := points.SplitLocation(location, func(name string) bool { _, err := os.Stat(name); return err == nil })
	if err != nil {
		t.Fatal(err)
	}
	s, err := points.Open(t.Context(), []string{loc.Image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := s.Resolve(s.Images[0], loc.Rest)
	if err == nil {
		s, target, err = s.Enter(target)
	}
	defer s.Close()
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := target.Point.Lookup(target.Path, true)
	if err != nil {
		t.Fatal(err)
	}
	return sum(t, n)
}
