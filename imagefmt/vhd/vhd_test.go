package vhd_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/vhd"
)

const mib = 1 << 20

// TestConverted compares with what qemu-img shows of its own images, whose size it rounds up to the geometry unless
// force_size is on.
func TestConverted(t *testing.T) {
	qemuImg := layertest.Peer(t, "qemu-img")
	in := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(in, layertest.Mixed(mib, 4*mib+7*512, 5), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"subformat=dynamic", "subformat=fixed", "subformat=dynamic,force_size=on", "subformat=fixed,force_size=on"} {
		t.Run(options, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "disk.vhd")
			layertest.Run(t, qemuImg, "convert", "-f", "raw", "-O", "vpc", "-o", options, in, image)
			layertest.Run(t, qemuImg, "convert", "-f", "vpc", "-O", "raw", image, image+".raw")
			want, err := os.ReadFile(image + ".raw")
			if err != nil {
				t.Fatal(err)
			}
			d, err := vhd.Open(layertest.Open(t, image), vhd.Options{Warn: func(err error) { t.Error(err) }})
			if err != nil {
				t.Fatal(err)
			}
			layertest.Contract(t, d, want)
		})
	}
}

// TestPair reads a real parent and its child, and compares both with libvhdi where FUSE works.
func TestPair(t *testing.T) {
	parent, child := layertest.Shared(t, "data", "formats", "image.vhd"), layertest.Shared(t, "data", "formats", "image-differential.vhd")
	var warned []error
	opts := vhd.Options{Warn: func(err error) { warned = append(warned, err) }}
	var asked []string
	opts.OpenParent = func(path string) (*vhd.Disk, error) {
		asked = append(asked, path)
		return vhd.Open(layertest.Open(t, parent), opts)
	}
	d, err := vhd.Open(layertest.Open(t, child), opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || asked[0] != "image.vhd" {
		t.Errorf("asked for the parents %q, want image.vhd alone", asked)
	}
	if len(warned) < 2 {
		t.Errorf("warnings %v, want one for each wrong checksum", warned)
	}
	if id := d.ID().String(); id != "40d56d36-9ab8-4fe4-a31a-121fe2bf15eb" {
		t.Errorf("id %s", id)
	}
	for i, path := range []string{parent, child} {
		d, err := vhd.Open(layertest.Open(t, path), opts)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, libvhdi(t, parent, path, i+1))
	}
}

// libvhdi returns the disk that vhdimount shows as the given layer of the chain that ends in image.
func libvhdi(t *testing.T, parent, image string, n int) []byte {
	t.Helper()
	vhdimount := layertest.Peer(t, "vhdimount")
	fusermount, err := exec.LookPath("fusermount3")
	if err != nil {
		fusermount = layertest.Peer(t, "fusermount")
	}
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no FUSE: %v", err)
	} else {
		f.Close()
	}
	dir := t.TempDir()
	layertest.Run(t, vhdimount, image, dir)
	defer layertest.Run(t, fusermount, "-u", dir)
	b, err := os.ReadFile(filepath.Join(dir, []string{"vhdi1", "vhdi2"}[n-1]))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestContractOfChain(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const size = 2*65536 + 3*512
	want := make([]byte, size)
	var below *vhd.Disk
	for depth := range 4 {
		im := image{kind: 3, id: byte(depth + 1), size: size, block: 65536}
		if depth > 0 {
			im.kind, im.parentID, im.parentName = 4, byte(depth), "below.vhd"
		}
		for b := range 3 {
			if r.IntN(3) == 0 {
				continue
			}
			set := func(int) bool { return true }
			if b%2 == depth%2 {
				set = func(s int) bool { return s/3%3 == depth%3 || s > 120 }
			}
			fill := byte(16*depth + b + 1)
			im.blocks = append(im.blocks, block{b, fill, set})
			for s := range 128 {
				if at := b*65536 + s*512; at < size && set(s) {
					copy(want[at:min(at+512, size)], bytes.Repeat([]byte{fill}, 512))
				}
			}
		}
		parent := below
		d, err := vhd.Open(newMemory(im.bytes()), vhd.Options{
			Warn:       func(err error) { t.Error(err) },
			OpenParent: func(path string) (*vhd.Disk, error) { return parent, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, bytes.Clone(want))
		below = d
	}
}

func TestSmallerParent(t *testing.T) {
	small := image{kind: 2, id: 1, size: 3 * 512}
	parent, err := vhd.Open(newMemory(small.bytes()), vhd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	im := image{kind: 4, id: 2, size: 65536, block: 65536, parentID: 1, parentName: "p.vhd"}
	d, err := vhd.Open(newMemory(im.bytes()), vhd.Options{OpenParent: func(string) (*vhd.Disk, error) { return parent, nil }})
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 65536)
	copy(want, bytes.Repeat([]byte{0xf1}, 3*512))
	layertest.Contract(t, d, want)
	n := 0
	for e := range layer.Resolve(d, 0, 65536) {
		if n++; e.Off == 1536 && e.Kind != layer.Zero {
			t.Errorf("extent %+v past the parent, want zeros", e)
		}
	}
	if n != 2 {
		t.Errorf("%d extents, want 2", n)
	}
}

// TestOnePiece holds that reading a disk whose bitmaps are known does not allocate, and that blocks that are not there are
// one extent.
func TestOnePiece(t *testing.T) {
	in := filepath.Join(t.TempDir(), "disk.raw")
	content := append(bytes.Repeat([]byte{7}, 2*mib), make([]byte, 8*mib)...)
	if err := os.WriteFile(in, content, 0o600); err != nil {
		t.Fatal(err)
	}
	layertest.Run(t, layertest.Peer(t, "qemu-img"), "convert", "-f", "raw", "-O", "vpc", "-o", "subformat=dynamic,force_size=on", in, in+".vhd")
	d, err := vhd.Open(layertest.Open(t, in+".vhd"), vhd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := d.At(3*mib, 7*mib); err != nil || e.Len != 7*mib || e.Kind != layer.Zero {
		t.Errorf("extent %+v, %v, want one of 7 MiB of zeros", e, err)
	}
	p := make([]byte, 64<<10)
	if n := testing.AllocsPerRun(100, func() {
		if err := layer.ReadFull(d, p, mib+100); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}
