package restore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// volumeOf makes a small volume with what fill writes.
func volumeOf(t *testing.T, fill func(dir string) error) string {
	t.Helper()
	image := freshNTFS(t, "512", 64<<20)
	dir, unmount := ntfstest.MountNTFS3G(t, image, targetOptions)
	if err := fill(dir); err != nil {
		t.Fatal(err)
	}
	unmount()
	return image
}

func lookup(t *testing.T, image, path string) *ntfs.Node {
	t.Helper()
	tree, err := ntfs.Open(testenv.Open(t, image), ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := tree.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func write(dir, name, content string) error {
	err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
}

// listing is what is in a directory and below it, with types and, of files, contents.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out []string
	for path, e := range ntfstest.Walk(t, dir) {
		b := []byte(nil)
		if e.Type().IsRegular() {
			b, _ = os.ReadFile(filepath.Join(dir, path))
		}
		out = append(out, fmt.Sprintf("%s %v %.40q", path, e.Type(), b))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// patch replaces UTF-16 names in an image by others of the same length, in the MFT and in indexes.
func patch(t *testing.T, image string, names map[string]string) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range names {
		if from, to := utf16le(from), utf16le(to); len(from) != len(to) || bytes.Count(b, from) < 2 {
			t.Fatalf("%q: found %d times", from, bytes.Count(b, from))
		}
		b = bytes.ReplaceAll(b, utf16le(from), utf16le(to))
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// replaceUnits replaces UTF-16 that is no text.
func replaceUnits(t *testing.T, image string, from, to []byte) {
	b, err := os.ReadFile(image)
	if err == nil {
		err = os.WriteFile(image, bytes.ReplaceAll(b, from, to), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func utf16le(s string) (out []byte) {
	for _, r := range s {
		out = append(out, byte(r), byte(r>>8))
	}
	return out
}

// TestHostileVolume restores a volume of names that lead out, of links that do, of names that are the program's own, and of
// a file that fills any disk, and looks for what came to be outside the target.
func TestHostileVolume(t *testing.T) {
	long := strings.Repeat("名", 255)
	image := volumeOf(t, func(dir string) error {
		return errors.Join(write(dir, "\ue001\ue002/inside.txt", "up"), write(dir, "a\ue003b", "slash"), write(dir, "n\ue004", "nul"),
			write(dir, "CON", "device"), write(dir, ".snapmount-meta.jsonl", "mine"), write(dir, ".snapmount-x.part", "part"),
			write(dir, "C\ue008x", "drive"), write(dir, "line\nend\x1b[2J", "escape"), write(dir, "\ue006 lone", "surrogate"), write(dir, long, "long"),
			write(dir, "case", "lower"), write(dir, "CASE", "upper"), write(dir, "good.txt", "good"),
			os.Symlink("/etc", filepath.Join(dir, "out")), os.Symlink("../../..", filepath.Join(dir, "up")),
			write(dir, "huge", ""), os.Truncate(filepath.Join(dir, "huge"), 8<<40))
	})
	patch(t, image, map[string]string{"\ue001\ue002": "..", "a\ue003b": "a/b", "n\ue004": "n\x00", "C\ue008x": "C:x"})
	replaceUnits(t, image, []byte("\x06\xe0 \x00l\x00"), []byte("\x00\xd8 \x00l\x00"))
	outer := t.TempDir()
	dest := filepath.Join(outer, "dest")
	if err := errors.Join(os.Mkdir(dest, 0o700), write(outer, "neighbour.txt", "untouched")); err != nil {
		t.Fatal(err)
	}
	r := restored(t, testenv.Open(t, image), dest, restore.Options{LinkText: func(*ntfs.Node) (string, error) { return "../../../../etc", nil }})
	if failed := r.failed(); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
	for name, content := range map[string]string{"%2E%2E/inside.txt": "up", "a%2Fb": "slash", "n%00": "nul", "CON": "device",
		"%2Esnapmount-meta.jsonl": "mine", "%2Esnapmount-x.part": "part", "C:x": "drive", "line\nend\x1b[2J": "escape", "case": "lower", "CASE": "upper",
		restore.Names{}.Map(long): "long", "\xed\xa0\x80 lone": "surrogate", "good.txt": "good"} {
		if b, err := os.ReadFile(filepath.Join(dest, name)); string(b) != content {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(dest+"/huge", &st); err != nil || st.Size != 8<<40 || st.Blocks > 64 {
		t.Errorf("huge: %d bytes in %d blocks, %v", st.Size, st.Blocks, err)
	}
	os.RemoveAll(dest)
	if got := listing(t, outer); got != `/neighbour.txt ---------- "untouched"` {
		t.Errorf("outside the target: %s", got)
	}
}

// TestLinksInTarget restores over links that lead out of the target, and to files of it.
func TestLinksInTarget(t *testing.T) {
	image := volumeOf(t, func(dir string) error {
		return errors.Join(write(dir, "sub/file.txt", "new"), write(dir, "file.txt", "new"), write(dir, "inside.txt", "new"))
	})
	outer := t.TempDir()
	dest := filepath.Join(outer, "dest")
	err := errors.Join(write(outer, "victim/file.txt", "old"), write(outer, "dest/own.txt", "old"), os.Symlink("../victim", dest+"/sub"),
		os.Symlink("../victim/file.txt", dest+"/file.txt"), os.Symlink("own.txt", dest+"/inside.txt"),
		os.Symlink("../victim/file.txt", dest+"/"+restore.SidecarName))
	if err != nil {
		t.Fatal(err)
	}
	before := listing(t, outer)
	r := restored(t, testenv.Open(t, image), dest, restore.Options{})
	if got := listing(t, outer); got != before || len(r.failed()) != 4 { // the directory, and all files
		t.Errorf("became\n%s\nfailed: %q", got, r.failed())
	}
	r = restored(t, testenv.Open(t, image), dest, restore.Options{Overwrite: restore.Always, NoSidecar: true})
	for name, want := range map[string]string{"victim/file.txt": "old", "dest/own.txt": "old", "dest/file.txt": "new", "dest/inside.txt": "new"} {
		if b, err := os.ReadFile(filepath.Join(outer, name)); string(b) != want {
			t.Errorf("%s: %q, %v, want %q", name, b, err, want)
		}
	}
	if failed := r.failed(); len(failed) != 2 { // the directory and the file in it
		t.Errorf("failed: %q", failed)
	}
}

// TestOverwrite restores where files are.
func TestOverwrite(t *testing.T) {
	image := volumeOf(t, func(dir string) error { return write(dir, "a.txt", "new") })
	for _, c := range []struct {
		how     restore.Overwrite
		there   string
		year    int
		want    string
		failed  int
		skipped bool
	}{
		{restore.Never, "old", 2000, "old", 1, false},
		{restore.Always, "old", 2100, "new", 0, false},
		{restore.IfChanged, "old", 2100, "new", 0, false},
		{restore.IfChanged, "new", 2100, "new", 0, true},
		{restore.IfNewer, "old", 2000, "new", 0, false},
		{restore.IfNewer, "old", 2100, "old", 0, true},
	} {
		dir := t.TempDir()
		when := unix.NsecToTimeval(int64(c.year-1970) * 365 * 24 * 3600 * 1e9)
		err := errors.Join(write(dir, "a.txt", c.there), unix.Utimes(dir+"/a.txt", []unix.Timeval{when, when}))
		r := restored(t, testenv.Open(t, image), dir, restore.Options{Overwrite: c.how, NoSidecar: true})
		b, _ := os.ReadFile(dir + "/a.txt")
		if err != nil || string(b) != c.want || len(r.failed()) != c.failed || r.list[0].Skipped != c.skipped {
			t.Errorf("%+v: %q, failed %q, %v", c, b, r.failed(), err)
		}
		if c.failed == 1 && !errors.Is(r.list[0].Err, fs.ErrExist) {
			t.Error(r.list[0].Err)
		}
	}
}

// TestTwoSources restores two files to one name: one is there, the other one is told.
func TestTwoSources(t *testing.T) {
	image := volumeOf(t, func(dir string) error { return errors.Join(write(dir, "a.txt", "a"), write(dir, "b.txt", "b")) })
	for range 20 {
		dir := t.TempDir()
		r := run(t, dir, restore.Options{NoSidecar: true}, restore.Source{Node: lookup(t, image, "a.txt"), Name: "x/y/z"}, restore.Source{Node: lookup(t, image, "b.txt"), Name: "x/y/z"})
		if failed := r.failed(); len(failed) != 1 || !strings.Contains(failed[0], "x/y/z: ") {
			t.Errorf("failed: %q", failed)
		}
	}
}

// TestTargetNames restores names that differ in case, and names that Windows refuses, to file systems that do not take them.
func TestTargetNames(t *testing.T) {
	names := []string{"File.txt", "FILE.TXT", "file.txt", "q?m", "star*", "dot.", "plain"}
	image := volumeOf(t, func(dir string) error {
		var err error
		for _, name := range names {
			err = errors.Join(err, write(dir, name, name))
		}
		return err
	})
	for name, mount := range map[string]func(*testing.T) string{
		"vfat": mountVFAT,
		"lowntfs-3g": func(t *testing.T) string {
			dir := t.TempDir()
			testenv.Run(t, testenv.Peer(t, "lowntfs-3g"), freshNTFS(t, "512", 64<<20), dir, "-o", "streams_interface=xattr,ignore_case,windows_names")
			t.Cleanup(func() { testenv.Run(t, "umount", dir) })
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mount(t)
			r := restored(t, testenv.Open(t, image), dir, restore.Options{NoSidecar: true})
			if failed := r.failed(); len(failed) > 0 {
				t.Errorf("failed: %q", failed)
			}
			got := map[string]bool{}
			for _, res := range r.list {
				b, err := os.ReadFile(filepath.Join(dir, res.Path))
				if want := max(res.Mapped, ""); err != nil || string(b) != want && (want != "" || string(b) != res.Path) {
					t.Errorf("%s, of %q: %q, %v", res.Path, res.Mapped, b, err)
				}
				got[string(b)] = true
			}
			if len(got) != len(names) || len(ntfstest.Walk(t, dir)) != len(names) {
				t.Errorf("%v in %s", got, listing(t, dir))
			}
		})
	}
}

func mountVFAT(t *testing.T) string {
	image, dir := filepath.Join(t.TempDir(), "vfat.img"), t.TempDir()
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkfs.vfat"), image)
	mount(t, "loop,utf8", "vfat", image, dir)
	return dir
}

// mount mounts a file system of the kernel until the end of the test.
func mount(t *testing.T, options, kind, what, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: mounting needs root")
	}
	if out, err := command("mount", "-o", options, "-t", kind, what, dir); err != nil {
		t.Skipf("SKIPPED: mount %s: %v: %s", kind, err, out)
	}
	t.Cleanup(func() { testenv.Run(t, "umount", dir) })
}
