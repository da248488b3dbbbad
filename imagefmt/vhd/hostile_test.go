package vhd_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vhd"
)

// image is a disk to be written by hand. A dynamic one has: footer copy at 0, header at 512, table at 1536, locators
// at the next whole sector, and blocks behind them.
type image struct {
	kind       uint32
	id         byte // all bytes of the unique id
	size       uint64
	block      uint32
	blocks     []block
	parentID   byte
	parentName string
	relative   string // W2ru
	absolute   string // W2ku
}

type block struct {
	index int
	fill  byte
	set   func(sector int) bool // in the bitmap
}

const (
	headerAt = 512
	tableAt  = 1536
	pathsAt  = 2048
	blocksAt = 4096
)

func (im image) bytes() []byte {
	f := im.footer()
	if im.kind == 2 {
		return append(bytes.Repeat([]byte{0xf1}, int(im.size)), f...)
	}
	b := make([]byte, blocksAt)
	copy(b, f)
	copy(b[headerAt:], im.header())
	for i := tableAt; i < pathsAt; i++ {
		b[i] = 0xff
	}
	put16 := func(at int, path string) {
		for i, c := range utf16.Encode([]rune(path)) {
			binary.LittleEndian.PutUint16(b[at+2*i:], c)
		}
	}
	put16(pathsAt, im.relative)
	put16(pathsAt+512, im.absolute)
	for _, bl := range im.blocks {
		binary.BigEndian.PutUint32(b[tableAt+4*bl.index:], uint32(len(b)/512))
		sectors := int(im.block / 512)
		bitmap := make([]byte, (sectors/8+511)/512*512)
		data := bytes.Repeat([]byte{0xee}, int(im.block)) // what clear bits must hide
		for s := range sectors {
			if bl.set(s) {
				bitmap[s/8] |= 0x80 >> (s % 8)
				copy(data[s*512:], bytes.Repeat([]byte{bl.fill}, 512))
			}
		}
		b = append(append(b, bitmap...), data...)
	}
	return append(b, f...)
}

func (im image) footer() []byte {
	be := binary.BigEndian
	f := make([]byte, 512)
	copy(f, "conectix")
	be.PutUint32(f[8:], 2)
	be.PutUint32(f[12:], 0x10000)
	be.PutUint64(f[16:], headerAt)
	if im.kind == 2 {
		be.PutUint64(f[16:], math.MaxUint64)
	}
	copy(f[28:], "win ")
	be.PutUint64(f[40:], im.size+512)
	be.PutUint64(f[48:], im.size)
	be.PutUint32(f[60:], im.kind)
	copy(f[68:], bytes.Repeat([]byte{im.id}, 16))
	seal(f, 64)
	return f
}

func (im image) header() []byte {
	be := binary.BigEndian
	h := make([]byte, 1024)
	copy(h, "cxsparse")
	be.PutUint64(h[8:], math.MaxUint64)
	be.PutUint64(h[16:], tableAt)
	be.PutUint32(h[24:], 0x10000)
	be.PutUint32(h[28:], 128)
	be.PutUint32(h[32:], im.block)
	copy(h[40:], bytes.Repeat([]byte{im.parentID}, 16))
	for i, c := range utf16.Encode([]rune(im.parentName)) {
		be.PutUint16(h[64+2*i:], c)
	}
	for i, p := range []struct{ code, path string }{{"W2ku", im.absolute}, {"W2ru", im.relative}} {
		if p.path != "" {
			l := h[576+24*i:]
			copy(l, p.code)
			be.PutUint32(l[4:], 512)
			be.PutUint32(l[8:], uint32(2*len(p.path)))
			be.PutUint64(l[16:], uint64(pathsAt+512-512*i))
		}
	}
	seal(h, 36)
	return h
}

// seal writes the checksum of b at at.
func seal(b []byte, at int) {
	binary.BigEndian.PutUint32(b[at:], 0)
	var s uint32
	for _, c := range b {
		s += uint32(c)
	}
	binary.BigEndian.PutUint32(b[at:], ^s)
}

func all(int) bool { return true }

// dynamic is a small disk of three blocks, the middle one absent.
func dynamic() image {
	return image{kind: 3, id: 7, size: 2*4096 + 512, block: 4096, blocks: []block{{2, 0xc2, all}, {0, 0xc0, func(s int) bool { return s != 3 }}}}
}

