package vdi_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vdi"
)

func small() []byte {
	return image{kind: 1, block: 4096, extra: 512, size: 5*4096 - 512, id: 1, blocks: []block("fabzc")}.bytes()
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		edit imagetest.Edit
		kind error
		text string
	}{
		{"empty", func([]byte) []byte { return nil }, layer.ErrFormat, "signature"},
		{"other signature", imagetest.PutLE32(0x40, 0x7f10dabe), layer.ErrFormat, "signature 0x7f10dabe"},
		{"version 0.1", imagetest.PutLE32(0x44, 1), layer.ErrUnsupported, "version 0.1"},
		{"version 1.0", imagetest.PutLE32(0x44, 0x10000), layer.ErrUnsupported, "version 1.0"},
		{"version 2.0", imagetest.PutLE32(0x44, 0x20000), layer.ErrUnsupported, "version 2.0"},
		{"header cut", func(b []byte) []byte { return b[:511] }, layer.ErrCorrupt, "0x1ff bytes"},
		{"undo", imagetest.PutLE32(0x4c, 3), layer.ErrUnsupported, "undo"},
		{"type 0", imagetest.PutLE32(0x4c, 0), layer.ErrUnsupported, "image type 0"},
		{"type 5", imagetest.PutLE32(0x4c, 5), layer.ErrUnsupported, "image type 5"},
		{"negative size", imagetest.PutLE64(0x170, 1<<63), layer.ErrCorrupt, "disk of 0x8000000000000000"},
		{"size asks for more", imagetest.PutLE64(0x170, 1<<62), layer.ErrCorrupt, "want 0x4000000000000 for"},
		{"blocks of 0", imagetest.PutLE32(0x178, 0), layer.ErrCorrupt, "blocks of 0x0"},
		{"blocks of 2^32-1", imagetest.PutLE32(0x178, 1<<32-1), layer.ErrCorrupt, "blocks of 0xffffffff"},
		{"extra of 2^32-1", imagetest.PutLE32(0x17c, 1<<32-1), layer.ErrCorrupt, "0xffffffff extra"},
		{"fewer blocks", imagetest.PutLE32(0x180, 4), layer.ErrCorrupt, "0x4 blocks, want 0x5"},
		{"map outside", imagetest.PutLE32(0x154, 0xffffffff), layer.ErrCorrupt, "block map"},
		{"terabytes", func(b []byte) []byte { return imagetest.PutLE32(0x180, 1<<32-1)(imagetest.PutLE64(0x170, 1<<43)(b)) }, layer.ErrCorrupt, "block map of 0x200000000 bytes"},
		{"map cut", func(b []byte) []byte { return b[:512+19] }, layer.ErrCorrupt, "block map of 0x14 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vdi.Open(bytes.NewReader(c.edit(small())), format.Env{})
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
		edit   imagetest.Edit
		off, n int
		text   string
	}{
		{"nothing", imagetest.None, 0, 0, ""},
		{"block outside", imagetest.PutLE32(512+4, 5), 4096, 4096, "block map entry at 0x204: block 0x5"},
		{"block not written", imagetest.PutLE32(512+8, 3), 8192, 4096, "in a missing part"},
		{"block far outside", imagetest.PutLE32(512+12, 0xfffffffd), 12288, 4096, "block 0xfffffffd"},
		{"file cut", func(b []byte) []byte { return b[:len(b)-96] }, 8192 - 96, 96, "in a missing part"}, // 'a' is the last of the file
		{"data outside", imagetest.PutLE32(0x158, 1<<31), 0, 0, "in a missing part"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warned := 0
			d, err := vdi.Open(bytes.NewReader(c.edit(small())), format.Env{Warn: func(error) { warned++ }})
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
				if bad != (err != nil) || bad && (!imagetest.Lost(err) || !strings.Contains(err.Error(), c.text)) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if !bad && p[0] != want[off] {
					t.Fatalf("byte 0x%x at %d", p[0], off)
				}
			}
		})
	}
}

// TestBadSector holds that a bad place in the block map costs what it describes, and is asked for again.
func TestBadSector(t *testing.T) {
	src := &imagetest.Failing{Source: bytes.NewReader(small()), Off: 512 + 4, Len: 4}
	d, err := vdi.Open(src, format.Env{})
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
	src.Mended.Store(true)
	if _, err := d.ReadAt(p, 4096); err != nil || p[0] != 'a' {
		t.Errorf("after the disk came back: %v", err)
	}
}

// openSelf opens b with itself as its parents, three deep.
func openSelf(b []byte) (*vdi.Disk, error) {
	depth := 0
	return vdi.Open(bytes.NewReader(b), format.Env{Files: imagetest.Files{Format: vdi.Format, Beside: []string{"self.vdi"}, Get: func(string) (layer.Source, error) {
		if depth++; depth > 3*4 { // each is looked for by two conditions, and opened
			return nil, fs.ErrNotExist
		}
		return bytes.NewReader(b), nil
	}}})
}

// TestMutations flips bytes of the header and the map.
func TestMutations(t *testing.T) {
	if opened := imagetest.Mutations(t, small(), 3000, openSelf, [2]int{0x44, 512 + 20}); opened < 1000 {
		t.Errorf("%d were opened", opened)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(small())
	f.Add(image{kind: 4, block: 4096, size: 8192, id: 1, parent: 1, blocks: []block("fa")}.bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*vdi.Disk, error) { return openSelf(b) })
	})
}
