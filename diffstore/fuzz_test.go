package diffstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

func FuzzHeader(f *testing.F) {
	f.Add(vsstest.Header{Version: 1, Catalog: 0x4000}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		img := make([]byte, headerOffset+len(b))
		copy(img[headerOffset:], b)
		_, err := ReadHeader(bytes.NewReader(img))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if _, err := Open(bytes.NewReader(img), Options{}); err == nil {
			t.Error("opened without a catalog")
		}
	})
}

func FuzzInformation(f *testing.F) {
	f.Add(vsstest.Information{Context: 0xd, Count: 2, Attributes: 0x0042000d, Machine: "MACHINE", Service: "SERVICE"}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		const fixed = 0x40 // a block always holds the fixed fields
		if len(b) < fixed {
			t.Skip("less than a block can hold")
		}
		whole, ok := decodeInformation(b)
		if len(whole.machine)+len(whole.service) > 3*len(b) {
			t.Errorf("names of %d and %d bytes out of %d", len(whole.machine), len(whole.service), len(b))
		}
		for cut := fixed; cut < len(b); cut++ {
			if part, full := decodeInformation(b[:cut]); full && (!ok || part != whole) {
				t.Errorf("the first %d bytes give %+v, all of them %+v", cut, part, whole)
			}
		}
	})
}

// blocksOf pads what the fuzzer made to whole blocks after block 0.
func blocksOf(b []byte) []byte {
	img := make([]byte, BlockSize*(1+(len(b)+BlockSize-1)/BlockSize))
	copy(img[BlockSize:], b)
	return img
}

func FuzzCatalog(f *testing.F) {
	e := append(vsstest.SnapshotEntry{Size: 1 << 20, Position: 1}.Bytes(), vsstest.StoreEntry{List: 0x4000}.Bytes()...)
	f.Add(bytes.TrimRight(vsstest.Block(typeCatalog, vsstest.Place{Offset: 0x4000}, 0x8000, e), "\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img := blocksOf(b)
		c, _ := readCatalog(t.Context(), area{src: bytes.NewReader(img)}, BlockSize, func(error) {})
		if n := len(c.snapshots) + len(c.stores); n > len(img)/entrySize {
			t.Errorf("%d entries of %d bytes", n, len(img))
		}
		c.index(area{src: bytes.NewReader(img)}, func(error) {})
	})
}

func FuzzBlockList(f *testing.F) {
	var rows []byte
	for i := range uint64(20) {
		rows = vsstest.Descriptor{Original: i % 7 * BlockSize, Relative: i % 5 * BlockSize, Kept: 0x4000, Flags: uint32(i % 4), Sectors: 0xff}.Append(rows)
	}
	f.Add(bytes.TrimRight(vsstest.Block(typeList, vsstest.Place{Offset: 0x4000}, 0x4000, rows), "\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img := blocksOf(b)
		s := &Snapshot{vol: &Volume{ctx: t.Context(), span: 64, warn: func(error) {}}, areas: []area{{src: bytes.NewReader(img)}}, entry: storeEntry{list: BlockSize}}
		l := s.load()
		l.targets()
		n := len(l.rows)
		var x index
		x.setRows(flatten(sortByBlock(l.rows)))
		if len(x.rows) > n {
			t.Errorf("%d rows of %d", len(x.rows), n)
		}
		for i, r := range x.rows {
			if p := x.find(r.block, 0); p > i || x.rows[p].block != r.block || x.find(r.block, maxStores+1) <= i {
				t.Errorf("row %d of block %d found at %d", i, r.block, p)
			}
		}
	})
}

func FuzzBitmap(f *testing.F) {
	f.Add(bytes.TrimRight(vsstest.Block(typeBitmap, vsstest.Place{Offset: 0x4000}, 0x4000, []byte{1, 2, 3}), "\x00"), uint32(1<<18))
	f.Add(vsstest.Block(typeBitmap, vsstest.Place{Offset: 0x4000}, 0, bytes.Repeat([]byte{0xff}, payloadSize)), uint32(77))
	f.Fuzz(func(t *testing.T, b []byte, n uint32) {
		set, known, err := readBits(t.Context(), area{src: bytes.NewReader(blocksOf(b))}, BlockSize, int64(n), func(error) {})
		if known > int64(n) || err == nil && known == 0 && n > 0 || !set.IsEmpty() && int64(set.Maximum()) >= known {
			t.Errorf("%d of %d bits, %v", known, n, err)
		}
		s := newSpans(set, known)
		for at := int64(0); at < known; { // the runs cover all and alternate
			in, end := s.span(block(at))
			if end <= at || in != set.ContainsInt(int(at)) {
				t.Fatalf("bit %d: run ends at %d", at, end)
			}
			at = end
		}
	})
}

