package timeline_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

const mib = 1 << 20

// seen is what a peer said of a file.
type seen struct {
	record   uint64
	size     int64
	modified wintype.Filetime
}

// script builds a volume whose snapshots are the states that edits lead to, through ntfs-3g, and tells what ntfs-3g
// showed of each by path. The last state is the current one.
func script(t testing.TB, options string, edits ...func(dir string) error) (points []*ntfs.Tree, truth []map[string]seen) {
	t.Helper()
	return scriptRaw(t, options, nil, edits...)
}

// scriptRaw is script, with edits of the image after those through ntfs-3g: by state, and by path.
func scriptRaw(t testing.TB, options string, raws map[int]map[string]raw, edits ...func(dir string) error) (points []*ntfs.Tree, truth []map[string]seen) {
	t.Helper()
	testenv.Peer(t, "mkntfs")
	image := filepath.Join(t.TempDir(), "volume")
	f, err := os.OpenFile(image, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(48 * mib); err != nil { // the diff area is behind the file system
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image, fmt.Sprint(24*mib/512))
	var states []io.ReaderAt
	for i, edit := range edits {
		dir, unmount := ntfstest.MountNTFS3G(t, image, "big_writes,"+options)
		if err := edit(dir); err != nil {
			t.Fatal(err)
		}
		truth = append(truth, look(t, dir))
		unmount()
		editRaw(t, f, raws[i])
		kept := filepath.Join(t.TempDir(), "state")
		testenv.Run(t, "cp", "--sparse=always", image, kept)
		states = append(states, testenv.Open(t, kept))
	}
	file, err := vsstest.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	last := len(states) - 1
	_, err = vsstest.FromStates(vsstest.Config{Volume: file, Area: []vsstest.Blocks{{First: 26 * mib / vsstest.BlockSize, Count: 20 * mib / vsstest.BlockSize}}, NoTruth: true},
		states[:last], states[last], nil)
	if err != nil {
		t.Fatal(err)
	}
	live := testenv.Open(t, image)
	v, err := diffstore.Open(live, diffstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cache := ntfs.NewCache(0)
	for _, s := range v.Snapshots() {
		view, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		tree, err := ntfs.Open(view, ntfs.Options{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		points = append(points, tree)
	}
	tree, err := ntfs.Open(live, ntfs.Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	return append(points, tree), truth
}

// editRaw changes an image below its file system.
func editRaw(t testing.TB, image *os.File, edits map[string]raw) {
	t.Helper()
	for name, edit := range edits {
		tree, err := ntfs.Open(testenv.Open(t, image.Name()), ntfs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := tree.Lookup(name)
		if err == nil {
			err = edit(image, n)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// look tells what a mount of ntfs-3g shows.
func look(t testing.TB, dir string) map[string]seen {
	out := map[string]seen{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s := seen{record: info.Sys().(*syscall.Stat_t).Ino, modified: wintype.FiletimeOf(info.ModTime())}
		if !info.IsDir() {
			s.size = info.Size()
		}
		out[strings.TrimPrefix(path, dir)] = s
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func write(dir, name, text string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

func rename(dir, from, to string) error {
	return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to))
}

const manyStreams = 120

// story is a script with all that moves a file or its record.
func story(t testing.TB) ([]*ntfs.Tree, []map[string]seen) {
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return script(t, "streams_interface=xattr", func(dir string) error {
		errs := []error{
			write(dir, "a/one.txt", "one"), write(dir, "a/b/two.txt", "two"), write(dir, "a/b/deep/three.txt", strings.Repeat("three ", 50_000)),
			write(dir, "gone.txt", "soon gone"), write(dir, "still.txt", "always the same"), write(dir, "many.txt", "streams"),
			write(dir, "back.txt", "I come back"), write(dir, "x/y/z.txt", "z"), write(dir, "secret.txt", strings.Repeat("line\n", 10)+"the password is swordfish\n"),
			os.Link(filepath.Join(dir, "a/one.txt"), filepath.Join(dir, "x/link.txt")),
			unix.Setxattr(filepath.Join(dir, "a/one.txt"), "user.note", []byte("a note"), 0),
		}
		for i := range manyStreams { // more than a record takes
			errs = append(errs, unix.Setxattr(filepath.Join(dir, "many.txt"), fmt.Sprintf("user.stream%03d", i), []byte("text"), 0))
		}
		return errors.Join(errs...)
	}, func(dir string) error {
		return errors.Join(rename(dir, "a", "A renamed"), os.Remove(filepath.Join(dir, "gone.txt")), write(dir, "A renamed/b/two.txt", "two changed"),
			rename(dir, "back.txt", "away.txt"))
	}, func(dir string) error {
		return errors.Join(write(dir, "reuse 1.txt", "in another's record"), write(dir, "reuse 2.txt", "in another's record"),
			rename(dir, "A renamed/b", "c"), rename(dir, "away.txt", "back.txt"), write(dir, "secret.txt", "nothing here\n"))
	}, func(dir string) error {
		p := filepath.Join(dir, "still.txt") // in place, and its times put back
		info, err := os.Stat(p)
		err2 := os.WriteFile(p, []byte("ALWAYS THE SAME"), 0o644)
		return errors.Join(err, err2, os.Chtimes(p, info.ModTime(), info.ModTime()), os.RemoveAll(filepath.Join(dir, "x")),
			unix.Setxattr(filepath.Join(dir, "many.txt"), "user.stream007", []byte("a longer text"), 0),
			os.Chtimes(filepath.Join(dir, "many.txt"), day, day))
	}, func(dir string) error {
		return errors.Join(write(dir, "x/y/z.txt", "z again"), rename(dir, "c/deep/three.txt", "three.txt"),
			unix.Setxattr(filepath.Join(dir, "many.txt"), "user.stream007", []byte("text"), 0))
	})
}