func TestFooters(t *testing.T) {
	fixed := image{kind: 2, id: 5, size: 2048}
	for _, c := range []struct {
		name   string
		make   func() []byte
		warned string
	}{
		{"dynamic", func() []byte { return dynamic().bytes() }, ""},
		{"fixed", fixed.bytes, ""},
		{"511 bytes", func() []byte { b := fixed.bytes(); return b[:len(b)-1] }, ""},
		{"checksum wrong", func() []byte { b := fixed.bytes(); b[len(b)-400] ^= 1; return b }, "checksum"},
		{"end damaged", func() []byte { b := dynamic().bytes(); b[len(b)-512] = 0; return b }, "copy at the start"},
		{"end has a wrong checksum", func() []byte { b := dynamic().bytes(); b[len(b)-450] = 1; return b }, "copy at the start"},
		{"end missing", func() []byte { b := dynamic().bytes(); return b[:len(b)-512] }, "copy at the start"},
		{"start damaged", func() []byte { b := dynamic().bytes(); b[0] = 0; return b }, ""},
		{"both wrong", func() []byte { b := dynamic().bytes(); b[100]++; b[len(b)-412]++; return b }, "checksum"},
		{"header wrong", func() []byte { b := dynamic().bytes(); b[headerAt+1000]++; return b }, "dynamic header: checksum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warned []string
			d, err := vhd.Open(bytes.NewReader(c.make()), format.Env{Warn: func(err error) { warned = append(warned, err.Error()) }})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(warned, "; "); (c.warned == "") != (got == "") || !strings.Contains(got, c.warned) {
				t.Errorf("warned %q, want %q", got, c.warned)
			}
			want, size := byte(0xc0), int64(2*4096+512)
			if d.ID().String()[0] == '0' && d.ID()[0] == 5 {
				want, size = 0xf1, 2048
			}
			p := make([]byte, 1)
			if _, err := d.ReadAt(p, 100); err != nil || p[0] != want || d.Size() != size {
				t.Errorf("byte 0x%x, %v, size %d, want 0x%x, size %d", p[0], err, d.Size(), want, size)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	be := binary.BigEndian
	both := func(edit func(f []byte)) []byte { // edits both footers
		b := dynamic().bytes()
		for _, f := range [][]byte{b[:512], b[len(b)-512:]} {
			edit(f)
			seal(f, 64)
		}
		return b
	}
	head := func(edit func(h []byte)) []byte {
		b := dynamic().bytes()
		edit(b[headerAt:])
		seal(b[headerAt:][:1024], 36)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		kind error
		text string
	}{
		{"empty", nil, layer.ErrFormat, "magic"},
		{"no magic", make([]byte, 5000), layer.ErrFormat, "magic"},
		{"type 0", both(func(f []byte) { be.PutUint32(f[60:], 0) }), layer.ErrUnsupported, "disk type 0"},
		{"type 5", both(func(f []byte) { be.PutUint32(f[60:], 5) }), layer.ErrUnsupported, "disk type 5"},
		{"negative size", both(func(f []byte) { be.PutUint64(f[48:], 1<<63) }), layer.ErrCorrupt, "0x8000000000000000"},
		{"table of 2^50 entries", both(func(f []byte) { be.PutUint64(f[48:], 1<<62) }), layer.ErrUnsupported, "block table"},
		{"header outside", both(func(f []byte) { be.PutUint64(f[16:], 1<<40) }), layer.ErrCorrupt, "0x10000000000"},
		{"header at -1", both(func(f []byte) { be.PutUint64(f[16:], math.MaxUint64) }), layer.ErrCorrupt, "dynamic header"},
		{"header magic", head(func(h []byte) { h[3] = 'X' }), layer.ErrCorrupt, "cxsXarse"},
		{"blocks of 0", head(func(h []byte) { be.PutUint32(h[32:], 0) }), layer.ErrCorrupt, "blocks of 0x0"},
		{"blocks of 2^31", head(func(h []byte) { be.PutUint32(h[32:], 1<<31) }), layer.ErrCorrupt, "0x80000000"},
		{"blocks of 3", head(func(h []byte) { be.PutUint32(h[32:], 0x3000) }), layer.ErrCorrupt, "power of two"},
		{"table outside", head(func(h []byte) { be.PutUint64(h[16:], 1<<63) }), layer.ErrCorrupt, "block table at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vhd.Open(bytes.NewReader(c.b), format.Env{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %q", err, c.text, c.kind)
			}
		})
	}
}

func TestDamageIsLocal(t *testing.T) {
	be := binary.BigEndian
	good := dynamic().bytes()
	table := func(i int, v uint32) imagetest.Edit {
		return func(b []byte) []byte { be.PutUint32(b[tableAt+4*i:], v); return b }
	}
	for _, c := range []struct {
		name   string
		edit   imagetest.Edit
		off, n int64
	}{
		{"nothing", imagetest.None, 0, 0},
		{"block outside", table(1, 1<<31), 4096, 4096},
		{"bitmap in the footer", table(1, uint32(len(good)/512-1)), 4096, 4096},
		// Its bitmap is 0xc0: two sectors, the second of them in the footer.
		{"block reaches into the footer", table(1, uint32(len(good)/512-3)), 4096 + 512, 512},
		{"table short", func(b []byte) []byte {
			be.PutUint32(b[headerAt+28:], 2)
			seal(b[headerAt:][:1024], 36)
			return b
		}, 8192, 512},
		{"file cut", func(b []byte) []byte { return b[:blocksAt+512+4096+512+1024] }, 1024, 4096 - 1024},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := vhd.Open(bytes.NewReader(c.edit(bytes.Clone(good))), format.Env{})
			if err != nil {
				t.Fatal(err)
			}
			for off := int64(0); off < d.Size(); off += 32 {
				p := []byte{0x77}
				_, err := d.ReadAt(p, off)
				bad := off >= c.off && off < c.off+c.n
				if cut := c.name == "file cut" && off/512 == 3; cut { // a hole is known without its data
					bad = false
				}
				if bad != (err != nil) || bad && !imagetest.Lost(err) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if c.name == "nothing" && p[0] != []byte{0xc0, 0, 0xc2}[off/4096] && off/512 != 3 {
					t.Fatalf("byte 0x%x at %d", p[0], off)
				}
				if off/512 == 3 && p[0] != 0 {
					t.Fatalf("byte 0x%x at %d, where the bitmap is clear", p[0], off)
				}
			}
		})
	}
}

