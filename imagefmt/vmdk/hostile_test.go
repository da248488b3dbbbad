package vmdk_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

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

func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { le.PutUint32(b[at:], v); return b }
}

func put64(at int, v uint64) func([]byte) []byte {
	return func(b []byte) []byte { le.PutUint64(b[at:], v); return b }
}

func both(edits ...func([]byte) []byte) func([]byte) []byte {
	return func(b []byte) []byte {
		for _, edit := range edits {
			b = edit(b)
		}
		return b
	}
}

func TestRefused(t *testing.T) {
	text := func(lines ...string) func([]byte) []byte {
		return func([]byte) []byte { return descriptor(1, 0xffffffff, "", "custom", lines...) }
	}
	for _, c := range []struct {
		name string
		edit func([]byte) []byte
		kind error
		text string
	}{
		{"empty", func([]byte) []byte { return nil }, layer.ErrFormat, "neither"},
		{"magic only", func(b []byte) []byte { return b[:4] }, layer.ErrCorrupt, "0x4 bytes"},
		{"other magic", put32(0, 1), layer.ErrFormat, "neither"},
		{"an extent", put64(28, 0), vmdk.ErrExtent, "sparse extent"},
		{"COWD", func([]byte) []byte { return cowd(8, 8, nil) }, vmdk.ErrExtent, "COWD"},
		{"seSparse", func([]byte) []byte { return seSparse(8, nil) }, vmdk.ErrExtent, "seSparse"},
		{"version 0", put32(4, 0), layer.ErrUnsupported, "version 0"},
		{"version 4", put32(4, 4), layer.ErrUnsupported, "version 4"},
		{"sent as text", func(b []byte) []byte { b[75] = '\n'; return b }, layer.ErrCorrupt, "transfer as text"},
		{"descriptor outside", put64(28, 25), layer.ErrCorrupt, "descriptor of 0x4 sectors"},
		{"descriptor of 2^64", put64(36, 1<<64-1), layer.ErrCorrupt, "descriptor of"},
		{"descriptor wiped", func(b []byte) []byte { clear(b[sector : 2*sector]); return b }, layer.ErrCorrupt, "descriptor at 0x200"},
		{"capacity 2^63", put64(12, 1<<63), layer.ErrCorrupt, "2^53"},
		{"capacity asks for a directory", put64(12, 1<<50), layer.ErrCorrupt, "grain directory of 0x400000000000 bytes"},
		{"grains of 0", put64(20, 0), layer.ErrCorrupt, "grains of 0x0"},
		{"grains of 2^62", put64(20, 1<<62), layer.ErrCorrupt, "grains of 0x4000000000000000"},
		{"tables of 0", put32(44, 0), layer.ErrCorrupt, "tables of 0x0"},
		{"tables of 2^32-1", put32(44, 1<<32-1), layer.ErrCorrupt, "tables of 0xffffffff"},
		{"directory outside", put64(56, 24), layer.ErrCorrupt, "grain directory"},
		{"directory at 0", put64(56, 0), layer.ErrCorrupt, "grain directory"},
		{"directory at 2^63", put64(56, 1<<63), layer.ErrCorrupt, "grain directory"},
		{"no footer", put64(56, 1<<64-1), nil, "no footer"},
		{"algorithm 2", put32(77, 2), layer.ErrUnsupported, "algorithm 2"},
		{"compressed without", put32(8, 1<<16), layer.ErrCorrupt, "without an algorithm"},
		{"large compressed grains", both(put32(77, 1), put64(20, 1<<13)), layer.ErrUnsupported, "compressed grains of 0x2000"},
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
			_, err := vmdk.Open(newMemory(c.edit(sparse())), vmdk.Options{})
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
		edit   func([]byte) []byte
		off, n int
		text   string
	}{
		{"nothing", func(b []byte) []byte { return b }, 0, 0, ""},
		{"zeroed grain", put32(6*sector+4, 1), 0, 0, ""},
		{"zeroed grain without its flag", both(put32(8, 1), put32(6*sector+4, 1)), 4096, 4096, "grain table entry at 0xc04: 1"},
		{"table outside", put32(5*sector+4, 0xffffffff), whole / 2, whole / 2, "grain table at 0x1fffffffe"},
		{"table cut", func(b []byte) []byte { b = put32(5*sector+4, 24)(b); return append(b, make([]byte, 16)...) }, whole/2 + 16384, 16384, "grain table at 0x301"},
		{"grain outside", put32(6*sector+8, 24), 8192, 4096, "grain table entry at 0xc08: sector 0x18"},
		{"grain far outside", put32(6*sector+8, 0xffffffff), 8192, 4096, "sector 0xffffffff"},
		{"grain reaches past the end", put32(6*sector+8, 23), 8192 + 512, 4096 - 512, "past the end"},
		{"file cut", func(b []byte) []byte { return b[:20*sector+96] }, whole - 2048 + 96, 2048 - 96, "past the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			warned := 0
			d, err := vmdk.Open(newMemory(c.edit(sparse())), vmdk.Options{Warn: func(error) { warned++ }})
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
				if bad && (!errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), c.text)) {
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
		edit func([]byte) []byte
		text string
	}{
		{"other sector", put64(0x1000, 16), "grain marker at 0x1000: of sector 0x10, want 0x0"},
		{"no data", put32(0x1008, 0), "0x0 bytes of packed data"},
		{"too much data", put32(0x1008, 1<<31), "0x80000000 bytes"},
		{"less data", put32(0x1008, 20), "compressed grain at 0x1000"},
		{"junk", put32(0x100c, 0x12345678), "no zlib header"},
		{"checksum", func(b []byte) []byte { b[0x100c+le.Uint32(b[0x1008:])-1] ^= 1; return b }, "adler-32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := vmdk.Open(newMemory(c.edit(bytes.Clone(good))), vmdk.Options{})
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

// TestExtents lays out a disk of all kinds of extents, two of them in one file, one missing, one short, one not to be read.
func TestExtents(t *testing.T) {
	text := descriptor(1, 0xffffffff, "", "custom", `RW 8 FLAT "a" 2`, "RW 4 ZERO", `RDONLY 4 FLAT "a" 0`, `NOACCESS 2 FLAT "a" 0`, `RW 5 FLAT "missing" 0`,
		`RW 136 SPARSE "s"`, `RW 100 SPARSE "s"`, `RW 6 FLAT "a" 6`, `RW 3 SPARSE "a"`, "NOACCESS 1 ZERO")
	a := layertest.Mixed(300_000, 10*sector, 30)
	copy(a, "not KDMV")
	var asked, warned []string
	d, err := vmdk.Open(newMemory(text), vmdk.Options{Warn: func(err error) { warned = append(warned, err.Error()) }, OpenExtent: func(name string) (layer.Source, error) {
		asked = append(asked, name)
		switch name {
		case "a":
			return newMemory(a), nil
		case "s":
			return newMemory(sparse()), nil
		}
		return nil, fs.ErrNotExist
	}})
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
		{8, a[2*sector:], nil}, {4, make([]byte, 4*sector), nil}, {4, a, nil}, {2, nil, layer.ErrUnsupported}, {5, nil, fs.ErrNotExist},
		{128, s, nil}, {8, nil, layer.ErrCorrupt}, {100, s, nil}, {4, a[6*sector:], nil}, {2, nil, layer.ErrCorrupt}, {3, nil, layer.ErrFormat}, {1, make([]byte, sector), nil},
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
	_, err := vmdk.Open(newMemory(descriptor(1, 0xffffffff, "", "custom", lines...)), vmdk.Options{OpenExtent: func(string) (layer.Source, error) {
		asked++
		return nil, fs.ErrNotExist
	}})
	if !errors.Is(err, fs.ErrNotExist) || asked > 100 {
		t.Errorf("error %v after %d files", err, asked)
	}
}

func TestParent(t *testing.T) {
	child := newMemory(descriptor(2, 7, "base.vmdk", "custom", "RW 128 ZERO"))
	for _, c := range []struct {
		cid  uint32
		err  error
		kind error
	}{{7, nil, nil}, {8, nil, vmdk.ErrOtherDisk}, {0, fs.ErrNotExist, fs.ErrNotExist}} {
		_, err := vmdk.Open(child, vmdk.Options{OpenParent: func(string) (*vmdk.Disk, error) {
			if c.err != nil {
				return nil, c.err
			}
			return vmdk.Open(newMemory(descriptor(c.cid, 0xffffffff, "", "custom", "RW 128 ZERO")), vmdk.Options{})
		}})
		if !errors.Is(err, c.kind) || err != nil && !strings.HasPrefix(err.Error(), `parent "base.vmdk": `) {
			t.Errorf("CID %x: error %v, want %v", c.cid, err, c.kind)
		}
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

// TestBadSector holds that a bad sector in a table costs what it describes, and is asked for again.
func TestBadSector(t *testing.T) {
	mended := false
	d, err := vmdk.Open(failing{newMemory(sparse()), 6 * sector, sector, &mended}, vmdk.Options{})
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
	mended = true
	if _, err := d.ReadAt(p, 0); err != nil || p[0] != 0xaa {
		t.Errorf("after the disk came back: %v", err)
	}
}

// walk reads here and there and walks all extents, within bounds of time.
func walk(t *testing.T, d *vmdk.Disk) {
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
		if at += e.Len; time.Since(begin) > time.Second {
			break
		}
	}
	if s := time.Since(begin); s > 5*time.Second {
		t.Errorf("took %v", s)
	}
}

// openAny opens b with itself as every other file, and as what a descriptor names.
func openAny(b []byte, depth int) (*vmdk.Disk, error) {
	return vmdk.Open(newMemory(b), vmdk.Options{
		OpenExtent: func(string) (layer.Source, error) { return newMemory(b), nil },
		OpenParent: func(string) (*vmdk.Disk, error) {
			if depth > 3 {
				return nil, fs.ErrNotExist
			}
			return openAny(b, depth+1)
		},
	})
}

// TestMutations flips bytes of the metadata of small images of every kind.
func TestMutations(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	disk := layertest.Mixed(300_000, 200<<10, 31) // 400 sectors
	wrap := func(kind string, extent []byte) func(b []byte) (*vmdk.Disk, error) {
		text := descriptor(1, 0xffffffff, "", "custom", fmt.Sprintf(`RW 400 %s "x"`, kind))
		return func(b []byte) (*vmdk.Disk, error) {
			return vmdk.Open(newMemory(text), vmdk.Options{OpenExtent: func(string) (layer.Source, error) { return newMemory(b), nil }})
		}
	}
	alone := func(b []byte) (*vmdk.Disk, error) { return openAny(b, 0) }
	images := []struct {
		b    []byte
		meta [][2]int // ranges that are changed
		open func(b []byte) (*vmdk.Disk, error)
	}{
		{sparse(), [][2]int{{0, 8 * sector}}, alone},
		{stream(disk), [][2]int{{0, 80}, {4096, 4120}, {len(stream(disk)) - 6*sector, len(stream(disk))}}, alone},
		{cowd(400, 8, grainsOf(disk, 4096, notZero)), [][2]int{{0, 32}, {2048, 3000}}, nil},
		{seSparse(400, grainsOf(disk, 4096, notZero)), [][2]int{{0, 520}, {4096 * sector, 4096*sector + 8}, {4160 * sector, 4160*sector + 400}}, nil},
		{descriptor(1, 2, "p", "x", `RW 2 FLAT "a" 0`, "RW 4 ZERO"), [][2]int{{20, 170}}, alone},
	}
	images[2].open, images[3].open = wrap("VMFSSPARSE", images[2].b), wrap("SESPARSE", images[3].b)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	opened := 0
	for i, im := range images {
		for range 200 {
			b := bytes.Clone(im.b) // what is prepared ahead reads it after the walk
			for range 1 + r.IntN(3) {
				area := im.meta[r.IntN(len(im.meta))]
				b[area[0]+r.IntN(area[1]-area[0])] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(r.Uint32())}[r.IntN(6)]
			}
			if d, err := im.open(b); err == nil {
				opened++
				walk(t, d)
			}
		}
		if opened == 0 {
			t.Errorf("image %d: none of 200 was opened", i)
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / uint64(200*len(images)); n > 4*mib {
		t.Errorf("%d bytes allocated for each image", n)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(sparse())
	f.Add(stream(bytes.Repeat([]byte("grain"), 4000)[:32*sector]))
	f.Add(cowd(64, 8, grainsOf(layertest.Mixed(300_000, 64*sector, 1), 4096, notZero)))
	f.Add(descriptor(1, 1, "p", "x", `RW 8 FLAT "a" 0`, `RW 4 SPARSE "b"`, "RW 4 ZERO"))
	text := descriptor(1, 0xffffffff, "", "x", `RW 128 VMFSSPARSE "b"`)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := openAny(b, 0); err == nil {
			walk(t, d)
		}
		d, err := vmdk.Open(newMemory(text), vmdk.Options{OpenExtent: func(string) (layer.Source, error) { return newMemory(b), nil }})
		if err == nil {
			walk(t, d)
		}
	})
}
