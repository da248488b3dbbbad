package restore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/layertest"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

func command(name string, args ...string) ([]byte, error) {
	return exec.Command(name, args...).CombinedOutput()
}

// TestRestoreChild is what TestKill ends: a restore in a process of its own.
func TestRestoreChild(t *testing.T) {
	image, dir := os.Getenv("SNAPMOUNT_RESTORE_IMAGE"), os.Getenv("SNAPMOUNT_RESTORE_DIR")
	if image == "" {
		t.Skip("a part of TestKill")
	}
	var sources []restore.Source
	for _, name := range []string{"acl", "ads", "case", "dos", "links", "misc", "names", "reparse", "sizes", "sparse", "times"} {
		sources = append(sources, restore.Source{Node: lookup(t, image, name), Name: name})
	}
	if failed := run(t, dir, restore.Options{Resume: true}, sources...).failed(); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
}

func child(image, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRestoreChild$")
	cmd.Env = append(os.Environ(), "SNAPMOUNT_RESTORE_IMAGE="+image, "SNAPMOUNT_RESTORE_DIR="+dir)
	return cmd
}

// TestKill kills a restore at random moments, 20 when SNAPMOUNT_LONG is set, resuming it each second time, and compares the
// end with one that was left alone.
func TestKill(t *testing.T) {
	image := ntfstest.Feat512.Build(t)
	whole := t.TempDir()
	begin := time.Now()
	if out, err := child(image, whole).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(begin)
	want := layertest.Run(t, "sh", "-c", manifest, "sh", whole)
	dir, ended, moments := "", 0, 4
	if os.Getenv("SNAPMOUNT_LONG") != "" {
		moments = 20
	}
	for i := range moments {
		if i%2 == 0 {
			dir = t.TempDir()
		}
		cmd := child(image, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(took) / 2)))
		cmd.Process.Kill()
		if err := cmd.Wait(); err != nil {
			ended++
		}
		if i%2 == 0 {
			continue
		}
		if out, err := child(image, dir).CombinedOutput(); err != nil {
			t.Fatalf("resume: %v: %s", err, out)
		}
		if got := layertest.Run(t, "sh", "-c", manifest, "sh", dir); string(got) != string(want) {
			t.Errorf("round %d: not the same after resuming:\n%s", i, firstDifference(string(got), string(want)))
		}
		if a, b := sidecarLines(t, dir), sidecarLines(t, whole); a != b {
			t.Errorf("round %d: %d different lines in the sidecar, want %d", i, a, b)
		}
	}
	t.Logf("%d of %d ended within %v", ended, moments, took)
	if ended == 0 {
		t.Error("none was killed")
	}
}

// manifest lists names, types, modes, sizes, times, links and contents of all but the sidecar.
const manifest = `cd "$1" && find . ! -path './.snapmount-*' ! -path . -printf '%P %y %m %n %l %T@ ' \( -type f -printf '%s\n' -o -printf '\n' \) | sort
	find . -type f ! -name .snapmount-meta.jsonl -print0 | sort -z | xargs -0 sha256sum`

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s\n%s", x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// sidecarLines counts the different lines of a sidecar.
func sidecarLines(t *testing.T, dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, restore.SidecarName))
	if err != nil {
		t.Error(err)
	}
	lines := map[string]bool{}
	for _, line := range strings.Split(string(b), "\n") {
		lines[line] = true
	}
	return len(lines)
}

// TestCancel ends a restore in its midst: no part of a file stays.
func TestCancel(t *testing.T) {
	image, dir := ntfstest.Feat512.Build(t), t.TempDir()
	tree, err := ntfs.Open(layertest.Open(t, image), ntfs.Options{})
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
	done := 0
	opts := restore.Options{Jobs: 1, Progress: func(files, _ int64) {
		if done += int(files); done == 500 {
			cancel()
		}
	}}
	if err := restore.Run(ctx, root, all(restore.Source{Node: top}), opts); !errors.Is(err, context.Canceled) {
		t.Error(err)
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
	r := restored(t, layertest.Open(t, image), dir, restore.Options{})
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
