//go:build linux

package mount_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
	"snapmount/mount/points"
)

func openDemo(t *testing.T) *points.Set {
	t.Helper()
	return openSet(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2"))
}

func openSet(t *testing.T, paths ...string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), paths, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// mounted mounts s for the test and returns the directory.
func mounted(t *testing.T, s *points.Set) string {
	t.Helper()
	return mountedWith(t, s, mount.Options{})
}

func mountedWith(t *testing.T, s *points.Set, opts mount.Options) string {
	t.Helper()
	_, dir := served(t, s, opts)
	return dir
}

func served(t *testing.T, s *points.Set, opts mount.Options) (*mount.Server, string) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	f.Close()
	dir := filepath.Join(t.TempDir(), "mnt")
	m, err := mount.Mount(dir, s, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Unmount(); err != nil {
			t.Errorf("unmount: %v", errors.Join(err, m.Detach()))
		}
		if err := m.Wait(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the mount point that Mount made is still there: %v", err)
		}
	})
	return m, dir
}

func TestMountShowsWhatWasWritten(t *testing.T) {
	dir, want := mounted(t, openDemo(t)), demoFiles(t)
	var wg sync.WaitGroup
	for label, volume := range map[string]string{"Documents": "p1-Documents", "Archive": "p2-Archive"} {
		for point, files := range want[label] {
			wg.Go(func() { compareTree(t, filepath.Join(dir, volume, point), files) })
		}
	}
	wg.Wait()
}

// demoFiles returns the SHA-256 of each file of the demo image, or "link", by volume label, point and path.
func demoFiles(t *testing.T) (files map[string]map[string]map[string]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &files); err != nil {
		t.Fatal(err)
	}
	return files
}

func compareTree(t *testing.T, root string, want map[string]string) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Error(err)
		return
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		found++
		name, _ := filepath.Rel(root, path)
		got := "link"
		if e.Type()&fs.ModeSymlink == 0 {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			got = fmt.Sprintf("%x", sha256.Sum256(b))
		}
		if got != want[name] {
			t.Errorf("%s: %s, want %s", path, got, want[name])
		}
		return nil
	})
	if err != nil || found != len(want) {
		t.Errorf("%s: %d files, want %d, %v", root, found, len(want), err)
	}
}

