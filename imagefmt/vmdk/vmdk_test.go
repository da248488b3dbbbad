package vmdk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vmdk"
)

const mib = 1 << 20

// open opens a disk that must not be warned of.
func open(t testing.TB, path string) *vmdk.Disk {
	t.Helper()
	warn := func(err error) { t.Errorf("warning: %v", err) }
	d, err := vmdk.Open(testenv.Open(t, path), format.Env{Warn: warn, Name: filepath.Base(path), Files: imagetest.Files{
		Format: vmdk.Format, Get: imagetest.InFolder(t, filepath.Dir(path)), Warn: warn,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConverted(t *testing.T) {
	for _, subformat := range []string{"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized"} {
		for _, more := range []string{"", ",zeroed_grain=on", ",compat6=on"} {
			if more == ",zeroed_grain=on" && strings.Contains(subformat, "Flat") || more == ",compat6=on" && subformat != "monolithicSparse" {
				continue
			}
			t.Run(subformat+more, func(t *testing.T) {
				t.Parallel()
				want := layertest.Mixed(300_000, 3*mib+7*512, uint64(len(more)))
				if more == "" {
					want = want[:200*512+512]
				}
				out := imagetest.Made(t, "vmdk", "subformat="+subformat+more, want)
				if more == "" {
					layertest.Contract(t, open(t, out), want)
				}
				imagetest.Same(t, open(t, out), bytes.NewReader(want), 2000)
			})
		}
	}
}

func TestBacking(t *testing.T) {
	qemuImg := testenv.Peer(t, "qemu-img")
	for _, options := range []string{"subformat=monolithicSparse", "subformat=monolithicSparse,zeroed_grain=on", "subformat=twoGbMaxExtentSparse"} {
		t.Run(options, func(t *testing.T) {
			dir := t.TempDir()
			raw := write(t, filepath.Join(dir, "disk.raw"), layertest.Mixed(300_000, 2*mib+300*512, 3))
			base, middle, top := filepath.Join(dir, "base.vmdk"), filepath.Join(dir, "middle.vmdk"), filepath.Join(dir, "top.vmdk")
			testenv.Run(t, qemuImg, "convert", "-O", "vmdk", "-o", "subformat=streamOptimized", raw, base)
			testenv.Run(t, qemuImg, "create", "-f", "vmdk", "-o", options, "-b", "base.vmdk", "-F", "vmdk", middle)
			imagetest.QemuIO(t, "vmdk", middle, "write -P 0x11 100k 3k", "write -P 0x12 1100k 200k", "write -z 320k 192k", "write -P 0x13 1536k 512")
			testenv.Run(t, qemuImg, "create", "-f", "vmdk", "-o", options, "-b", "middle.vmdk", "-F", "vmdk", top)
			imagetest.QemuIO(t, "vmdk", top, "write -P 0x21 102k 1k", "write -P 0x22 1200k 1k", "write -P 0x23 2063k 512")
			imagetest.Same(t, open(t, top), imagetest.Converted(t, "vmdk", top), 2000)
		})
	}
}

// TestGrownChild reads a child that is larger than its parent.
func TestGrownChild(t *testing.T) {
	dir := t.TempDir()
	qemuImg := testenv.Peer(t, "qemu-img")
	base, top := filepath.Join(dir, "base.vmdk"), filepath.Join(dir, "top.vmdk")
	testenv.Run(t, qemuImg, "create", "-f", "vmdk", base, "1000k")
	imagetest.QemuIO(t, "vmdk", base, "write -P 0x11 0 1000k")
	testenv.Run(t, qemuImg, "create", "-f", "vmdk", "-b", "base.vmdk", "-F", "vmdk", top, "3M")
	imagetest.QemuIO(t, "vmdk", top, "write -P 0x22 100k 64k", "write -P 0x33 2M 1k")
	imagetest.Same(t, open(t, top), imagetest.Converted(t, "vmdk", top), 2000)
}

// TestLarge reads disks of several extents and of more than 4 GiB with little in them.
func TestLarge(t *testing.T) {
	qemuImg := testenv.Peer(t, "qemu-img")
	for _, c := range []struct {
		subformat, size string
		extents         int // of the whole disk, zeros and data
	}{
		{"monolithicSparse", "12G", 8}, {"twoGbMaxExtentSparse", "12G", 8}, {"twoGbMaxExtentFlat", "5G", 3}, {"monolithicFlat", "5G", 1},
	} {
		t.Run(c.subformat, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "disk.vmdk")
			testenv.Run(t, qemuImg, "create", "-f", "vmdk", "-o", "subformat="+c.subformat, path, c.size)
			imagetest.QemuIO(t, "vmdk", path, "write -P 1 0 70k", "write -P 2 2097100k 100k", "write -P 3 4800M 1M", "write -P 4 4194300k 8k")
			d := open(t, path)
			want := imagetest.Converted(t, "vmdk", path)
			imagetest.SameReads(t, d, want, 9, 400)
			for _, off := range []int64{0, 2097100 << 10, 4800 * mib, 4194300 << 10} {
				a, b := make([]byte, 3*mib), make([]byte, 3*mib)
				off = max(0, off-mib)
				if err := layer.ReadFull(d, a, off); err != nil {
					t.Fatal(err)
				}
				if err := layer.ReadFull(want, b, off); err != nil || !bytes.Equal(a, b) {
					t.Errorf("other bytes near %d (%v)", off, err)
				}
			}
			n := 0
			for e, err := range layer.Extents(d, 0, d.Size()) {
				if err != nil {
					t.Fatal(e, err)
				}
				n++
			}
			if n > c.extents+4 {
				t.Errorf("%d extents", n)
			}
		})
	}
}

func TestRealImage(t *testing.T) {
	path := testenv.Shared(t, "data", "formats", "ext2.vmdk")
	var want []byte
	for _, name := range []string{"ext2.splitraw.000", "ext2.splitraw.001"} {
		b, err := os.ReadFile(testenv.Shared(t, "data", "formats", name))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	layertest.Contract(t, open(t, path), want)
	imagetest.Same(t, bytes.NewReader(want), imagetest.Converted(t, "vmdk", path), 2000)
}

func BenchmarkRead(b *testing.B) {
	disk := layertest.Mixed(300_000, 256*mib, 8)
	for _, subformat := range []string{"monolithicSparse", "twoGbMaxExtentFlat", "streamOptimized"} {
		d := open(b, imagetest.Made(b, "vmdk", "subformat="+subformat, disk))
		imagetest.Reads(b, subformat+"/", d)
	}
}
