package imagetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// QemuIO runs commands on an image as a guest would. format is QEMU's name for it.
func QemuIO(t testing.TB, format, path string, commands ...string) {
	t.Helper()
	args := []string{"-f", format, path}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	testenv.Run(t, testenv.Peer(t, "qemu-io"), args...)
}

// Made writes a disk as an image of qemu-img's and returns its path; options is what follows -o, and more goes before it.
func Made(t testing.TB, format, options string, disk []byte, more ...string) string {
	t.Helper()
	in := Write(t, disk)
	out := in + "." + format
	args := append(append([]string{"convert", "-f", "raw", "-O", format}, more...), "-o", options, in, out)
	testenv.Run(t, testenv.Peer(t, "qemu-img"), args...)
	return out
}

// Converted is the disk that qemu-img shows of an image.
func Converted(t testing.TB, format, path string) layer.Source {
	t.Helper()
	out := filepath.Join(t.TempDir(), "converted.raw")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-f", format, "-O", "raw", path, out)
	return testenv.Open(t, out)
}

// Libvhdi is the disk that vhdimount shows of the chain of n files that ends in path.
func Libvhdi(t testing.TB, path string, n int) []byte {
	t.Helper()
	vhdimount := testenv.Peer(t, "vhdimount")
	fusermount, err := exec.LookPath("fusermount3")
	if err != nil {
		fusermount = testenv.Peer(t, "fusermount")
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no FUSE: %v", err)
	} else {
		f.Close()
	}
	dir := t.TempDir()
	testenv.Run(t, vhdimount, path, dir)
	defer testenv.Run(t, fusermount, "-u", dir)
	b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint("vhdi", n)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