func TestMountedFilesLookReal(t *testing.T) {
	s := openDemo(t)
	dir := mounted(t, s)
	point := filepath.Join(dir, "p1-Documents/snapshots/2026-03-02T180000Z")
	plan := stat(t, filepath.Join(point, "Projects/plan.txt"))
	also := stat(t, filepath.Join(point, "Projects/plan (also).txt"))
	later := stat(t, filepath.Join(dir, "p1-Documents/vss2/Projects/plan.txt"))
	if plan.Ino != also.Ino || plan.Nlink != 2 || plan.Ino == later.Ino {
		t.Errorf("hard links have inodes %d and %d (links %d), the next point %d", plan.Ino, also.Ino, plan.Nlink, later.Ino)
	}
	node, _, err := s.Volumes[0].Snapshots()[0].Lookup("Projects/plan.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	if record := plan.Ino & (1<<40 - 1); record != node.Ref.Record {
		t.Errorf("inode %x holds record %d, want %d", plan.Ino, record, node.Ref.Record)
	}
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	if plan.Size != 111000 || plan.Mtime.Sec != noon.Unix() || plan.Btime.Sec != noon.Unix() || plan.Mask&unix.STATX_BTIME == 0 || plan.Mode&0o777 != 0o600 {
		t.Errorf("statx gives %+v", plan)
	}
	if letter := stat(t, filepath.Join(point, "Letters/offer.txt")); letter.Size != 52 || letter.Blocks != 1 {
		t.Errorf("a resident file has %d bytes in %d blocks: tar takes it for a hole", letter.Size, letter.Blocks)
	}
	for link, want := range map[string]string{"My Letters": "Letters", "Projects/latest offer.txt": "../Letters/offer.txt"} {
		if got, err := os.Readlink(filepath.Join(point, link)); got != want {
			t.Errorf("%s -> %q, %v", link, got, err)
		}
	}
	for path, want := range map[string]string{"My Letters/OFFER.txt": "Dear Ms Noether", "Projects/latest offer.txt": "Dear Ms Noether", "letters/offer.txt:author": "Emmy"} {
		if b, err := os.ReadFile(filepath.Join(point, path)); !strings.HasPrefix(string(b), want) || want == "" {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
}

func stat(t *testing.T, path string) unix.Statx_t {
	t.Helper()
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_ALL, &st); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return st
}

func TestVerdictAttribute(t *testing.T) {
	dir := mounted(t, openDemo(t))
	for path, want := range map[string]string{
		"p1-Documents/vss1/Letters/offer.txt": "intact", "p1-Documents/vss1/Letters/offer.txt:author": "intact", "p1-Documents/current/Projects/plan.txt": "intact",
	} {
		b := make([]byte, 100)
		n, err := unix.Getxattr(filepath.Join(dir, path), "user.snapmount.verdict", b)
		if err != nil || string(b[:max(n, 0)]) != want {
			t.Errorf("%s: %q, %v, want %q", path, b[:max(n, 0)], err, want)
		}
	}
	file := filepath.Join(dir, "p1-Documents/vss1/Letters/offer.txt")
	if _, err := unix.Getxattr(file, "user.other", make([]byte, 100)); !errors.Is(err, unix.ENODATA) {
		t.Errorf("another attribute: %v", err)
	}
	b := make([]byte, 1000)
	if n, err := unix.Listxattr(file, b); err != nil || strings.Contains(string(b[:max(n, 0)]), "snapmount") {
		t.Errorf("listed %q, %v", b[:max(n, 0)], err)
	}
}

func TestMountIsReadOnly(t *testing.T) {
	dir := mounted(t, openDemo(t))
	file := filepath.Join(dir, "p1-Documents/current/Letters/offer.txt")
	for what, err := range map[string]error{
		"write":  os.WriteFile(file, []byte("x"), 0o600),
		"create": os.WriteFile(filepath.Join(dir, "p1-Documents/current/new"), nil, 0o600),
		"remove": os.Remove(file),
		"chmod":  os.Chmod(file, 0o777),
		"mkdir":  os.Mkdir(filepath.Join(dir, "new"), 0o700),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "p1-Documents/current/none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestMountedBlockImages(t *testing.T) {
	s := openDemo(t)
	dir := mounted(t, s)
	for _, v := range s.Volumes {
		for i, p := range v.Points {
			name := "current.img"
			if i > 0 {
				name = fmt.Sprintf("vss%d.img", i)
			}
			blocks, want := blockBytes(t, p)
			path := filepath.Join(dir, "raw", v.Name, name)
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s differs from the view, %v", path, err)
			}
			seekData(t, path, blocks)
		}
	}
}

// blockBytes returns a point's block image, and its bytes.
func blockBytes(t *testing.T, p *points.Point) (layer.Source, []byte) {
	t.Helper()
	blocks, err := p.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, blocks.Size())
	if err := layer.ReadFull(blocks, b, 0); err != nil {
		t.Fatal(err)
	}
	return blocks, b
}

// seekData walks a file by SEEK_DATA and SEEK_HOLE and compares with the map of its content.
func seekData(t *testing.T, path string, m layer.Source) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	holes := int64(0)
	for e := range layer.Resolve(m, 0, m.Size()) {
		if e.Kind == layer.Zero {
			holes += e.Len
		}
	}
	for off := int64(0); off < m.Size(); {
		data, err := f.Seek(off, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			data = m.Size()
		} else if err != nil {
			t.Fatal(err)
		}
		holes -= data - off
		if off = data; off < m.Size() {
			if off, err = f.Seek(off, unix.SEEK_HOLE); err != nil {
				t.Fatal(err)
			}
		}
	}
	if holes != 0 {
		t.Errorf("%s: %d bytes of holes are not found by seeking", path, holes)
	}
}
