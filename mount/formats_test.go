//go:build linux

package mount_test

import (
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestFormats reads the demo disk through the kernel out of formats of packed and of plain blocks; mount/tree has the
// others.
func TestFormats(t *testing.T) {
	qemuImg, want, demo := testenv.Peer(t, "qemu-img"), demoFiles(t), filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	raw := filepath.Join(t.TempDir(), "demo.raw")
	testenv.Run(t, qemuImg, "convert", "-O", "raw", demo, raw)
	for _, c := range []struct {
		name string
		make func(t *testing.T, dir string)
	}{
		{"a.E01", func(t *testing.T, dir string) {
			testenv.Run(t, testenv.Peer(t, "ewfacquire"), "-u", "-q", "-t", filepath.Join(dir, "a"), "-c", "fast", "-S", "1MiB", raw)
		}},
		{"b.vhdx", func(t *testing.T, dir string) {
			testenv.Run(t, qemuImg, "convert", "-O", "vhdx", raw, filepath.Join(dir, "b.vhdx"))
		}},
		{"c.vmdk", func(t *testing.T, dir string) {
			testenv.Run(t, qemuImg, "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, filepath.Join(dir, "c.vmdk"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			c.make(t, folder)
			dir := mounted(t, openSet(t, filepath.Join(folder, c.name)))
			for label, volume := range map[string]string{"Documents": "p1-Documents", "Archive": "p2-Archive"} {
				for point, files := range want[label] {
					compareTree(t, filepath.Join(dir, volume, point), files)
				}
			}
		})
	}
}
