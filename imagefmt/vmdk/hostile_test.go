package vmdk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/vmdk"
)

// sparse is a disk in one sparse extent of 16 grains of 4 KiB, by hand: descriptor at sector 1, directory at 5, tables of
// eight entries at 6 and 7, the first grain of the first at 8, and the last of the second, which is all 0xbb, at 16.
func sparse() []byte {
	h := hosted(128, 4, 8, 8, 5, 8, 0)
	b := append(h, descriptor(7, 0xffffffff, "", "monolithicSparse", `RW 128 SPARSE "x.vmdk"`)...)
	b = append(b, make([]byte, 24*sector-len(b))...)
	le.PutUint32(b[5*sector:], 6)
	le.PutUint32(b[5*sector+4:], 7)
	le.PutUint32(b[6*sector:], 8)
	le.PutUint32(b[7*sector+28:], 16)
	copy(b[8*sector:], bytes.Repeat([]byte{0xaa}, 4096))
	copy(b[16*sector:], bytes.Repeat([]byte{0xbb}, 4096))
	return b
}

func TestRefused(t *testing.T) {
	text := func(lines ...string) imagetest.Edit {
		return func([]byte) []byte { return descriptor(1, 0xffffffff, "", "custom", lines...) }
	}
	for _, c := range []struct {
		name string
		edit imagetest.Edit
		kind error
		text string
	}{
		{"empty", func([]byte) []byte { return nil }, layer.ErrFormat, "neither"},
		{"magic only", func(b []byte) []byte { return b[:4] }, layer.ErrCorrupt, "0x4 bytes"},
		{"other magic", imagetest.PutLE32(0, 1), layer.ErrFormat, "neither"},
		{"an extent", imagetest.PutLE64(28, 0), vmdk.ErrExtent, "sparse extent"},
		{"COWD", func([]byte) []byte { return cowd(8, 8, nil) }, vmdk.ErrExtent, "COWD"},
		{"seSparse", func([]byte) []byte { return seSparse(8, nil) }, vmdk.ErrExtent, "seSparse"},
		{"version 0", imagetest.PutLE32(4, 0), layer.ErrUnsupported, "version 0"},
		{"version 4", imagetest.PutLE32(4, 4), layer.ErrUnsupported, "version 4"},
		{"sent as text", func(b []byte) []byte { b[75] = '\n'; return b }, layer.ErrCorrupt, "transfer as text"},
		{"descriptor outside", imagetest.PutLE64(28, 25), layer.ErrCorrupt, "descriptor of 0x4 sectors"},
		{"descriptor of 2^64", imagetest.PutLE64(36, 1<<64-1), layer.ErrCorrupt, "descriptor of"},
		{"descriptor wiped", func(b []byte) []byte { clear(b[sector : 2*sector]); return b }, vmdk.ErrExtent, "sparse extent"},
		{"capacity 2^63", imagetest.PutLE64(12, 1<<63), layer.ErrCorrupt, "2^53"},
		{"capacity asks for a directory", imagetest.PutLE64(12, 1<<50), layer.ErrCorrupt, "grain directory of 0x400000000000 bytes"},
		{"grains of 0", imagetest.PutLE64(20, 0), layer.ErrCorrupt, "grains of 0x0"},
		{"grains of 2^62", imagetest.PutLE64(20, 1<<62), layer.ErrCorrupt, "grains of 0x4000000000000000"},
		{"tables of 0", imagetest.PutLE32(44, 0), layer.ErrCorrupt, "tables of 0x0"},
		{"tables of 2^32-1", imagetest.PutLE32(44, 1<<32-1), layer.ErrCorrupt, "tables of 0xffffffff"},
		{"directory outside", imagetest.PutLE64(56, 24), layer.ErrCorrupt, "grain directory"},
		{"directory at 0", imagetest.PutLE64(56, 0), layer.ErrCorrupt, "grain directory"},
		{"directory at 2^63", imagetest.PutLE64(56, 1<<63), layer.ErrCorrupt, "grain directory"},
		{"no footer", imagetest.PutLE64(56, 1<<64-1), nil, "no footer"},
		{"algorithm 2", imagetest.PutLE32(77, 2), layer.ErrUnsupported, "algorithm 2"},
		{"compressed without", imagetest.PutLE32(8, 1<<16), layer.ErrCorrupt, "without an algorithm"},
		{"large compressed grains", imagetest.All(imagetest.PutLE32(77, 1), imagetest.PutLE64(20, 1<<13)), layer.ErrUnsupported, "compressed grains of 0x2000"},
		{"no extents", text(), layer.ErrCorrupt, "0 extents"},
		{"too many extents", text(strings.Repeat("RW 1 ZERO\n", 40000)), layer.ErrCorrupt, "40000 extents"},
		{"too large", text("RW 9007199254740992 ZERO", "RW 1 ZERO"), layer.ErrCorrupt, "2^53"},
		{"strange extent", text(`RW 10 VMFSRDM "x-rdm.vmdk"`), layer.ErrUnsupported, "VMFSRDM"},
		{"no access", text(`NOACCESS 10 FLAT "x" 0`), layer.ErrUnsupported, "NOACCESS"},
		{"not opened", text(`RW 10 FLAT "/etc/passwd" 0`), layer.ErrUnsupported, `extent "/etc/passwd": not opened`},
		{"parent not opened", func([]byte) []byte { return descriptor(1, 2, "p.vmdk", "custom", "RW 1 ZERO") }, layer.ErrUnsupported, `parent "p.vmdk"`},
		{"parent not named", func([]byte) []byte { return descriptor(1, 2, "", "custom", "RW 1 ZERO") }, layer.ErrCorrupt, "parentCID=00000002"},
		{"encrypted", func(b []byte) []byte { return append(text("RW 1 ZERO")(b), "encryptionKeys=\"x\"\n"...) }, layer.ErrUnsupported, "encrypted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vmdk.Open(bytes.NewReader(c.edit(sparse())), format.Env{})
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}

// TestDamageIsLocal breaks one entry at a time: its range is an error, all others still read.
func TestDamageIsLocal(t *testing.T) {
	const whole = 64 << 10
	for _, c := range []struct {
		name   string
		edit   imagetest.Edit
		off, n int
		text   string
	}{
		{"nothing", imagetest.None, 0, 0, ""},
		{"zeroed grain", imagetest.PutLE32(6*sector+4, 1), 0, 0, ""},
		{"zeroed grain without its flag", imagetest.All(imagetest.PutLE32(8, 1), imagetest.PutLE32(6*sector+4, 1)), 4096, 4096, "grain table entry at 0xc04: 1"},
		{"table outside", imagetest.PutLE32(5*sector+4, 0xffffffff), whole / 2, whole / 2, "in a missing part"},
		{"table cut", func(b []byte) []byte { b = imagetest.PutLE32(5*sector+4, 24)(b); return append(b, make([]byte, 16)...) }, whole/2 + 16384, 16384, "in a missing part"},
		{"grain outside", imagetest.PutLE32(6*sector+8, 24), 8192, 4096, "in a missing part"},
		{"grain far outside", imagetest.PutLE32(6*sector+8, 0xffffffff), 8192, 4096, "in a missing part"},
		{"grain reaches past the end", imagetest.PutLE32(6*sector+8, 23), 8192 + 512, 4096 - 512, "in a missing part"},
		{"file cut", func(b []byte) []byte { return b[:20*sector+96] }, whole - 2048 + 96, 2048 - 96, "in a missing part"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warned := 0
			d, err := vmdk.Open(bytes.NewReader(c.edit(sparse())), format.Env{Warn: func(error) { warned++ }})
			if err != nil || d.Size() != whole {
				t.Fatal(err)
			}
			if (warned > 0) != (c.n > 0) {
				t.Errorf("%d warnings", warned)
			}
			p := make([]byte, 1)
			for off := 0; off < whole; off += 32 {
				_, err := d.ReadAt(p, int64(off))
				bad := off >= c.off && off < c.off+c.n
				if bad != (err != nil) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if bad && (!imagetest.Lost(err) || !strings.Contains(err.Error(), c.text)) {
					t.Fatalf("error %v, want %q", err, c.text)
				}
				if !bad && (off < 4096) != (p[0] == 0xaa) || !bad && off >= whole-4096 && p[0] != 0xbb {
					t.Fatalf("byte 0x%x at %d", p[0], off)
				}
			}
		})
	}
}

// TestPackedDamage breaks a compressed grain: every other one reads.
func TestPackedDamage(t *testing.T) {
	want := bytes.Repeat([]byte("grain of text.. "), 3*512)
	good := stream(want) // three grains, at 0x1000
	for _, c := range []struct {
		name string
		edit imagetest.Edit
		text string
	}{
		{"other sector", imagetest.PutLE64(0x1000, 16), "grain marker at 0x1000: of sector 0x10, want 0x0"},
		{"no data", imagetest.PutLE32(0x1008, 0), "0x0 bytes of packed data"},
		{"too much data", imagetest.PutLE32(0x1008, 1<<31), "0x80000000 bytes"},
		{"less data", imagetest.PutLE32(0x1008, 20), "compressed grain at 0x1000"},
		{"junk", imagetest.PutLE32(0x100c, 0x12345678), "no zlib header"},
		{"checksum", func(b []byte) []byte { b[0x100c+le.Uint32(b[0x1008:])-1] ^= 1; return b }, "adler-32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := vmdk.Open(bytes.NewReader(c.edit(bytes.Clone(good))), format.Env{})
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{8192, 100} { // the whole grain, and through the cache
				if _, err := d.ReadAt(make([]byte, n), 0); !errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), c.text) {
					t.Errorf("error %v, want %q", err, c.text)
				}
			}
			p := make([]byte, 2*8192)
			if _, err := d.ReadAt(p, 8192); err != nil || !bytes.Equal(p, want[8192:]) {
				t.Errorf("%v, or other bytes behind it", err)
			}
		})
	}
}

