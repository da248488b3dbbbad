//go:build linux

package mount_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
)

// TestEqualsVshadowmountAndNTFS3G mounts a volume with six local snapshots both ways, and compares every file: bytes,
// sizes, times and names.
func TestEqualsVshadowmountAndNTFS3G(t *testing.T) {
	for _, peer := range []string{"mkntfs", "ntfs-3g", "ntfsfallocate", "fuser", "vshadowmount"} {
		testenv.Peer(t, peer)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: building and mounting with ntfs-3g needs root")
	}
	dir := t.TempDir()
	image := filepath.Join(dir, "small.img")
	build := exec.Command("go", "run", "./testdata/make", "small", image)
	build.Dir = testenv.Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ours := mounted(t, openSet(t, image))
	blocks := filepath.Join(dir, "blocks")
	peerMount(t, blocks, "vshadowmount", image, blocks)
	total := 0
	for k := 1; k <= 6; k++ {
		files := filepath.Join(dir, fmt.Sprintf("files%d", k))
		peerMount(t, files, "ntfs-3g", "-o", "ro", filepath.Join(blocks, fmt.Sprintf("vss%d", k)), files)
		got := snapshotOf(t, filepath.Join(ours, fmt.Sprintf("p0-Local/vss%d", k)))
		want := snapshotOf(t, files)
		if len(got) != len(want) {
			t.Errorf("vss%d: %d entries, want %d", k, len(got), len(want))
		}
		for path, w := range want {
			if got[path] != w {
				t.Errorf("vss%d: %s: %s, want %s", k, path, got[path], w)
			}
		}
		total += len(want)
	}
	if total < 6*200 {
		t.Errorf("only %d entries compared", total)
	}
}

// peerMount runs a program that mounts on dir and goes into the background, and unmounts after the test.
func peerMount(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, program, args...)
	t.Cleanup(func() {
		var err error
		for range 50 { // the one above may still be going
			if err = exec.Command("umount", dir).Run(); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Errorf("umount %s: %v", dir, err)
	})
}

// snapshotOf describes every entry below root by path.
func snapshotOf(t *testing.T, root string) map[string]string {
	t.Helper()
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	err = filepath.WalkDir(real, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == real {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%v %v", e.Type(), info.ModTime().UTC())
		if !e.IsDir() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d %x", info.Size(), sha256.Sum256(b))
		}
		out[strings.TrimPrefix(path, real)] = text
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return out
}
