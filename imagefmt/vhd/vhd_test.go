package vhd_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vhd"
)

const mib = 1 << 20

// TestConverted compares with what qemu-img shows of its own images, whose size it rounds up to the geometry unless
// force_size is on.
func TestConverted(t *testing.T) {
	disk := layertest.Mixed(mib, 4*mib+7*512, 5)
	for _, options := range []string{"subformat=dynamic", "subformat=fixed", "subformat=dynamic,force_size=on", "subformat=fixed,force_size=on"} {
		t.Run(options, func(t *testing.T) {
			image := imagetest.Made(t, "vpc", options, disk)
			want := imagetest.Content(t, imagetest.Converted(t, "vpc", image))
			d, err := vhd.Open(testenv.Open(t, image), format.Env{Warn: func(err error) { t.Error(err) }})
			if err != nil {
				t.Fatal(err)
			}
			layertest.Contract(t, d, want)
		})
	}
}

// TestPair reads a real parent and its child, and compares both with libvhdi where FUSE works.
func TestPair(t *testing.T) {
	parent, child := testenv.Shared(t, "data", "formats", "image.vhd"), testenv.Shared(t, "data", "formats", "image-differential.vhd")
	var warned []error
	warn := func(err error) { warned = append(warned, err) }
	var asked []string
	env := format.Env{Warn: warn, Files: imagetest.Files{Format: vhd.Format, Warn: warn, Get: func(path string) (layer.Source, error) {
		asked = append(asked, path)
		return testenv.Open(t, parent), nil
	}}}
	d, err := vhd.Open(testenv.Open(t, child), env)
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
		d, err := vhd.Open(testenv.Open(t, path), env)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, imagetest.Libvhdi(t, path, i+1))
	}
}

func TestContractOfChain(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const size = 2*65536 + 3*512
	want := make([]byte, size)
	files := map[string][]byte{}
	for depth := range 4 {
		im := image{kind: 3, id: byte(depth + 1), size: size, block: 65536}
		if depth > 0 {
			im.kind, im.parentID, im.parentName = 4, byte(depth), fmt.Sprint(depth-1)
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
		env := parents(imagetest.InMemory(files))
		env.Warn = func(err error) { t.Error(err) }
		d, err := vhd.Open(bytes.NewReader(im.bytes()), env)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, bytes.Clone(want))
		files[fmt.Sprint(depth)] = im.bytes()
	}
}

func TestSmallerParent(t *testing.T) {
	small := image{kind: 2, id: 1, size: 3 * 512}
	im := image{kind: 4, id: 2, size: 65536, block: 65536, parentID: 1, parentName: "p.vhd"}
	d, err := vhd.Open(bytes.NewReader(im.bytes()), parents(imagetest.InMemory(map[string][]byte{"p.vhd": small.bytes()})))
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
	content := append(bytes.Repeat([]byte{7}, 2*mib), make([]byte, 8*mib)...)
	d, err := vhd.Open(testenv.Open(t, imagetest.Made(t, "vpc", "subformat=dynamic,force_size=on", content)), format.Env{})
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
