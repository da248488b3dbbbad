package vdi_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vdi"
	"snapmount/imagefmt/wintype"
)

func small() []byte {
	return image{kind: 1, block: 4096, extra: 512, size: 5*4096 - 512, id: 1, blocks: []block("fabzc")}.bytes()
}

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

func put64(at int, v uint64) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func([]byte) []byte
		kind error
		text string
	}{
		{"empty", func([]byte) []byte { return nil }, layer.ErrFormat, "signature"},
		{"other signature", put32(0x40, 0x7f10dabe), layer.ErrFormat, "signature 0x7f10dabe"},
		{"version 0.1", put32(0x44, 1), layer.ErrUnsupported, "version 0.1"},
		{"version 1.0", put32(0x44, 0x10000), layer.ErrUnsupported, "version 1.0"},
		{"version 2.0", put32(0x44, 0x20000), layer.ErrUnsupported, "version 2.0"},
		{"header cut", func(b []byte) []byte { return b[:511] }, layer.ErrCorrupt, "0x1ff bytes"},
		{"undo", put32(0x4c, 3), layer.ErrUnsupported, "undo"},
		{"type 0", put32(0x4c, 0), layer.ErrUnsupported, "image type 0"},
		{"type 5", put32(0x4c, 5), layer.ErrUnsupported, "image type 5"},
		{"negative size", put64(0x170, 1<<63), layer.ErrCorrupt, "disk of 0x8000000000000000"},
		{"size asks for more", put64(0x170, 1<<62), layer.ErrCorrupt, "want 0x4000000000000 for"},
		{"blocks of 0", put32(0x178, 0), layer.ErrCorrupt, "blocks of 0x0"},
		{"blocks of 2^32-1", put32(0x178, 1<<32-1), layer.ErrCorrupt, "blocks of 0xffffffff"},
		{"extra of 2^32-1", put32(0x17c, 1<<32-1), layer.ErrCorrupt, "0xffffffff extra"},
		{"fewer blocks", put32(0x180, 4), layer.ErrCorrupt, "0x4 blocks, want 0x5"},
		{"map outside", put32(0x154, 0xffffffff), layer.ErrCorrupt, "block map"},
		{"terabytes", func(b []byte) []byte { return put32(0x180, 1<<32-1)(put64(0x170, 1<<43)(b)) }, layer.ErrCorrupt, "block map of 0x200000000 bytes"},
		{"map cut", func(b []byte) []byte { return b[:512+19] }, layer.ErrCorrupt, "block map of 0x14 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vdi.Open(newMemory(c.edit(small())), vdi.Options{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}

func TestDamageIsLocal(t *testing.T) {
	want := image{block: 4096, size: 5*4096 - 512, blocks: []block("fabzc")}.disk(nil)
	for _, c := range []struct {
		name   string
		edit   func([]byte) []byte
		off, n int
		text   string
	}{
		{"nothing", func(b []byte) []byte { return b }, 0, 0, ""},
		{"block outside", put32(512+4, 5), 4096, 4096, "block map entry at 0x204: block 0x5"},
		{"block not written", put32(512+8, 3), 8192, 4096, "block map entry at 0x208: block 0x3"},
		{"block far outside", put32(512+12, 0xfffffffd), 12288, 4096, "block 0xfffffffd"},
		{"file cut", func(b []byte) []byte { return b[:len(b)-96] }, 8192 - 96, 96, "past the end"}, // 'a' is the last of the file
		{"data outside", put32(0x158, 1<<31), 0, 0, "in the file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warned := 0
			d, err := vdi.Open(newMemory(c.edit(small())), vdi.Options{Warn: func(error) { warned++ }})
			if err != nil {
				t.Fatal(err)
			}
			if (warned > 0) != (c.text != "") {
				t.Errorf("%d warnings", warned)
			}
			for off := 0; off < len(want); off += 32 {
				p := []byte{0x77}
				_, err := d.ReadAt(p, int64(off))
				bad := off >= c.off && off < c.off+c.n
				if c.name == "data outside" {
					bad = want[off] != 0
				}
				if bad != (err != nil) || bad && (!errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), c.text)) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if !bad && p[0] != want[off] {
					t.Fatalf("byte 0x%x at %d", p[0], off)
				}
			}
		})
	}
}

// failing fails its reads of one range until it is mended.
type failing struct {
	layer.Source
	off, n int64
	mended *bool
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off < f.off+f.n && f.off < off+int64(len(p)) && !*f.mended {
		return 0, errors.New("bad sector")
	}
	return f.Source.ReadAt(p, off)
}

// TestBadSector holds that a bad place in the block map costs what it describes, and is asked for again.
func TestBadSector(t *testing.T) {
	mended := false
	d, err := vdi.Open(failing{newMemory(small()), 512 + 4, 4, &mended}, vdi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if _, err := d.ReadAt(p, 4096); err == nil || errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), "bad sector") {
		t.Errorf("error %v, want the disk's own", err)
	}
	if _, err := d.ReadAt(p, 8192); err != nil || p[0] != 'b' {
		t.Errorf("the next block: %v", err)
	}
	mended = true
	if _, err := d.ReadAt(p, 4096); err != nil || p[0] != 'a' {
		t.Errorf("after the disk came back: %v", err)
	}
}

// walk reads here and there and walks all extents, within bounds of time.
func walk(t *testing.T, d *vdi.Disk) {
	t.Helper()
	begin := time.Now()
	p := make([]byte, 9000)
	for _, off := range []int64{0, 1, 4096, d.Size() / 2, d.Size() - 100} {
		if n, err := d.ReadAt(p, off); n < len(p) && err == nil || err == nil && off+int64(n) > d.Size() {
			t.Errorf("ReadAt(%d) = %d, %v of a disk of %d bytes", off, n, err, d.Size())
		}
	}
	at := int64(0)
	for e := range layer.Extents(d, 0, d.Size()) {
		if e.Off != at || e.Len <= 0 {
			t.Fatalf("extent %+v, want one at %d", e, at)
		}
		at += e.Len
	}
	if s := time.Since(begin); s > 5*time.Second || at != d.Size() {
		t.Errorf("took %v, extents to %d of %d", s, at, d.Size())
	}
}

// openSelf opens b with itself as its parents.
func openSelf(b []byte, depth int) (*vdi.Disk, error) {
	return vdi.Open(newMemory(b), vdi.Options{OpenParent: func(_, _ wintype.GUID) (*vdi.Disk, error) {
		if depth > 3 {
			return nil, fs.ErrNotExist
		}
		return openSelf(b, depth+1)
	}})
}

// TestMutations flips bytes of the header and the map.
func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	good, opened := small(), 0
	for range 3000 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(3) {
			b[0x44+r.IntN(512+20-0x44)] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(r.Uint32())}[r.IntN(6)]
		}
		if d, err := openSelf(b, 0); err == nil {
			opened++
			walk(t, d)
		}
	}
	if opened < 1000 {
		t.Errorf("%d were opened", opened)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(small())
	f.Add(image{kind: 4, block: 4096, size: 8192, id: 1, parent: 1, blocks: []block("fa")}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := openSelf(b, 0); err == nil {
			walk(t, d)
		}
	})
}