// extents is the Env of a descriptor whose extents a function gives.
func extents(get func(name string) (layer.Source, error), warn func(error)) format.Env {
	return format.Env{Warn: warn, Files: imagetest.Files{Format: vmdk.Format, Get: get}}
}

// TestExtents lays out a disk of all kinds of extents, two of them in one file, one missing, one short, one not to be read.
func TestExtents(t *testing.T) {
	text := descriptor(1, 0xffffffff, "", "custom", `RW 8 FLAT "a" 2`, "RW 4 ZERO", `RDONLY 4 FLAT "a" 0`, `NOACCESS 2 FLAT "a" 0`, `RW 5 FLAT "missing" 0`,
		`RW 136 SPARSE "s"`, `RW 100 SPARSE "s"`, `RW 6 FLAT "a" 6`, `RW 3 SPARSE "a"`, "NOACCESS 1 ZERO")
	a := layertest.Mixed(300_000, 10*sector, 30)
	copy(a, "not KDMV")
	var asked, warned []string
	d, err := vmdk.Open(bytes.NewReader(text), extents(func(name string) (layer.Source, error) {
		asked = append(asked, name)
		switch name {
		case "a":
			return bytes.NewReader(a), nil
		case "s":
			return bytes.NewReader(sparse()), nil
		}
		return nil, fs.ErrNotExist
	}, func(err error) { warned = append(warned, err.Error()) }))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "a missing s" {
		t.Errorf("asked for %s", got)
	}
	for i, want := range []string{"bytes 0x2000 to 0x2400 cannot be read: extent \"a\": NOACCESS", "extent \"missing\"", "capacity of 0x10000 bytes, want 0x11000",
		"capacity of 0x10000 bytes, want 0xc800", "extent \"a\": ends at 0x1400, want 0x1800", "extent \"a\": magic"} {
		if i >= len(warned) || !strings.Contains(warned[i], want) {
			t.Errorf("warned %q, want %q as number %d", warned, want, i)
		}
	}
	s := append(append(bytes.Repeat([]byte{0xaa}, 4096), make([]byte, 56<<10)...), bytes.Repeat([]byte{0xbb}, 4096)...)
	off := int64(0)
	for _, part := range []struct {
		n    int // sectors
		want []byte
		kind error
	}{
		{8, a[2*sector:], nil}, {4, make([]byte, 4*sector), nil}, {4, a, nil}, {2, nil, layer.ErrUnsupported}, {5, nil, layer.ErrUnknown},
		{128, s, nil}, {8, nil, layer.ErrCorrupt}, {100, s, nil}, {4, a[6*sector:], nil}, {2, nil, layer.ErrUnknown}, {3, nil, layer.ErrFormat}, {1, make([]byte, sector), nil},
	} {
		p := make([]byte, part.n*sector)
		switch n, err := d.ReadAt(p, off); {
		case part.kind != nil && (n != 0 || !errors.Is(err, part.kind)):
			t.Errorf("at %d: %d bytes, error %v, want %v", off, n, err, part.kind)
		case part.kind == nil && (err != nil && err != io.EOF || !bytes.Equal(p, part.want[:len(p)])):
			t.Errorf("at %d: %v, or other bytes", off, err)
		}
		off += int64(len(p))
	}
	if d.Size() != off {
		t.Errorf("size %d, want %d", d.Size(), off)
	}
}