// parents is the Env of a disk whose parents a function gives.
func parents(get func(path string) (layer.Source, error)) format.Env {
	return format.Env{Files: imagetest.Files{Format: vhd.Format, Get: get}}
}

func TestParentPaths(t *testing.T) {
	im := image{kind: 4, id: 2, size: 4096, block: 4096, parentID: 1, parentName: "Bäse.vhd",
		relative: `.\base.vhd`, absolute: `C:\disks\base.vhd`}
	type answer struct {
		file layer.Source
		err  error
	}
	parent := func(id byte) answer { return answer{bytes.NewReader(image{kind: 2, id: id, size: 512}.bytes()), nil} }
	missing, junk, right, wrong := answer{nil, fs.ErrNotExist}, answer{nil, layer.ErrFormat}, parent(1), parent(9)
	broken := answer{nil, layer.Corrupt("footer", 0, "broken")}
	for _, c := range []struct {
		name    string
		answers []answer
		text    string // of the error, "" for none
	}{
		{"relative", []answer{right}, ""},
		{"absolute", []answer{missing, right}, ""},
		{"name", []answer{wrong, junk, right}, ""},
		{"none", []answer{missing, missing, missing}, `".\\base.vhd"`},
		{"other ids", []answer{missing, wrong, missing}, "id 09090909-0909-0909-0909-090909090909, want 01010101-0101-0101-0101-010101010101"},
		{"damage is no parent", []answer{broken, missing, right}, ""},
		{"damage is told", []answer{missing, broken, missing}, "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			_, err := vhd.Open(bytes.NewReader(im.bytes()), parents(func(path string) (layer.Source, error) {
				asked = append(asked, path)
				if len(asked) > len(c.answers) {
					t.Fatalf("asked for %q", asked)
				}
				a := c.answers[len(asked)-1]
				return a.file, a.err
			}))
			if want := []string{`.\base.vhd`, `C:\disks\base.vhd`, "Bäse.vhd"}[:len(c.answers)]; strings.Join(asked, "|") != strings.Join(want, "|") {
				t.Errorf("asked for %q, want %q", asked, want)
			}
			if (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q", err, c.text)
			}
		})
	}
	t.Run("no opener", func(t *testing.T) {
		if _, err := vhd.Open(bytes.NewReader(im.bytes()), format.Env{}); !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("error %v, want unsupported", err)
		}
	})
	t.Run("locators outside", func(t *testing.T) {
		b := im.bytes()
		for _, at := range []int{576, 600} {
			binary.BigEndian.PutUint64(b[headerAt+at+16:], 1<<63)
		}
		seal(b[headerAt:][:1024], 36)
		var asked []string
		_, err := vhd.Open(bytes.NewReader(b), parents(func(path string) (layer.Source, error) {
			asked = append(asked, path)
			return parent(1).file, nil
		}))
		if err != nil || len(asked) != 1 || asked[0] != "Bäse.vhd" {
			t.Errorf("error %v, asked for %q", err, asked)
		}
	})
}

// TestMutations changes bytes of the records of a differencing disk.
func TestMutations(t *testing.T) {
	child := image{kind: 4, id: 2, size: 8192, block: 4096, parentID: 1, parentName: "p", relative: "r", blocks: []block{{1, 3, func(s int) bool { return s%3 == 0 }}}}.bytes()
	base := image{kind: 2, id: 1, size: 1024}.bytes()
	env := parents(func(string) (layer.Source, error) { return bytes.NewReader(base), nil })
	open := func(b []byte) (*vhd.Disk, error) { return vhd.Open(bytes.NewReader(b), env) }
	end := len(child)
	if opened := imagetest.Mutations(t, child, 1000, open, [2]int{0, 85}, [2]int{headerAt, headerAt + 700}, [2]int{tableAt, tableAt + 8}, [2]int{end - 512, end - 427}); opened < 100 {
		t.Errorf("%d were opened", opened)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(dynamic().bytes())
	f.Add(image{kind: 2, id: 1, size: 1024}.bytes())
	f.Add(image{kind: 4, id: 2, size: 8192, block: 4096, parentID: 1, parentName: "p", relative: "r", blocks: []block{{1, 3, all}}}.bytes())
	base := image{kind: 2, id: 1, size: 1024}.bytes()
	env := parents(func(string) (layer.Source, error) { return bytes.NewReader(base), nil })
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*vhd.Disk, error) { return vhd.Open(bytes.NewReader(b), env) })
	})
}
