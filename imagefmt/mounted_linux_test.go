package imagefmt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer/testenv"
)

// TestMountedDevice has a loop device in use, by a partition and as a whole.
func TestMountedDevice(t *testing.T) {
	losetup, mkfs, mount := testenv.Peer(t, "losetup"), testenv.Peer(t, "mkfs.ext4"), testenv.Peer(t, "mount")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: loop devices need root")
	}
	dir := t.TempDir()
	disk, point := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "truncate"), "-s", "16M", disk)
	testenv.Run(t, mkfs, "-q", disk)
	device := strings.TrimSpace(string(testenv.Run(t, losetup, "--find", "--show", disk)))
	t.Cleanup(func() { testenv.Run(t, losetup, "--detach", device) })
	open := func(what string, force bool, refused bool) {
		t.Helper()
		img, err := imagefmt.Open(device, imagefmt.Options{Force: force})
		if err == nil {
			img.Close()
		}
		if refused != (err != nil && strings.Contains(err.Error(), point)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	open("free", false, false)
	for _, mode := range []string{"ro", "rw"} {
		testenv.Run(t, mount, "-o", mode, device, point)
		open(mode, false, mode == "rw")
		open(mode, true, false)
		testenv.Run(t, testenv.Peer(t, "umount"), point)
	}
	open("free again", false, false)
}
