package restore_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// What TestRestoreChild is told by the environment: a volume, where it is the live one of snapshots their diff area, and a
// directory to restore to, or with no volume to apply the sidecar of.
const childVolume, childStorage, childDir = "SNAPMOUNT_RESTORE_IMAGE", "SNAPMOUNT_RESTORE_STORAGE", "SNAPMOUNT_RESTORE_DIR"

// TestRestoreChild is what the tests below end: a restore in a process of its own.
func TestRestoreChild(t *testing.T) {
	image, storage, dir := os.Getenv(childVolume), os.Getenv(childStorage), os.Getenv(childDir)
	switch {
	case dir == "":
		t.Skip("a part of TestKill")
	case image == "":
		apply(t, dir)
		return
	}
	volume := layer.Source(testenv.Open(t, image))
	if storage != "" {
		volume = oldestOf(t, image, storage)
	}
	tree, err := ntfs.Open(volume, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sources []restore.Source
	for _, name := range []string{"acl", "ads", "case", "dos", "links", "misc", "names", "reparse", "sizes", "sparse", "times"} {
		n, err := tree.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, restore.Source{Node: n, Name: name})
	}
	if failed := run(t, dir, restore.Options{Resume: true}, sources...).failed(); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
}

// child is a restore of a volume to dir.
func child(volume, storage, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRestoreChild$")
	cmd.Env = append(os.Environ(), childVolume+"="+volume, childStorage+"="+storage, childDir+"="+dir)
	return cmd
}

// finished runs a child that is left alone, and tells how long it took.
func finished(t *testing.T, dir string, cmd *exec.Cmd) time.Duration {
	t.Helper()
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	took := time.Since(begin)
	settle(t, dir)
	return took
}

// settle waits for as long as the kernel remembers files of ntfs-3g that are links now, and gives errors of them.
func settle(t *testing.T, dir string) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Error(err)
	}
	if fs.Type == unix.FUSE_SUPER_MAGIC {
		time.Sleep(1500 * time.Millisecond)
	}
}

// killed kills a child at a random moment before its end, and reports whether that was in time.
func killed(t *testing.T, dir string, cmd *exec.Cmd, took time.Duration) bool {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Duration(rand.Int64N(int64(took))))
	cmd.Process.Kill()
	err := cmd.Wait()
	settle(t, dir)
	return err != nil
}

// moments is how many kills there are: 20 when SNAPMOUNT_LONG is set, or few.
func moments(few int) int {
	if os.Getenv("SNAPMOUNT_LONG") != "" {
		return 20
	}
	return few
}

// TestKill kills restores at random moments of all of their time, and those that resume them too, up to three in a row,
// and compares what the last one leaves with a restore that was left alone: on a file system of this machine, and of the
// oldest of three snapshots on ntfs-3g.
func TestKill(t *testing.T) {
	image := ntfstest.Feat512.Build(t)
	t.Run("posix", func(t *testing.T) {
		kills(t, image, "", moments(2), func(t *testing.T) (string, func()) { return t.TempDir(), func() {} })
	})
	t.Run("ntfs-3g", func(t *testing.T) {
		if os.Getenv("SNAPMOUNT_LONG") == "" {
			t.Skip("SKIPPED: takes minutes: set SNAPMOUNT_LONG")
		}
		volume, storage := snapshots(t, testenv.Open(t, image))
		kills(t, volume, storage, moments(2), freshMount)
	})
}

// freshMount mounts an empty volume by ntfs-3g.
func freshMount(t *testing.T) (dir string, unmount func()) {
	return ntfstest.MountNTFS3G(t, freshNTFS(t, "512", 4<<30), targetOptions+",noatime") // reading is not to change what is compared
}

func kills(t *testing.T, volume, storage string, rounds int, target func(*testing.T) (string, func())) {
	whole, _ := target(t)
	took := finished(t, whole, child(volume, storage, whole))
	want, lines := contents(t, whole), sidecarLines(t, whole)
	dropSidecar(t, whole)
	tried, in := 0, 0
	for i := range rounds {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir, done := target(t)
			defer done()
			for range 1 + i%3 {
				if tried++; killed(t, dir, child(volume, storage, dir), took) {
					in++
				}
			}
			finished(t, dir, child(volume, storage, dir))
			if got := contents(t, dir); got != want {
				t.Errorf("not the same after resuming:\n%s", firstDifference(got, want))
			}
			checkNoParts(t, dir)
			if got := sidecarLines(t, dir); !maps.Equal(got, lines) {
				t.Errorf("%d different lines in the sidecar, want %d", len(got), len(lines))
			}
			dropSidecar(t, dir)
			if storage != "" {
				compareTrees(t, whole, dir, true)
			}
		})
	}
	t.Logf("%d of %d were killed before their end, after up to %v", in, tried, took)
	if in == 0 {
		t.Error("none was killed")
	}
}

// TestKillApply kills what applies a sidecar, and does it again.
func TestKillApply(t *testing.T) {
	if os.Getenv("SNAPMOUNT_LONG") == "" {
		t.Skip("SKIPPED: takes minutes: set SNAPMOUNT_LONG")
	}
	plain := t.TempDir()
	finished(t, plain, child(ntfstest.Feat512.Build(t), "", plain))
	fresh := func(t *testing.T) (string, func()) {
		dir, unmount := freshMount(t)
		testenv.Run(t, "cp", "-a", "--no-preserve=ownership,xattr,links", plain+"/.", dir)
		return dir, unmount
	}
	whole, _ := fresh(t)
	took := finished(t, whole, child("", "", whole))
	want := contents(t, whole)
	dropSidecar(t, whole)
	in := 0
	for i := range moments(0) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			dir, done := fresh(t)
			defer done()
			for range 1 + i%2 {
				if killed(t, dir, child("", "", dir), took) {
					in++
				}
			}
			finished(t, dir, child("", "", dir))
			if got := contents(t, dir); got != want {
				t.Errorf("not the same after doing it again:\n%s", firstDifference(got, want))
			}
			checkNoParts(t, dir)
			dropSidecar(t, dir)
			compareTrees(t, whole, dir, true)
		})
	}
	t.Logf("%d were killed before their end, after up to %v", in, took)
}

// dropSidecar removes what is not of the volume.
func dropSidecar(t *testing.T, dir string) {
	if err := os.RemoveAll(filepath.Join(dir, restore.StreamsName)); err != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, restore.SidecarName)); err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}

// contents lists names, types, modes, sizes, times, links and contents of all but the sidecar.
func contents(t *testing.T, dir string) string {
	t.Helper()
	out := testenv.Run(t, "sh", "-c", `cd "$1" && find . ! -path './.snapmount-*' ! -path . -printf '%P %y %m %n %l %T@ ' \( -type f -printf '%s\n' -o -printf '\n' \) | sort
	find . -type f ! -name .snapmount-meta.jsonl -print0 | sort -z | xargs -0 sha256sum`, "sh", dir)
	return strings.ReplaceAll(string(out), dir, "DIR") // ntfs-3g has it in links
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s\n%s", x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// sidecarLines are the different lines of a sidecar; none where there is none.
func sidecarLines(t *testing.T, dir string) map[string]bool {
	b, err := os.ReadFile(filepath.Join(dir, restore.SidecarName))
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	lines := map[string]bool{}
	for _, line := range strings.Split(string(b), "\n") {
		lines[line] = true
	}
	return lines
}
