package carve

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestOrder merges evidence, the strongest first, and takes out what has no place.
func TestOrder(t *testing.T) {
	known := map[Evidence][][2]int{
		ByBitmaps: {{0, 1}},
		ByLSN:     {{1, 2}},
		ByFile:    {{2, 0}, {2, 3}}, // the first contradicts
	}
	o := sortBy(5, func(e Evidence, a, b int) int {
		for _, p := range known[e] {
			if p == [2]int{a, b} {
				return -1
			} else if p == [2]int{b, a} {
				return 1
			}
		}
		return 0
	}, func(int) string { return "" })
	if !slices.Equal(o.chain, []int{0, 1, 2, 3}) || !slices.Equal(o.alone, []int{4}) || !slices.Equal(o.by, []Evidence{0, ByBitmaps, ByLSN, ByFile}) {
		t.Errorf("%+v", o)
	}
	odd := sortBy(2, func(e Evidence, _, _ int) int { return map[Evidence]int{ByBitmaps: -1, ByLSN: 1}[e] }, func(int) string { return "" })
	if !slices.Equal(odd.chain, []int{0, 1}) || len(odd.odd) != 1 {
		t.Errorf("%+v", odd)
	}
}

// FuzzChangeTime takes any record.
func FuzzChangeTime(f *testing.F) {
	f.Add(make([]byte, 1024))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if len(b) >= 48 {
			changeTime(b)
			lsnOf(b, 5)
		}
	})
}

// sparse is a file of nothing but a hole, with a metadata block and some smaller holes in the midst of it.
type sparse struct {
	block []byte
	read  int64
}

const sparseAt, sparseData = 1 << 40, 8 << 20

func (s *sparse) Size() int64 { return 2 << 40 }

func (s *sparse) At(off, n int64) (layer.Extent, error) {
	return layer.Extent{Off: off, Len: layer.Clip(s.Size(), off, n), Kind: layer.Data, Base: (*sparseFile)(s), BaseOff: off}, nil
}

func (s *sparse) ReadAt(p []byte, off int64) (int, error) {
	s.read += int64(len(p))
	clear(p)
	if at := sparseAt - off; at >= 0 && at < int64(len(p)) {
		copy(p[at:], s.block)
	}
	return len(p), nil
}

type sparseFile sparse

func (s *sparseFile) Size() int64                             { return (*sparse)(s).Size() }
func (s *sparseFile) ReadAt(p []byte, off int64) (int, error) { return (*sparse)(s).ReadAt(p, off) }

// NextHole has a hole of 4 KiB at each 64 KiB of the data.
func (s *sparseFile) NextHole(off int64) (at, n int64, err error) {
	switch end := int64(sparseAt + sparseData); {
	case off < sparseAt:
		return off, sparseAt - off, nil
	case off < end && (off+65535)&^65535 < end:
		return (off + 65535) &^ 65535, 4096, nil
	default:
		return max(off, end), s.Size() - max(off, end), nil
	}
}

// TestScanHoles reads of a sparse file of 2 TiB only what is in it, and finds what is there.
func TestScanHoles(t *testing.T) {
	b := make([]byte, diffstore.BlockSize)
	s := &sparse{block: b}
	id := vsstest.Identifier
	copy(b, id[:])
	b[0x10], b[0x14] = 1, vsstest.TypeList
	binary.LittleEndian.PutUint64(b[0x18:], diffstore.BlockSize)
	binary.LittleEndian.PutUint64(b[0x20:], sparseAt)
	hits, copies, err := Scan(t.Context(), s, layer.Progress(nil))
	if err != nil || len(hits) != 1 || copies != 0 || hits[0].Off != sparseAt {
		t.Errorf("%v, %d copies: %v", hits, copies, err)
	}
	if s.read > 2*sparseData {
		t.Errorf("%d bytes are read", s.read)
	}
}

// TestContradicts tells numbers of a log that has started anew from older ones, by the times of many others.
func TestContradicts(t *testing.T) {
	w := Witness{}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(lsn uint64, hours int) *Claim {
		c := Claim{Off: int64(len(w.Claims)) << 16, Len: 1 << 16, LSN: lsn, Noted: start.Add(time.Duration(hours) * time.Hour), Number: lsn}
		w.Claims = append(w.Claims, c)
		return &c
	}
	for i := range 200 {
		add(uint64(100_000+i), i)
	}
	anew, old, later := add(50, 5000), add(100_020, 20), add(200_000, 6000)
	w.Settle()
	const made = 100_150
	if !w.contradicts(anew, made) || w.contradicts(old, made) || w.contradicts(later, made) {
		t.Error("a number is not told from others")
	}
	for c, want := range map[*Claim]Trust{anew: Lost, old: Proved, later: Lost} {
		if got, _ := w.judge(c.Off, c.Len, until{lsn: made, agreed: made}); c != old && got != want {
			t.Errorf("%d is %v, want %v", c.LSN, got, want)
		}
	}
}

// TestOverwritten takes blocks for lost that a file has, by $Bitmap or by its runs, or that another store has.
func TestOverwritten(t *testing.T) {
	m := vsstest.NewMemory(1 << 20)
	if _, err := m.WriteAt(bytes.Repeat([]byte{7}, 1<<20), 0); err != nil {
		t.Fatal(err)
	}
	w := &Witness{Claims: []Claim{{Off: 2*diffstore.BlockSize + 4096, Len: 4096}}, Used: []diffstore.Range{{Off: 4 * diffstore.BlockSize, Len: 4096}}}
	w.Settle()
	f := &found{place: &Place{Witness: func() (*Witness, error) { return w, nil }}}
	f.On = m
	for block, want := range map[int64]Trust{1: Carved, 2: Lost, 3: Carved, 4: Lost} {
		if got := f.overwritten(block*diffstore.BlockSize, false); got != want {
			t.Errorf("block %d is %v, want %v", block, got, want)
		}
	}
	newer := &found{}
	f.Index, newer.Index = 1, 2
	f.shared = map[int64][]*found{diffstore.BlockSize: {newer}}
	newer.shared = map[int64][]*found{diffstore.BlockSize: {f}}
	s := &Stack{stores: []*found{f, newer}, ordinal: map[int]int{1: 0, 2: 1}}
	if !s.wroteOver(0, diffstore.BlockSize) || s.wroteOver(1, diffstore.BlockSize) || s.wroteOver(0, 0) {
		t.Error("the newer store has a block that both have")
	}
}
