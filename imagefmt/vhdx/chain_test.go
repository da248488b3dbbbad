package vhdx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vhdx"
)

// braced is the text of a linkage.
func braced(id byte) string { return "{" + guid(id).String() + "}" }

// randomLayer makes a disk above another one whose content is below, and returns what both show together. Blocks have
// the given states in turn.
func randomLayer(r *rand.Rand, im image, below []byte, states []uint64) (image, []byte) {
	im.blocks = make(map[int64]block)
	want := make([]byte, im.size)
	copy(want, below)
	for i := range (im.size + im.block - 1) / im.block {
		state := states[r.IntN(len(states))]
		b := block{state: state}
		part := want[i*im.block : min((i+1)*im.block, im.size)]
		switch state {
		case 1, 2, 3:
			clear(part)
		case 6, 7:
			b.data = make([]byte, im.block)
			noise(r, b.data)
			every, shift := 1+r.Int64N(90), r.Int64N(64)
			b.set = func(s int64) bool { return state == 6 || (s+shift)/every%2 == 0 || s%977 == shift }
			for at := int64(0); at < int64(len(part)); at += im.sector {
				if b.set((i*im.block + at) / im.sector) {
					copy(part[at:min(at+im.sector, int64(len(part)))], b.data[at:])
				}
			}
		}
		if state == 6 && im.parent == nil {
			b.set = nil
		}
		im.blocks[i] = b
	}
	return im, want
}

// parents is the Env of a disk whose parents a function gives.
func parents(get func(path string) (layer.Source, error)) format.Env {
	return format.Env{Files: imagetest.Files{Format: vhdx.Format, Get: get}}
}

// parentIs gives a file as the parent by every path.
func parentIs(src layer.Source) format.Env {
	return parents(func(string) (layer.Source, error) { return src, nil })
}

