package imagefmt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer/layertest"
)

// TestMountedDevice has a loop device in use, by a partition and as a whole.
func TestMountedDevice(t *testing.T) {
	losetup, mkfs, mount := layertest.Peer(t, "losetup"), layertest.Peer(t, "mkfs.ext4"), layertest.Peer(t, "mount")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: loop devices need root")
	}
	dir := t.TempDir()
	disk, point := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "mnt")
	if err := os.Mkdir(point, 0o755); err != nil {
		t.Fatal(err)
	}
	layertest.Run(t, layertest.Peer(t, "truncate"), "-s", "16M", disk)
	layertest.Run(t, mkfs, "-q", disk)
	device := strings.TrimSpace(string(layertest.Run(t, losetup, "--find", "--show", disk)))
	t.Cleanup(func() { layertest.Run(t, losetup, "--detach", device) })
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
		layertest.Run(t, mount, "-o", mode, device, point)
		open(mode, false, mode == "rw")
		open(mode, true, false)
		layertest.Run(t, layertest.Peer(t, "umount"), point)
	}
	open("free again", false, false)
}