// TestManyMissing holds that a descriptor cannot make the reader look for files for ever.
func TestManyMissing(t *testing.T) {
	var lines []string
	for i := range 30000 {
		lines = append(lines, fmt.Sprintf("RW 1 FLAT \"%d\" 0", i))
	}
	asked := 0
	_, err := vmdk.Open(bytes.NewReader(descriptor(1, 0xffffffff, "", "custom", lines...)), extents(func(string) (layer.Source, error) {
		asked++
		return nil, fs.ErrNotExist
	}, nil))
	if !errors.Is(err, fs.ErrNotExist) || asked > 100 {
		t.Errorf("error %v after %d files", err, asked)
	}
}

func TestParent(t *testing.T) {
	child := bytes.NewReader(descriptor(2, 7, "base.vmdk", "custom", "RW 128 ZERO"))
	for _, c := range []struct {
		cid  uint32
		err  error
		kind error
	}{{7, nil, nil}, {8, nil, vmdk.ErrOtherDisk}, {0, fs.ErrNotExist, fs.ErrNotExist}} {
		_, err := vmdk.Open(child, extents(func(string) (layer.Source, error) {
			return bytes.NewReader(descriptor(c.cid, 0xffffffff, "", "custom", "RW 128 ZERO")), c.err
		}, nil))
		if !errors.Is(err, c.kind) || err != nil && !strings.HasPrefix(err.Error(), `parent "base.vmdk": `) {
			t.Errorf("CID %x: error %v, want %v", c.cid, err, c.kind)
		}
	}
}

