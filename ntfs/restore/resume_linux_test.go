package restore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

func command(name string, args ...string) ([]byte, error) {
	return exec.Command(name, args...).CombinedOutput()
}

// TestCancel ends a restore in its midst: no part of a file stays.
func TestCancel(t *testing.T) {
	image, dir := ntfstest.Feat512.Build(t), t.TempDir()
	tree, err := ntfs.Open(testenv.Open(t, image), ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	ctx, cancel := context.WithCancel(context.Background())
	opts := restore.Options{Jobs: 1, Progress: func(what string, done, _ int64) {
		if what == restore.ProgressFiles && done == 500 {
			cancel()
		}
	}}
	if err := restore.Run(ctx, root, all(restore.Source{Node: top}), opts); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	checkNoParts(t, dir)
}

// TestPartsOfOthers resumes where parts are left in the target itself, as of a run that was killed while it tried names, and
// where a pipe, which waits for a writer, has the name of a file.
func TestPartsOfOthers(t *testing.T) {
	image := volumeOf(t, func(dir string) error {
		return errors.Join(write(dir, "sub/a", "a"), write(dir, "b", "b"))
	})
	dir := t.TempDir()
	for _, name := range []string{".snapmount-AAAAAAAAAAAAAAAA.part/case", ".snapmount-BBBBBBBBBBBBBBBB.part", "sub/.snapmount-CCCCCCCCCCCCCCCC.part", restore.StreamsName + "/.snapmount-DDDDDDDDDDDDDDDD.part"} {
		if err := write(dir, name, "left"); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(filepath.Join(dir, "b"), 0o600); err != nil {
		t.Fatal(err)
	}
	if failed := restored(t, testenv.Open(t, image), dir, restore.Options{Resume: true}).failed(); len(failed) != 1 || !strings.HasPrefix(failed[0], "b: ") {
		t.Errorf("failed: %q", failed)
	}
	checkNoParts(t, dir)
}

func checkNoParts(t *testing.T, dir string) {
	t.Helper()
	for path := range ntfstest.Walk(t, dir) {
		if strings.HasSuffix(path, ".part") {
			t.Errorf("%s is left", path)
		}
	}
}

// TestDiskFull restores to a disk that the largest file does not fit on.
func TestDiskFull(t *testing.T) {
	image := volumeOf(t, func(dir string) error {
		var err error
		for i := range 40 {
			err = errors.Join(err, write(dir, fmt.Sprintf("f%02d", i), strings.Repeat("x", 10000)))
		}
		return errors.Join(err, write(dir, "f05 large", strings.Repeat("large", 1<<20)))
	})
	dir := t.TempDir()
	mount(t, "size=2m", "tmpfs", "tmpfs", dir)
	r := restored(t, testenv.Open(t, image), dir, restore.Options{})
	if failed := r.failed(); len(failed) != 1 || !strings.Contains(failed[0], "f05 large: ") || !strings.Contains(failed[0], "no space left") {
		t.Errorf("failed: %q", failed)
	}
	if n := len(ntfstest.Walk(t, dir)); n != 41 {
		t.Errorf("%d files", n)
	}
	checkNoParts(t, dir)
	if _, err := os.Stat(filepath.Join(dir, restore.SidecarName)); errors.Is(err, fs.ErrNotExist) {
		t.Error("no sidecar")
	}
}
