package bitlocker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

// disk is an encrypted volume of extents in any place of a file, which follow each other; those in bad are errors.
type disk struct {
	list []layer.Extent
	bad  map[int]error
}

func (d *disk) Size() int64 { last := d.list[len(d.list)-1]; return last.Off + last.Len }

func (d *disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

func (d *disk) At(off, n int64) (layer.Extent, error) {
	i := slices.IndexFunc(d.list, func(e layer.Extent) bool { return e.Off+e.Len > off })
	e := d.list[i]
	if e.Base != nil {
		e.BaseOff += off - e.Off
	}
	e.Off, e.Len = off, min(n, e.Off+e.Len-off)
	return e, d.bad[i]
}

// whole is a disk of one extent, which lies somewhere in a file.
func whole(b []byte) *disk {
	file := bytes.NewReader(append(make([]byte, 1000), b...))
	return &disk{list: []layer.Extent{{Len: int64(len(b)), Base: file, BaseOff: 1000}}}
}

func testKey(method Method) []byte {
	return noise(bitlockertest.KeySize(uint16(method)), uint64(method))
}

// encrypted returns b encrypted as a volume.
func encrypted(t testing.TB, b []byte, method Method, sector int) []byte {
	t.Helper()
	encrypt, err := bitlockertest.NewEncrypter(uint16(method), testKey(method))
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Clone(b)
	for at := 0; at+sector <= len(b); at += sector {
		encrypt(b[at:][:sector], int64(at))
	}
	return b
}

func mustDecrypt(t testing.TB, src layer.Mapper, pieces []piece, method Method, sector int) layer.Mapper {
	t.Helper()
	m, err := decrypted(src, src.Size(), pieces, method, testKey(method), sector)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// allEncrypted is a list of one piece.
func allEncrypted(size int64) []piece { return []piece{{n: size, kind: pieceCipher}} }

func TestContract(t *testing.T) {
	for _, sector := range []int{512, 4096} {
		want := layertest.Mixed(40<<10, 800<<10, uint64(sector))
		raw := encrypted(t, want, methodXTS256, sector)
		const from, to, moved = 64 << 10, 80 << 10, 512 << 10 // the start is kept at moved, and something is plain
		copy(raw[from:to], want[from:to])
		copy(want, want[moved:][:8192])
		clear(want[moved:][:8192])
		made := []byte("made bytes")
		copy(want[8192:], made)
		at := int64(8192 + len(made))
		pieces := []piece{
			{off: 0, n: 8192, kind: pieceCipher, from: moved},
			{off: 8192, n: int64(len(made)), kind: piecePatch, data: made},
			{off: at, n: from - at, kind: pieceCipher, from: at},
			{off: from, n: to - from, kind: piecePlain, from: from},
			{off: to, n: moved - to, kind: pieceCipher, from: to},
			{off: moved, n: 8192, kind: pieceZero},
			{off: moved + 8192, n: int64(len(raw)) - moved - 8192, kind: pieceCipher, from: moved + 8192},
		}
		layertest.Contract(t, mustDecrypt(t, whole(raw), pieces, methodXTS256, sector), want)
	}
}

// TestBelow has what an image may have below: holes, and what is unknown or damaged, also in the middle of sectors, and
// sectors that do not lie in one place. All but the sectors concerned stay.
func TestBelow(t *testing.T) {
	const sector = 4096
	raw := noise(16*sector, 3)
	clear(raw[2*sector : 4*sector])
	want := make([]byte, len(raw))
	c, err := newSectorCipher(methodXTS128, testKey(methodXTS128), sector)
	if err != nil {
		t.Fatal(err)
	}
	copy(want, raw)
	for at := 0; at < len(want); at += scratchSize {
		c.decrypt(want[at:][:scratchSize], new(scratch), int64(at))
	}
	file, bad := bytes.NewReader(raw), errors.New("bad")
	src := &disk{bad: map[int]error{9: bad}}
	add := func(n int64, e layer.Extent) {
		if len(src.list) > 0 {
			e.Off = src.Size()
		}
		e.Len = n
		if e.Base != nil {
			e.BaseOff = e.Off
		}
		src.list = append(src.list, e)
	}
	data := layer.Extent{Base: file}
	lost := func(why layer.Reason) layer.Extent { return layer.Extent{Kind: layer.Unknown, Why: why} }
	add(2*sector, data)
	add(2*sector-512, layer.Extent{Kind: layer.Zero})
	add(sector, data) // to 512 before the end of sector 4, which a hole began
	add(100, lost(layer.NotAcquired))
	add(412, lost(layer.Missing)) // both in sector 4
	add(sector, data)
	add(sector, lost(layer.NotAcquired)) // sector 6
	add(sector, layer.Extent{Base: bytes.NewReader(raw), BaseOff: 0})
	add(3000, data)
	add(2000, data) // an error, of sectors 8 and 9
	add(12*sector-5000-8*sector, data)
	add(sector, lost(layer.Zeroed))
	add(sector, layer.Extent{Kind: layer.Unknown, Why: layer.Unprotected, Base: file})
	add(2*sector-1, data) // and is cut
	m, err := decrypted(src, 16*sector, allEncrypted(16*sector), methodXTS128, testKey(methodXTS128), sector)
	if err != nil {
		t.Fatal(err)
	}
	bads := map[int64]layer.Reason{4: layer.Missing, 6: layer.NotAcquired, 13: layer.Unprotected, 15: layer.Missing}
	for i := range int64(16) {
		got := make([]byte, sector)
		_, err := m.ReadAt(got, i*sector)
		var unknown *layer.UnknownError
		switch why, ok := bads[i]; {
		case ok:
			if !errors.As(err, &unknown) || unknown.Why != why {
				t.Errorf("sector %d: %v, want %v", i, err, why)
			}
		case i == 8 || i == 9:
			if !errors.Is(err, bad) {
				t.Errorf("sector %d: %v, want %v", i, err, bad)
			}
		case i == 12:
			if err != nil || !bytes.Equal(got, make([]byte, sector)) {
				t.Errorf("sector %d: %v, want zeros, as was asked for", i, err)
			}
		case err != nil || !bytes.Equal(got, want[i*sector:][:sector]):
			t.Errorf("sector %d: %v, or other bytes", i, err)
		}
	}
	got := make([]byte, sector)
	if _, err := layer.Read(m, got, 13*sector, layer.Live); err != nil || !bytes.Equal(got, want[13*sector:][:sector]) {
		t.Errorf("what the driver would give: %v, or other bytes", err)
	}
	marks := int64(0)
	for e, err := range layer.Resolve(m, 0, m.Size()) {
		if err != nil || e.Kind == layer.Unknown {
			marks += e.Len
		}
	}
	if marks != 7*sector {
		t.Errorf("0x%x bytes are marked, want 7 sectors", marks)
	}
}

// TestCutSector has a volume that ends in a sector.
func TestCutSector(t *testing.T) {
	want := noise(10*512+100, 1)
	m := mustDecrypt(t, whole(encrypted(t, want, methodCBC128, 512)), allEncrypted(10*512+100), methodCBC128, 512)
	got := make([]byte, len(want))
	n, err := m.ReadAt(got, 0)
	if n != 10*512 || !errors.Is(err, layer.ErrCorrupt) || !bytes.Equal(got[:n], want[:n]) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if e, err := m.At(5121, 99); e.Len != 99 || !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestRefusedPiece has an error of a piece, beside what can be read.
func TestRefusedPiece(t *testing.T) {
	want, no := noise(4096, 1), errors.New("no")
	pieces := []piece{{n: 1024, kind: pieceCipher}, {off: 1024, n: 1024, kind: pieceRefused, err: no}, {off: 2048, n: 2048, kind: pieceCipher, from: 2048}}
	m := mustDecrypt(t, whole(encrypted(t, want, methodXTS128, 512)), pieces, methodXTS128, 512)
	got := make([]byte, 4096)
	if n, err := m.ReadAt(got, 0); n != 1024 || !errors.Is(err, no) {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := m.ReadAt(got[2048:], 2048); err != nil || !bytes.Equal(got[2048:], want[2048:]) {
		t.Errorf("behind what is refused: %v", err)
	}
}

// TestPiecesAreHeld refuses lists that do not cover the volume.
func TestPiecesAreHeld(t *testing.T) {
	src := whole(make([]byte, 4096))
	for i, list := range [][]piece{nil, {{n: 4095, kind: pieceZero}}, {{off: 1, n: 4095}}, {{n: 4097}}, {{n: 4096, from: -1}}, {{n: 0}, {n: 4096}},
		{{n: 4096, kind: piecePatch, data: []byte("x")}}, {{n: 2048}, {off: 1024, n: 3072}}, {{n: 4096, from: 1<<63 - 1}}} {
		if _, err := decrypted(src, 4096, list, methodXTS128, testKey(methodXTS128), 512); err == nil {
			t.Errorf("list %d is taken", i)
		}
	}
	if m, err := decrypted(src, 4096, []piece{{n: 4096, kind: piecePlain}}, 0, nil, 0); err != nil {
		t.Errorf("a volume that is not encrypted: %v", err)
	} else if e, _ := m.At(7, 10); e.Base != layer.Source(src) || e.BaseOff != 7 {
		t.Errorf("plain bytes are %+v, want them in the volume itself", e)
	}
}

// TestSamePlaces has an encrypted volume in two layers of an image, opened twice: what lies in one place is known to be the
// same without reading, by leaves or by what they unpack; another key, or another place in the volume, is not.
func TestSamePlaces(t *testing.T) {
	raw := noise(64<<10, 5)
	file, overlay := bytes.NewReader(raw), bytes.NewReader(raw)
	one := &disk{list: []layer.Extent{{Len: 32 << 10, Base: file}, {Off: 32 << 10, Len: 16 << 10, Kind: layer.Zero}, {Off: 48 << 10, Len: 16 << 10, Base: file, BaseOff: 1024}}}
	two := &disk{list: []layer.Extent{{Len: 16 << 10, Base: file}, {Off: 16 << 10, Len: 4096, Base: overlay, BaseOff: 16 << 10}, {Off: 20 << 10, Len: 12 << 10, Base: file, BaseOff: 20 << 10},
		{Off: 32 << 10, Len: 16 << 10, Kind: layer.Zero}, {Off: 48 << 10, Len: 16 << 10, Base: file, BaseOff: 1024}}}
	differ := func(a, b layer.Mapper) (list [][2]int64) {
		same := func(x, y layer.Source) bool { // as package ntfs does
			p, q := x.(layer.Packed), y.(layer.Packed)
			m, err := p.Packed()
			o, err2 := q.Packed()
			if err != nil || err2 != nil || x.Size() != y.Size() || m.Size() != o.Size() || p.Method() != q.Method() {
				return false
			}
			for range layer.Differ(context.Background(), m, o, 0, m.Size(), nil) {
				return false
			}
			return true
		}
		for off, n := range layer.Differ(t.Context(), a, b, 0, 64<<10, same) {
			list = append(list, [2]int64{off, n})
		}
		return list
	}
	open := func(d *disk, method Method) layer.Mapper {
		return mustDecrypt(t, d, allEncrypted(64<<10), method, 512)
	}
	a := open(one, methodXTS128)
	for name, c := range map[string]struct {
		b    layer.Mapper
		want [][2]int64
	}{
		"itself":                {a, nil},
		"the same once more":    {open(one, methodXTS128), nil},
		"a layer with a change": {open(two, methodXTS128), [][2]int64{{16 << 10, 4096}}},
		"another method":        {open(one, methodXTS256), [][2]int64{{0, 64 << 10}}},
	} {
		if got := differ(a, c.b); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v differs, want %v", name, got, c.want)
		}
	}
	moved := &disk{list: []layer.Extent{{Len: 32 << 10, Base: file, BaseOff: 512}, {Off: 32 << 10, Len: 32 << 10, Base: file}}}
	if got := differ(a, open(moved, methodXTS128)); !slices.Equal(got, [][2]int64{{0, 64 << 10}}) {
		t.Errorf("the same bytes elsewhere in the volume: %v differs", got)
	}
	for e := range layer.Unkept(a) {
		t.Errorf("%+v is not kept", e)
	}
}

// TestReadsDoNotAllocate has 4 KiB, aligned and not.
func TestReadsDoNotAllocate(t *testing.T) {
	raw := noise(1<<20, 1)
	for _, method := range []Method{methodXTS128, methodCBC256, methodCBC128Elephant} {
		m := mustDecrypt(t, whole(raw), allEncrypted(1<<20), method, 512)
		p := make([]byte, 4096)
		off := int64(0)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := m.ReadAt(p, off); err != nil {
				t.Fatal(err)
			}
			off = (off + 4096*7 + 100) % (1<<20 - 4096)
		}); n >= 1 && !testenv.Race {
			t.Errorf("method 0x%x: %v allocations for each 4 KiB", uint16(method), n)
		}
	}
}

// TestOnlySectorsAskedFor counts what is read below.
func TestOnlySectorsAskedFor(t *testing.T) {
	raw := noise(1<<20, 1)
	count := &counting{Reader: bytes.NewReader(raw)}
	src := &disk{list: []layer.Extent{{Len: 1 << 20, Base: count}}}
	m := mustDecrypt(t, src, allEncrypted(1<<20), methodXTS128, 512)
	for _, c := range []struct{ off, n, want int64 }{{4096, 4096, 4096}, {4100, 4096, 4096 + 512}, {1, 1, 512}, {511, 2, 1024}, {0, 1 << 20, 1 << 20}, {100, 700<<10 + 1, 700<<10 + 512}} {
		count.n.Store(0)
		if _, err := m.ReadAt(make([]byte, c.n), c.off); err != nil || count.n.Load() != c.want {
			t.Errorf("%d bytes at %d: %d are read, want %d (%v)", c.n, c.off, count.n.Load(), c.want, err)
		}
	}
}

// FuzzDecrypted has volumes of any pieces, over images of any extents, read anywhere, against a decryption byte by byte.
func FuzzDecrypted(f *testing.F) {
	f.Add(uint64(1), uint8(0), false)
	f.Add(uint64(2), uint8(4), true)
	f.Add(uint64(3), uint8(5), false)
	f.Fuzz(func(t *testing.T, seed uint64, pick uint8, big bool) {
		r := rand.New(rand.NewPCG(seed, 1))
		sector := 512
		if big {
			sector = 4096
		}
		c := newCase(r, methods[int(pick)%len(methods)], sector)
		m, err := decrypted(c.src, c.size, c.pieces, c.method, testKey(c.method), sector)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			off := r.Int64N(c.size)
			p := make([]byte, r.Int64N(min(c.size-off, 1<<r.IntN(18)))+1)
			n, err := m.ReadAt(p, off)
			for i, got := range p[:n] {
				if want, ok := c.byte(off + int64(i)); !ok || want != got {
					t.Fatalf("byte 0x%x is 0x%x, want 0x%x, %v", off+int64(i), got, want, ok)
				}
			}
			if n < len(p) {
				if _, ok := c.byte(off + int64(n)); ok || err == nil || err == io.EOF {
					t.Fatalf("0x%x bytes at 0x%x end at 0x%x, without a reason: %v", len(p), off, n, err)
				}
			}
		}
	})
}
