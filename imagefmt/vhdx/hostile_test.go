package vhdx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vhdx"
)

// small is a disk of three blocks, the middle one absent and the last partial.
func small() image {
	data := func(fill byte) []byte { return bytes.Repeat([]byte{fill}, mib) }
	return image{id: 1, size: 2*mib + 4096, block: mib, sector: 512, blocks: map[int64]block{0: {state: 6, data: data(0xc0)}, 2: {state: 6, data: data(0xc2)}}}
}

// edit returns small with a change in one of its structures, whose checksums are made right again.
func edit(at int64, change imagetest.Edit) *file {
	f := small().file()
	change(f.pieces[at])
	for _, at := range []int64{64 << 10, 128 << 10, regionsAt, regionsAt + 64<<10} {
		seal(f.pieces[at])
	}
	return f
}

var le = binary.LittleEndian

func flip(at int) imagetest.Edit { return func(b []byte) []byte { b[at] ^= 1; return b } }

func TestRefused(t *testing.T) {
	item := func(i int) int64 { return itemsAt + 4096*int64(i) }
	cut := func(n int64) *file { f := small().file(); f.size = n; return f }
	for _, c := range []struct {
		name string
		f    *file
		kind error
		text string
	}{
		{"empty", cut(0), layer.ErrFormat, "0 bytes"},
		{"magic", edit(0, flip(3)), layer.ErrFormat, "magic"},
		{"cut in the headers", cut(64<<10 + 4095), layer.ErrCorrupt, "header at 0x10000"},
		{"cut in the region table", cut(regionsAt + 1), layer.ErrCorrupt, "region table at 0x30000"},
		{"cut in the metadata", cut(metadataAt + 1), layer.ErrCorrupt, "metadata table at 0x200000"},
		{"cut in the items", cut(itemsAt + 1), layer.ErrCorrupt, "file parameters at 0x210000"},
		{"version", edit(128<<10, imagetest.PutLE16(66, 2)), layer.ErrUnsupported, "version 2"},
		{"headers of one number", edit(64<<10, imagetest.All(imagetest.PutLE64(8, 8), flip(40))), layer.ErrCorrupt, "sequence number 8"},
		{"too many regions", edit(regionsAt, imagetest.PutLE32(8, 2048)), layer.ErrCorrupt, "2048 entries"},
		{"2^32 regions", edit(regionsAt, imagetest.PutLE32(8, math.MaxUint32)), layer.ErrCorrupt, "4294967295 entries"},
		{"no table", edit(regionsAt, imagetest.All(imagetest.PutLE32(44, 0), flip(16))), layer.ErrCorrupt, "no block allocation table"},
		{"unknown region", edit(regionsAt, flip(16)), layer.ErrUnsupported, "region 2dc27767-f623"},
		{"region twice", edit(regionsAt, func(b []byte) []byte { copy(b[48:80], b[16:48]); return b }), layer.ErrCorrupt, "twice"},
		{"region at 0", edit(regionsAt, imagetest.PutLE64(32, 0)), layer.ErrCorrupt, "at 0x0"},
		{"region at -1 MiB", edit(regionsAt, imagetest.PutLE64(32, 0xfffffffffff00000)), layer.ErrCorrupt, "0xfffffffffff00000"},
		{"region odd", edit(regionsAt, imagetest.PutLE64(32, batAt+512)), layer.ErrCorrupt, "0x300200"},
		{"region of 0", edit(regionsAt, imagetest.PutLE32(40, 0)), layer.ErrCorrupt, "region"},
		{"metadata outside", edit(regionsAt, imagetest.PutLE64(64, 1<<40)), layer.ErrCorrupt, "metadata table at 0x10000000000"},
		{"metadata signature", edit(metadataAt, flip(0)), layer.ErrCorrupt, "signature"},
		{"too many items", edit(metadataAt, imagetest.PutLE16(10, 2048)), layer.ErrCorrupt, "2048 items"},
		{"unknown item", edit(metadataAt, flip(32+4*32)), layer.ErrUnsupported, "metadata item cda348c6"},
		{"required item of a user", edit(metadataAt, imagetest.PutLE32(32+24, 7)), layer.ErrUnsupported, "metadata item caa16737"},
		{"item twice", edit(metadataAt, func(b []byte) []byte { copy(b[64:96], b[32:64]); return b }), layer.ErrCorrupt, "twice"},
		{"no parameters", edit(metadataAt, imagetest.All(flip(32), imagetest.PutLE32(32+24, 0))), layer.ErrCorrupt, "no file parameters"},
		{"no size", edit(metadataAt, imagetest.All(flip(64), imagetest.PutLE32(64+24, 0))), layer.ErrCorrupt, "no virtual disk size"},
		{"no sector size", edit(metadataAt, imagetest.All(flip(128), imagetest.PutLE32(128+24, 0))), layer.ErrCorrupt, "no logical sector size"},
		{"item in the table", edit(metadataAt, imagetest.PutLE32(32+16, 512)), layer.ErrCorrupt, "file parameters of 8 bytes at 0x200"},
		{"item outside", edit(metadataAt, imagetest.PutLE32(32+16, math.MaxUint32)), layer.ErrCorrupt, "0xffffffff"},
		{"item of 4 GiB", edit(metadataAt, imagetest.PutLE32(32+20, math.MaxUint32)), layer.ErrCorrupt, "4294967295 bytes"},
		{"item too short", edit(metadataAt, imagetest.PutLE32(32+20, 7)), layer.ErrCorrupt, "7 bytes"},
		{"blocks of 0", edit(item(0), imagetest.PutLE32(0, 0)), layer.ErrCorrupt, "blocks of 0x0"},
		{"blocks of 512 KiB", edit(item(0), imagetest.PutLE32(0, 512<<10)), layer.ErrCorrupt, "blocks of 0x80000"},
		{"blocks of 512 MiB", edit(item(0), imagetest.PutLE32(0, 512<<20)), layer.ErrCorrupt, "blocks of 0x20000000"},
		{"blocks of 3 MiB", edit(item(0), imagetest.PutLE32(0, 3<<20)), layer.ErrCorrupt, "power of two"},
		{"parent without locator", edit(item(0), imagetest.PutLE32(4, 2)), layer.ErrCorrupt, "no parent locator"},
		{"64 TiB and one", edit(item(1), imagetest.PutLE64(0, 64<<40+1)), layer.ErrCorrupt, "64 TiB"},
		{"2^64", edit(item(1), imagetest.PutLE64(0, math.MaxUint64)), layer.ErrCorrupt, "64 TiB"},
		{"sectors of 520", edit(item(3), imagetest.PutLE32(0, 520)), layer.ErrCorrupt, "520"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vhdx.Open(c.f, format.Env{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
}

// TestCopies holds which of two headers and of two region tables is used.
func TestCopies(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(f *file)
		id   byte
		text string // of the warning, "" for none
	}{
		{"second is newer", func(f *file) { f.pieces[64<<10][32] = 9; seal(f.pieces[64<<10]) }, 1, ""},
		{"first is newer", func(f *file) { f.pieces[64<<10] = image{id: 3}.header(9, 0) }, 3, ""},
		{"both the same", func(f *file) { f.pieces[64<<10] = f.pieces[128<<10] }, 1, ""},
		{"first torn", func(f *file) { f.pieces[64<<10] = image{id: 3}.header(9, 0); f.pieces[64<<10][4000]++ }, 1, "header at 0x10000: checksum"},
		{"second torn", func(f *file) { f.pieces[64<<10] = image{id: 3}.header(7, 0); f.pieces[128<<10][8]++ }, 3, "header at 0x20000: checksum"},
		{"second empty", func(f *file) { clear(f.pieces[128<<10]) }, 1, "header at 0x20000: signature"},
		{"first table torn", func(f *file) { f.pieces[regionsAt][40000]++ }, 1, "region table at 0x30000: checksum"},
		{"second table torn", func(f *file) { f.pieces[regionsAt+64<<10][40000]++ }, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := small().file()
			c.edit(f)
			d, warned := opened(t, f)
			if d.ID() != guid(c.id) || !strings.Contains(warned, c.text) || (warned == "") != (c.text == "") {
				t.Errorf("id %v, warned %q", d.ID(), warned)
			}
		})
	}
}

func TestDamageIsLocal(t *testing.T) {
	end := small().file().size
	row := func(i int, v uint64) *file { return edit(batAt+8*int64(i), imagetest.PutLE64(0, v)) }
	cut := func(n int64) *file { f := small().file(); f.size = n; return f }
	for _, c := range []struct {
		name   string
		f      *file
		off, n int64
		warned string
	}{
		{"nothing", small().file(), 0, 0, ""},
		{"block outside", row(0, uint64(end)|6), 0, mib, "cut short"},
		{"block far outside", row(0, 0xfffffffffff00006), 0, mib, ""},
		{"block at 0", row(0, 6), 0, mib, ""},
		{"block in the log", row(0, ringAt|6), 0, mib, ""},
		{"block in the metadata", row(0, metadataAt|6), 0, mib, ""},
		{"block in the table", row(0, batAt|6), 0, mib, ""},
		{"reserved bits", row(0, uint64(end-mib)|6|8), 0, mib, ""},
		{"reserved bits without data", row(0, 2|1<<19), 0, mib, ""},
		{"state 4", row(0, uint64(end-mib)|4), 0, mib, ""},
		{"state 5", row(0, uint64(end-mib)|5), 0, mib, ""},
		{"partial without a parent", row(0, uint64(end-mib)|7), 0, mib, ""},
		{"file cut", cut(end - mib + 512), 2*mib + 512, 3584, "cut short"},
		{"file cut behind the disk's end", cut(end - mib + 4096), 0, 0, ""},
		{"table cut", cut(batAt + 9), 0, 2*mib + 4096, "block allocation table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, warned := opened(t, c.f)
			if !strings.Contains(warned, c.warned) || (warned == "") != (c.warned == "") {
				t.Errorf("warned %q, want %q", warned, c.warned)
			}
			for off := int64(0); off < d.Size(); off += 512 {
				p := []byte{0x77}
				_, err := d.ReadAt(p, off)
				bad := off >= c.off && off < c.off+c.n
				if bad != (err != nil) || bad && !imagetest.Lost(err) {
					t.Fatalf("reading at %d: error %v, want one: %v", off, err, bad)
				}
				if want := []byte{0xc0, 0, 0xc2}[off/mib]; !bad && p[0] != want {
					t.Fatalf("byte 0x%x at %d, want 0x%x", p[0], off, want)
				}
			}
		})
	}
}

// TestShortTable opens disks whose table is too small for them.
func TestShortTable(t *testing.T) {
	f := edit(itemsAt+4096, imagetest.PutLE64(0, 64<<40)) // with blocks of 1 MiB, and a table of as many
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, warned := opened(t, f)
	runtime.ReadMemStats(&after)
	if !strings.Contains(warned, "block allocation table: 0x100000 bytes are there, want 0x2001fff8") {
		t.Errorf("warned %q", warned)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 8*mib {
		t.Errorf("open took %d bytes", n)
	}
	begin := time.Now()
	var bad int64
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == layer.Unknown && e.Why == layer.Missing {
			bad += e.Len
		} else if e.Off > 131072<<20 {
			t.Fatalf("extent %+v behind the table", e)
		}
	}
	if want := int64(64<<40 - (131072-31)<<20); bad != want { // 31 entries are of sector bitmaps
		t.Errorf("0x%x bytes are missing, want 0x%x", bad, want)
	}
	if s := time.Since(begin); s > 30*time.Second {
		t.Errorf("took %v", s)
	}
}

// TestBitmapDamage damages what a partially present block needs.
func TestBitmapDamage(t *testing.T) {
	const bitmapEntry = batAt + 8*4096
	for _, c := range []struct {
		name  string
		entry func(v uint64) uint64
		cut   int64
		text  string
	}{
		{"not present", func(v uint64) uint64 { return v &^ 7 }, 0, "is not there"},
		{"reserved bits", func(v uint64) uint64 { return v | 1<<10 }, 0, "reserved bits"},
		{"in the table", func(v uint64) uint64 { return batAt | 6 }, 0, "not its own"},
		{"outside", func(v uint64) uint64 { return 1<<50 | 6 }, 0, "in a missing part"},
		{"cut", func(v uint64) uint64 { return v }, mib - 100, "in a missing part"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := image{id: 2, size: 2 * mib, block: mib, sector: 512, parent: []string{"parent_linkage", braced(1), "relative_path", "p"}}
			data := bytes.Repeat([]byte{5}, mib)
			im.blocks = map[int64]block{0: {state: 7, data: data, set: func(s int64) bool { return true }}, 1: {state: 6, data: data}}
			f := im.file()
			f.put(bitmapEntry, le.AppendUint64(nil, c.entry(le.Uint64(f.pieces[bitmapEntry]))))
			if f.size -= c.cut; c.cut > 0 {
				f.size -= 2000 // the bitmap is last, and its first page is needed
			}
			env := parentIs(small().file())
			env.Warn = func(error) {}
			d := open(t, f, env)
			p := make([]byte, 8192)
			if n, err := d.ReadAt(p, 0); n != 0 || !imagetest.Lost(err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%d bytes, error %v", n, err)
			}
			if n, err := d.ReadAt(p, mib); n != len(p) || err != nil || p[9] != 5 {
				t.Errorf("the other block: %d bytes, error %v", n, err)
			}
		})
	}
}