// seedVolume is a small volume with all kinds of rows, and with foreign entries.
func seedVolume(tb testing.TB) []byte {
	m := vsstest.NewMemory(48 * BlockSize)
	v, err := vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 38}}, Extra: [][]byte{vsstest.StoreEntry{Store: wintype.GUID{9}, List: 0x8000}.Bytes()}})
	for i := range int64(3) {
		if err == nil {
			_, err = v.Snapshot(vsstest.Options{Flags: uint64(i) << 10, Free: func(b uint32) bool { return b == 47 }})
		}
		err = errors.Join(err, v.Write((40+i)*BlockSize, make([]byte, 99)), v.Move(uint32(44+i), 47), v.WriteSnapshot(43*BlockSize, make([]byte, 1024)))
	}
	if err = errors.Join(err, v.Flush()); err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, m.Size())
	if err := layer.ReadFull(m, b, 0); err != nil {
		tb.Fatal(err)
	}
	return b
}

// FuzzVolume changes words of a healthy volume, then opens and reads everything, with and without files of it: all that
// follows the start of a store, and the catalog. The first byte says whether the catalog is to be missing.
func FuzzVolume(f *testing.F) {
	good := seedVolume(f)
	var starts []int
	for off := BlockSize; off < len(good); off += BlockSize {
		r, ok := decodeRecord(good[off:])
		if ok && (r.kind == typeStore || r.kind == typeCatalog && r.relative == 0) {
			starts = append(starts, off)
		}
	}
	f.Add([]byte{0, 0, 0x1e, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{3})
	for off := 0x4000; off < 39*BlockSize; off += BlockSize {
		f.Add([]byte{byte(off >> blockBits), byte(off), byte(off >> 8), byte(off >> 16), 1, 2, 3, 4, 5, 6, 7, 8})
		f.Add([]byte{byte(off >> blockBits), byte(off | 0x28), byte(off >> 8), byte(off >> 16), 0, 0x40, 0, 0, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		img := bytes.Clone(good)
		opts := Options{Storage: func(wintype.GUID) (layer.Source, error) { return bytes.NewReader(img), nil }}
		if len(patch) > 0 && patch[0]&1 != 0 {
			for i, off := range starts {
				opts.Files = append(opts.Files, File{Name: fmt.Sprint(i), Data: bytes.NewReader(img[off:])})
			}
		}
		if len(patch) > 0 && patch[0]&2 != 0 {
			clear(img[headerOffset+0x30 : headerOffset+0x38])
		}
		patch = patch[min(1, len(patch)):]
		for ; len(patch) >= 11; patch = patch[11:] {
			off := int(binary.LittleEndian.Uint32(append(patch[:3:3], 0)))
			copy(img[off%(len(img)-8):], patch[3:11])
		}
		vol, err := Open(bytes.NewReader(img), opts)
		if err != nil {
			return
		}
		for _, s := range vol.Snapshots() {
			s.Check()
			s.Changed()
			v, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			at := int64(0)
			for e, err := range layer.Extents(v, 0, v.Size()) {
				if e.Off != at || e.Len <= 0 || err == nil && e.Base == nil && e.Kind == layer.Data {
					t.Fatalf("extent %+v, %v at 0x%x", e, err, at)
				}
				at += e.Len
				if err == nil && e.Base != nil && layer.ReadFull(e.Base, make([]byte, e.Len), e.BaseOff) != nil {
					t.Errorf("extent %+v cannot be read", e)
				}
			}
			if at != v.Size() {
				t.Errorf("extents end at 0x%x, want 0x%x", at, v.Size())
			}
			v.ReadAt(make([]byte, 100000), 20)
		}
	})
}

func FuzzRanges(f *testing.F) {
	list := vsstest.Range{Offset: 0x8000, Length: 0xc000}.Append(nil)
	list = vsstest.Range{Offset: 0x20000, Relative: 0xc000, Length: 0x8000}.Append(list)
	f.Add(bytes.TrimRight(vsstest.Block(typeRanges, vsstest.Place{Offset: 0x4000, Relative: 0x8000}, 0, list), "\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		img := bytes.NewReader(blocksOf(b))
		s := &Snapshot{vol: &Volume{ctx: t.Context(), span: 64, warn: func(error) {}}, entry: storeEntry{ranges: BlockSize, header: BlockSize}}
		p := s.readPlacement(area{src: img}, gulp{})
		if p == nil {
			return
		}
		for i, r := range p.ranges {
			for _, rel := range []uint64{r.rel, r.rel + r.len - 1} {
				off, ok := p.offset(rel)
				if back, _ := p.relative(off); !ok || off-r.off != rel-r.rel || back != rel || off >= uint64(img.Size()) {
					t.Errorf("range %d: 0x%x of the file is 0x%x, %v, and that 0x%x", i, rel, off, ok, back)
				}
			}
		}
	})
}