// TestBadSector holds that a bad sector in a table costs what it describes, and is asked for again.
func TestBadSector(t *testing.T) {
	src := &imagetest.Failing{Source: bytes.NewReader(sparse()), Off: 6 * sector, Len: sector}
	d, err := vmdk.Open(src, format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if _, err := d.ReadAt(p, 0); err == nil || errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), "bad sector") {
		t.Errorf("error %v, want the disk's own", err)
	}
	if _, err := d.ReadAt(p, 60<<10); err != nil && err != io.EOF || p[0] != 0xbb {
		t.Errorf("the other table: %v", err)
	}
	src.Mended.Store(true)
	if _, err := d.ReadAt(p, 0); err != nil || p[0] != 0xaa {
		t.Errorf("after the disk came back: %v", err)
	}
}

// openAny opens b with itself as every other file, and as what a descriptor names, three deep.
func openAny(b []byte) (*vmdk.Disk, error) {
	depth := 0
	return vmdk.Open(bytes.NewReader(b), format.Env{Files: selves{b: b, depth: &depth}})
}

// selves are files that are all the same.
type selves struct {
	imagetest.Files
	b     []byte
	depth *int
}

func (f selves) Open(string, format.Style) (layer.Source, error) { return bytes.NewReader(f.b), nil }

func (f selves) Parent(l format.Lineage) (*format.Disk, error) {
	if *f.depth++; *f.depth > 4 {
		return nil, fs.ErrNotExist
	}
	src := bytes.NewReader(f.b)
	if err := l.Check(src); err != nil {
		return nil, err
	}
	disk, err := vmdk.Format.Open(src, format.Env{Files: f})
	return &disk, err
}

// above opens the disk that a descriptor makes of one extent.
func above(text []byte) func(extent []byte) (*vmdk.Disk, error) {
	return func(extent []byte) (*vmdk.Disk, error) {
		return vmdk.Open(bytes.NewReader(text), extents(func(string) (layer.Source, error) { return bytes.NewReader(extent), nil }, nil))
	}
}

// TestMutations flips bytes of the metadata of small images of every kind.
func TestMutations(t *testing.T) {
	disk := layertest.Mixed(300_000, 200<<10, 31) // 400 sectors
	wrap := func(kind string) func(b []byte) (*vmdk.Disk, error) {
		return above(descriptor(1, 0xffffffff, "", "custom", fmt.Sprintf(`RW 400 %s "x"`, kind)))
	}
	whole := stream(disk)
	for i, im := range []struct {
		b    []byte
		meta [][2]int // ranges that are changed
		open func(b []byte) (*vmdk.Disk, error)
	}{
		{sparse(), [][2]int{{0, 8 * sector}}, openAny},
		{whole, [][2]int{{0, 80}, {4096, 4120}, {len(whole) - 6*sector, len(whole)}}, openAny},
		{cowd(400, 8, grainsOf(disk, 4096, notZero)), [][2]int{{0, 32}, {2048, 3000}}, wrap("VMFSSPARSE")},
		{seSparse(400, grainsOf(disk, 4096, notZero)), [][2]int{{0, 520}, {4096 * sector, 4096*sector + 8}, {4160 * sector, 4160*sector + 400}}, wrap("SESPARSE")},
		{descriptor(1, 2, "p", "x", `RW 2 FLAT "a" 0`, "RW 4 ZERO"), [][2]int{{20, 170}}, openAny},
	} {
		if imagetest.Mutations(t, im.b, 200, im.open, im.meta...) == 0 {
			t.Errorf("image %d: none of 200 was opened", i)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sparse())
	f.Add(stream(bytes.Repeat([]byte("grain"), 4000)[:32*sector]))
	f.Add(cowd(64, 8, grainsOf(layertest.Mixed(300_000, 64*sector, 1), 4096, notZero)))
	f.Add(descriptor(1, 1, "p", "x", `RW 8 FLAT "a" 0`, `RW 4 SPARSE "b"`, "RW 4 ZERO"))
	asExtent := above(descriptor(1, 0xffffffff, "", "x", `RW 128 VMFSSPARSE "b"`))
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*vmdk.Disk, error) { return openAny(b) })
		imagetest.Hostile(t, func() (*vmdk.Disk, error) { return asExtent(b) })
	})
}