// TestMutations changes bytes everywhere in the structures of a chain with a log, with and without right checksums.
func TestMutations(t *testing.T) {
	im := small()
	im.id, im.parent = 2, []string{"parent_linkage", braced(1), "relative_path", "p.vhdx"}
	im.blocks[1] = block{state: 7, data: im.blocks[0].data, set: func(s int64) bool { return s%3 == 0 }}
	im.log = []logEntry{{sequence: 5, last: 9 * mib, changes: []change{{off: batAt + mib, n: 8192}, {off: batAt + mib + 4096, data: im.blocks[0].data[:4096]}}}}
	good := im.file()
	parent := small().file()
	r := rand.New(rand.NewPCG(8, 8))
	places := []struct{ at, n int64 }{
		{64 << 10, 80}, {128 << 10, 80}, {regionsAt, 80}, {regionsAt + 64<<10, 80}, {ringAt, 4096 * 2}, {metadataAt, 32 * 8},
		{itemsAt, 8}, {itemsAt + 4096, 8}, {itemsAt + 3*4096, 4}, {itemsAt + 5*4096, 200}, {batAt, 24}, {batAt + 8*4096, 8},
	}
	begin, openedOK := time.Now(), 0
	const runs = 600
	for range runs {
		undo := make(map[int64]byte)
		for range 1 + r.IntN(3) {
			place := places[r.IntN(len(places))]
			at := place.at + r.Int64N(place.n)
			if b, i, ok := byteAt(good, at); ok {
				if _, again := undo[at]; !again {
					undo[at] = b[i]
				}
				b[i] = byte(r.Uint32())
			}
		}
		if r.IntN(4) > 0 {
			reseal(good)
		}
		if imagetest.Hostile(t, func() (*vhdx.Disk, error) { return vhdx.Open(good, parentIs(parent)) }) {
			openedOK++
		}
		for at, v := range undo {
			b, i, _ := byteAt(good, at)
			b[i] = v
		}
		reseal(good)
	}
	if openedOK < runs/10 || openedOK == runs {
		t.Errorf("%d of %d opened", openedOK, runs)
	}
	t.Logf("%d of %d opened, %v", openedOK, runs, time.Since(begin))
}