// TestChain compares chains of four disks with what the builder meant. What libvhdi reads right is compared with it as
// well: disks of one size whose blocks are present, partially present or not present. It takes zeroed, undefined and
// unmapped blocks for the parent's, against the specification, and fails behind the end of a smaller parent. QEMU reads
// no chains.
func TestChain(t *testing.T) {
	for i, c := range []struct {
		sector, grow int64
		states       []uint64
	}{
		{512, 0, []uint64{0, 6, 7, 7}}, {4096, 0, []uint64{0, 6, 7, 7}},
		{512, mib, []uint64{0, 1, 2, 3, 6, 7, 7}}, {4096, mib, []uint64{0, 1, 2, 3, 6, 7, 7}},
	} {
		r := rand.New(rand.NewPCG(uint64(i), 4))
		dir := t.TempDir()
		var want []byte
		var top *vhdx.Disk
		below := parents(func(path string) (layer.Source, error) { return testenv.Open(t, filepath.Join(dir, path[2:])), nil })
		for depth := range byte(4) {
			im := image{id: depth + 1, size: int64(depth)*c.grow + 3*mib + 12288, block: mib << (depth % 2), sector: c.sector}
			states, name := []uint64{0, 6}, func(depth byte) string { return fmt.Sprint("disk", depth, ".avhdx") }
			if depth > 0 {
				states = c.states
				im.parent = []string{"parent_linkage", braced(depth), "relative_path", `.\` + name(depth-1), "absolute_win32_path", `C:\vm\` + name(depth-1)}
			}
			im, want = randomLayer(r, im, want, states)
			path := filepath.Join(dir, name(depth))
			im.file().save(t, path)
			top = open(t, testenv.Open(t, path), below)
			if !bytes.Equal(imagetest.Content(t, top), want) {
				t.Errorf("depth %d, sectors of %d: other bytes", depth, c.sector)
			}
			if c.grow == 0 && depth%2 == 1 && !bytes.Equal(imagetest.Libvhdi(t, path, int(depth)+1), want) {
				t.Errorf("depth %d, sectors of %d: libvhdi shows other bytes", depth, c.sector)
			}
		}
		layertest.Contract(t, top, want)
	}
}

// TestLargeChain reads partially present blocks on both sides of a border between chunks, and in the last of 256 MiB.
func TestLargeChain(t *testing.T) {
	for _, size := range []int64{1, 32, 256} {
		im := image{id: 2, size: 9 << 30, block: size * mib, sector: 512, parent: []string{"parent_linkage", braced(1)}, blocks: make(map[int64]block)}
		odd := func(s int64) bool { return s%2 == 1 }
		data := bytes.Repeat([]byte{5}, mib)
		first, second, last := 4<<30/im.block-1, 4<<30/im.block, im.size/im.block-1
		for _, i := range []int64{first, second, last} {
			im.blocks[i] = block{state: 7, data: data, set: odd}
		}
		parent := image{id: 1, size: 9 << 30, block: 32 * mib, sector: 512}.file()
		im.parent = append(im.parent, "relative_path", "p.vhdx")
		d := open(t, im.file(), parentIs(parent))
		p := make([]byte, 4096)
		for _, i := range []int64{first, second, last} {
			if err := layer.ReadFull(d, p, i*im.block+512*100); err != nil {
				t.Fatal(err)
			}
			for s := range 8 {
				if p[512*s] != byte(s%2*5) {
					t.Errorf("blocks of %d MiB: byte %d in sector %d of block %d", size, p[512*s], s, i)
				}
			}
		}
	}
}

func TestParentPaths(t *testing.T) {
	im := image{id: 2, size: mib, block: mib, sector: 512, parent: []string{
		"absolute_win32_path", `\\?\C:\disks\base.vhdx`, "parent_linkage2", braced(7), "parent_linkage", strings.ToUpper(braced(1)),
		"volume_path", `\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\disks\base.vhdx`, "relative_path", `..\Bäse.vhdx`,
	}}
	type answer struct {
		src layer.Source
		err error
	}
	disk := func(id byte) answer { return answer{image{id: id, size: mib, block: mib, sector: 512}.file(), nil} }
	missing, right, second, wrong := answer{nil, fs.ErrNotExist}, disk(1), disk(7), disk(9)
	junk, broken := answer{bytes.NewReader(make([]byte, 5000)), nil}, answer{nil, layer.Corrupt("header", 0, "broken")}
	lost := disk(1) // the right file, whose metadata is gone
	lost.src.(*file).size = 2 * mib
	for _, c := range []struct {
		name    string
		answers []answer
		found   answer
		text    string // of the error, "" for none
	}{
		{"relative", []answer{right}, missing, ""},
		{"second linkage", []answer{second}, missing, ""},
		{"volume", []answer{missing, right}, missing, ""},
		{"absolute", []answer{wrong, junk, right}, missing, ""},
		{"found", []answer{wrong, junk, broken}, right, ""},
		{"found another", []answer{missing, missing, missing}, wrong, `"..\\Bäse.vhdx": file does not exist`},
		{"search broken", []answer{missing, missing, missing}, broken, "01010101-0101-0101-0101-010101010101: header at 0x0: broken"},
		{"none", []answer{missing, missing, missing}, missing, `"..\\Bäse.vhdx": file does not exist`},
		{"other ids", []answer{missing, wrong, missing}, missing, "id 09090909-0909-0909-0909-090909090909, want 01010101-0101-0101-0101-010101010101"},
		{"the right one is final", []answer{missing, lost}, missing, "metadata table at 0x200000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			env := parents(func(path string) (layer.Source, error) {
				if path == "found" {
					return c.found.src, c.found.err
				}
				asked = append(asked, path)
				if len(asked) > len(c.answers) {
					t.Fatalf("asked for %q", asked)
				}
				a := c.answers[len(asked)-1]
				return a.src, a.err
			})
			files := env.Files.(imagetest.Files)
			files.Beside = []string{"found"}
			env.Files = files
			_, err := vhdx.Open(im.file(), env)
			if want := []string{im.parent[9], im.parent[7], im.parent[1]}[:len(c.answers)]; !slices.Equal(asked, want) {
				t.Errorf("asked for %q, want %q", asked, want)
			}
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q", err, c.text)
			}
		})
	}
	if _, err := vhdx.Open(im.file(), format.Env{}); !errors.Is(err, layer.ErrUnsupported) {
		t.Errorf("error %v without an opener, want unsupported", err)
	}
}

func TestLocatorDamage(t *testing.T) {
	for _, c := range []struct {
		name string
		pair []string
		edit imagetest.Edit
		kind error
		text string
	}{
		{"whole", []string{"parent_linkage", braced(1)}, imagetest.None, layer.ErrUnsupported, "not opened"},
		{"other type", []string{"parent_linkage", braced(1)}, flip(0), layer.ErrUnsupported, "parent locator of type"},
		{"no linkage", []string{"relative_path", "x"}, imagetest.None, layer.ErrCorrupt, "no parent_linkage"},
		{"bad linkage", []string{"parent_linkage", "{x}"}, imagetest.None, layer.ErrCorrupt, "GUID"},
		{"many entries", []string{"parent_linkage", braced(1)}, imagetest.PutLE16(18, 0xffff), layer.ErrCorrupt, "past the end"},
		{"key outside", []string{"parent_linkage", braced(1)}, imagetest.PutLE32(20, 0xffffffff), layer.ErrCorrupt, "entry 0 reaches"},
		{"value outside", []string{"parent_linkage", braced(1)}, imagetest.PutLE32(24, 1<<20), layer.ErrCorrupt, "entry 0 reaches"},
		{"key too long", []string{"parent_linkage", braced(1)}, imagetest.PutLE16(28, 0xffff), layer.ErrCorrupt, "entry 0 reaches"},
		{"value too long", []string{"parent_linkage", braced(1)}, imagetest.PutLE16(30, 0xffff), layer.ErrCorrupt, "entry 0 reaches"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := image{id: 2, size: mib, block: mib, sector: 512, parent: c.pair}.file()
			c.edit(f.pieces[itemsAt+5*4096])
			if _, err := vhdx.Open(f, format.Env{}); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}
