package qcow2_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/qcow2"
)

const mib = 1 << 20

// open opens an image and, beside it, its backing files.
func open(t testing.TB, path string) *qcow2.Disk {
	t.Helper()
	files := imagetest.Files{Format: qcow2.Format, Get: imagetest.InFolder(t, filepath.Dir(path))}
	d, err := qcow2.Open(testenv.Open(t, path), format.Env{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestConverted(t *testing.T) {
	small, large := layertest.Mixed(300_000, 1*mib+7*512, 1), layertest.Mixed(300_000, 5*mib+512, 2)
	for _, c := range []struct {
		options string
		packed  bool
		want    []byte
	}{
		{"compat=0.10", false, small},
		{"compat=0.10", true, small},
		{"compat=1.1", false, small},
		{"compat=1.1", true, small},
		{"compression_type=zstd", true, small},
		{"cluster_size=512", false, small},
		{"cluster_size=512", true, small},
		{"cluster_size=512,compression_type=zstd", true, small},
		{"cluster_size=2M", false, large},
		{"cluster_size=2M", true, large},
		{"cluster_size=2M,compression_type=zstd", true, large},
		{"extended_l2=on", false, small},
		{"extended_l2=on", true, small},
		{"extended_l2=on,cluster_size=16k", false, small},
		{"lazy_refcounts=on,refcount_bits=1", false, small},
		{"preallocation=metadata", false, small},
	} {
		name := c.options
		if c.packed {
			name += ",compressed"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var more []string
			if c.packed {
				more = []string{"-c"}
			}
			d := open(t, imagetest.Made(t, "qcow2", c.options, c.want, more...))
			if strings.HasPrefix(c.options, "cluster_size=512,") {
				imagetest.Same(t, d, bytes.NewReader(c.want), 200) // thousands of little clusters: the zlib ones are enough for the whole contract
				return
			}
			layertest.Contract(t, d, c.want)
		})
	}
}

func TestBacking(t *testing.T) {
	qemuImg := testenv.Peer(t, "qemu-img")
	// The raw base ends within a cluster and before its child; discarded and zeroed ranges hide it again.
	base := imagetest.Write(t, layertest.Mixed(300_000, 1*mib+300*512, 3))
	dir := filepath.Dir(base)
	middle, top := filepath.Join(dir, "middle.qcow2"), filepath.Join(dir, "top.qcow2")
	for _, options := range []string{"cluster_size=64k", "extended_l2=on", "cluster_size=4k", "compat=0.10"} {
		t.Run(options, func(t *testing.T) {
			testenv.Run(t, qemuImg, "create", "-f", "qcow2", "-o", options, "-b", "disk.raw", "-F", "raw", middle, "2M")
			testenv.Run(t, qemuImg, "create", "-f", "qcow2", "-o", options, "-b", "middle.qcow2", "-F", "qcow2", top, "2113024")
			imagetest.QemuIO(t, "qcow2", middle, "write -P 0x11 100k 3k", "write -P 0x12 1100k 200k", "write -z 300k 150k", "write -z 513k 1k",
				"write -P 0x13 1536k 512")
			imagetest.QemuIO(t, "qcow2", top, "write -P 0x21 102k 1k", "write -P 0x22 1200k 1k", "write -P 0x23 2063k 512", "write -z 1k 3k")
			imagetest.Same(t, open(t, middle), imagetest.Converted(t, "qcow2", middle), 200)
			layertest.Contract(t, open(t, top), imagetest.Content(t, imagetest.Converted(t, "qcow2", top)))
		})
	}
}

func TestRealImages(t *testing.T) {
	for _, name := range []string{"windows_volume.qcow2", "formats/ext2.qcow2", "vsstest.qcow2"} {
		path := testenv.Shared(t, "data", name)
		t.Run(filepath.Base(name), func(t *testing.T) {
			imagetest.Same(t, open(t, path), imagetest.Converted(t, "qcow2", path), 200)
		})
	}
}

// TestSparseExtents holds that mapping a large empty disk follows what it holds, not its size.
func TestSparseExtents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse.qcow2")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "create", "-f", "qcow2", path, "16T")
	imagetest.QemuIO(t, "qcow2", path, "write -P 1 0 64k", "write -P 2 5T 64k")
	d := open(t, path)
	n := 0
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d extents, want data, zeros, data, zeros", n)
	}
}

func BenchmarkCompressed(b *testing.B) {
	disk := layertest.Mixed(300_000, 256*mib, 8)
	for _, kind := range []string{"zlib", "zstd"} {
		d := open(b, imagetest.Made(b, "qcow2", "compression_type="+kind, disk, "-c"))
		imagetest.Reads(b, kind+"/", d)
	}
}

// TestPieces reads a disk whose L2 tables have many pieces, over the borders of pieces and of tables.
func TestPieces(t *testing.T) {
	const kib = 1 << 10
	for options, border := range map[string]int64{"cluster_size=64k": 128 * mib, "cluster_size=2M": 4096 * mib, "cluster_size=64k,extended_l2=on": 64 * mib} {
		t.Run(options, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "disk.qcow2")
			testenv.Run(t, testenv.Peer(t, "qemu-img"), "create", "-q", "-f", "qcow2", "-o", options, path, "2T")
			borders := []int64{1, 3, 4, 5, 8, 128, 256}
			var writes []string
			for i, k := range borders {
				writes = append(writes, fmt.Sprintf("write -P %d %d 128k", i+1, k*border-64*kib))
			}
			imagetest.QemuIO(t, "qcow2", path, writes...)
			d := open(t, path)
			got, want := make([]byte, 256*kib), make([]byte, 256*kib)
			for i, k := range borders {
				copy(want[64*kib:], bytes.Repeat([]byte{byte(i + 1)}, 128*kib))
				if err := layer.ReadFull(d, got, k*border-128*kib); err != nil || !bytes.Equal(got, want) {
					t.Errorf("over border %d: %v, or other bytes", k, err)
				}
			}
			if err := layer.ReadFull(d, got, 2*border-128*kib); err != nil || !bytes.Equal(got, make([]byte, len(got))) {
				t.Errorf("over border 2: %v, or not zeros", err)
			}
		})
	}
}

// TestOnePiece holds that reading a disk whose tables are in memory does not allocate, and that clusters that follow each
// other in the file are one extent.
func TestOnePiece(t *testing.T) {
	d := open(t, imagetest.Made(t, "qcow2", "cluster_size=4k", bytes.Repeat([]byte("clusters "), 4*mib/9+1)[:4*mib]))
	if e, err := d.At(1*mib, mib/2); err != nil || e.Len != mib/2 || e.Base == nil {
		t.Errorf("extent %+v, %v, want all 512 KiB in one", e, err)
	}
	p := make([]byte, 64<<10)
	if n := testing.AllocsPerRun(100, func() {
		if err := layer.ReadFull(d, p, 1*mib+100); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}