func byteAt(f *file, at int64) (b []byte, i int64, ok bool) {
	for from, p := range f.pieces {
		if at >= from && at < from+int64(len(p)) {
			return p, at - from, true
		}
	}
	return nil, 0, false
}

// reseal makes all checksums right, that of the log's first entry too.
func reseal(f *file) {
	for _, at := range []int64{64 << 10, 128 << 10, regionsAt, regionsAt + 64<<10} {
		seal(f.pieces[at])
	}
	if b := f.pieces[ringAt]; len(b) >= logHeadLen {
		if n := le.Uint32(b[8:]); n >= 8 && uint64(n) <= uint64(len(b)) {
			seal(b[:n])
		}
	}
}

// FuzzOpen puts the structures of a file where they belong, with right checksums.
func FuzzOpen(f *testing.F) {
	im := small()
	im.id, im.parent = 2, []string{"parent_linkage", braced(1), "relative_path", "p"}
	entry := logEntry{sequence: 5, changes: []change{{off: batAt, n: 4096}, {off: 4 * mib, data: make([]byte, 4096)}}}.bytes(guid(0x10))
	for _, im := range []image{small(), im} {
		g := im.file()
		table := g.pieces[metadataAt]
		locator := locator([]string{"parent_linkage", braced(1), "relative_path", "p"})
		f.Add(im.header(8, 0x10)[:80], g.pieces[regionsAt][:80], table, locator, uint64(im.size), []byte{6, 0, 0x40, 0, 0, 0, 0, 0}, entry)
	}
	parent := small().file()
	f.Fuzz(func(t *testing.T, header, regions, table, locator []byte, size uint64, bat, log []byte) {
		g := im.file()
		for _, p := range []struct {
			at, max int64
			b       []byte
		}{
			{128 << 10, 4096, header}, {regionsAt, 64 << 10, regions}, {metadataAt, 224, table},
			{itemsAt + 4096, 8, le.AppendUint64(nil, size)}, {itemsAt + 5*4096, 150, locator}, {batAt, 8, bat}, {ringAt, mib, log},
		} {
			g.put(p.at, p.b[:min(int64(len(p.b)), p.max)])
		}
		reseal(g)
		imagetest.Hostile(t, func() (*vhdx.Disk, error) { return vhdx.Open(g, parentIs(parent)) })
	})
}
