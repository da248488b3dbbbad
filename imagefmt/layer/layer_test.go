package layer_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// table is a Mapper made of given extents.
type table struct {
	size    int64
	extents []layer.Extent
	bad     map[int]error
}

func (m *table) Size() int64                             { return m.size }
func (m *table) ReadAt(p []byte, off int64) (int, error) { return layer.Read(m, p, off, layer.Live) }
func (m *table) At(off, n int64) (layer.Extent, error) {
	i := slices.IndexFunc(m.extents, func(e layer.Extent) bool { return e.Off+e.Len > off })
	e := m.extents[i]
	if e.Base != nil {
		e.BaseOff += off - e.Off
	}
	e.Off, e.Len = off, min(n, e.Off+e.Len-off)
	return e, m.bad[i]
}

func leaf(n int) (*bytes.Reader, []byte) {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return bytes.NewReader(b), b
}

func TestContract(t *testing.T) {
	src, b := leaf(300000)
	sec, err := layer.Section(src, 1000, 250000)
	if err != nil {
		t.Fatal(err)
	}
	layertest.Contract(t, sec, b[1000:251000])

	m := &table{size: 4000, extents: []layer.Extent{
		{Off: 0, Len: 1000, Base: sec, BaseOff: 100}, {Off: 1000, Len: 500, Kind: layer.Zero},
		{Off: 1500, Len: 500, Kind: layer.Unknown, Base: sec, BaseOff: 5}, {Off: 2000, Len: 2000, Base: src, BaseOff: 7},
	}}
	want := bytes.Join([][]byte{b[1100:2100], make([]byte, 500), b[1005:1505], b[7:2007]}, nil)
	layertest.Contract(t, m, want)
	upper, _ := layer.Section(m, 0, 4000)
	layertest.Contract(t, upper, want)
}

func TestResolveJoinsAndKeepsKinds(t *testing.T) {
	src, _ := leaf(100)
	lower := &table{size: 90, extents: []layer.Extent{{Off: 0, Len: 40, Base: src}, {Off: 40, Len: 40, Base: src, BaseOff: 40}, {Off: 80, Len: 10, Kind: layer.Zero}}}
	upper := &table{size: 200, extents: []layer.Extent{
		{Off: 0, Len: 60, Base: lower}, {Off: 60, Len: 20, Base: lower, BaseOff: 60},
		{Off: 80, Len: 20, Kind: layer.Unknown, Base: lower, BaseOff: 70}, {Off: 100, Len: 100, Kind: layer.Zero},
	}}
	want := []layer.Extent{
		{Off: 0, Len: 80, Base: src}, {Off: 80, Len: 10, Kind: layer.Unknown, Base: src, BaseOff: 70},
		{Off: 90, Len: 10, Kind: layer.Unknown}, {Off: 100, Len: 100, Kind: layer.Zero},
	}
	var got []layer.Extent
	for e, err := range layer.Resolve(upper, 0, 1000) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("extent %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestHoles(t *testing.T) {
	src, _ := leaf(100)
	lower := &table{size: 60, extents: []layer.Extent{{Off: 0, Len: 20, Base: src}, {Off: 20, Len: 40, Kind: layer.Zero}}}
	m := &table{size: 100, bad: map[int]error{2: errors.New("broken")}, extents: []layer.Extent{
		{Off: 0, Len: 30, Base: lower}, {Off: 30, Len: 10, Kind: layer.Zero}, {Off: 40, Len: 10, Kind: layer.Zero},
		{Off: 50, Len: 20, Base: lower, BaseOff: 40}, {Off: 70, Len: 30, Kind: layer.Unknown},
	}}
	for _, c := range []struct{ off, n, want int64 }{{0, 100, 0}, {20, 5, 5}, {20, 80, 20}, {50, 50, 20}, {70, 30, 0}} {
		if got := layer.Holes(m, c.off, c.n); got != c.want {
			t.Errorf("Holes(%d, %d) = %d, want %d", c.off, c.n, got, c.want)
		}
	}
}

func TestDamageStaysLocal(t *testing.T) {
	src, b := leaf(100)
	broken := errors.New("broken")
	m := &table{size: 150, bad: map[int]error{1: broken}, extents: []layer.Extent{
		{Off: 0, Len: 40, Base: src}, {Off: 40, Len: 10}, {Off: 50, Len: 100, Base: src, BaseOff: 10},
	}}
	p := make([]byte, 150)
	if n, err := m.ReadAt(p, 0); n != 40 || !errors.Is(err, broken) {
		t.Errorf("over the broken range: %d, %v", n, err)
	}
	if n, err := m.ReadAt(p[:90], 50); n != 90 || err != nil || !bytes.Equal(p[:90], b[10:]) {
		t.Errorf("after the broken range: %d, %v", n, err)
	}
	n, err := m.ReadAt(p[:20], 130)
	var c *layer.UnknownError
	if n != 10 || !errors.As(err, &c) || c.Why != layer.Missing || c.Off != 140 || c.Len != 10 {
		t.Errorf("past the end of the base: %d, %v", n, err)
	}
	var ranges []int64
	for e, err := range layer.Resolve(m, 0, 150) {
		ranges = append(ranges, e.Off, e.Len)
		if (err != nil) != (e.Off == 40) || (e.Kind == layer.Unknown) != (e.Off == 140) {
			t.Errorf("extent %+v: %v", e, err)
		}
	}
	if len(ranges) != 8 || ranges[7] != 10 {
		t.Errorf("resolved ranges %v", ranges)
	}
}

// short is a Source that ends before its size.
type short struct{ layer.Source }

func (s short) ReadAt(p []byte, off int64) (int, error) { return 3, io.EOF }

func TestShortSourceIsNoEOF(t *testing.T) {
	src, _ := leaf(100)
	m, _ := layer.Section(short{src}, 0, 100)
	if n, err := m.ReadAt(make([]byte, 50), 0); n != 3 || err != io.ErrUnexpectedEOF {
		t.Errorf("got %d, %v", n, err)
	}
	if err := layer.ReadFull(src, make([]byte, 50), 60); err != io.ErrUnexpectedEOF {
		t.Errorf("ReadFull past the end: %v", err)
	}
}

func TestSectionRanges(t *testing.T) {
	src, _ := leaf(100)
	for _, c := range [][2]int64{{-1, 5}, {5, -1}, {math.MaxInt64, 1}} {
		if _, err := layer.Section(src, c[0], c[1]); err == nil {
			t.Errorf("Section(%d, %d) gave no error", c[0], c[1])
		}
	}
}

// TestReadOfOnePiece holds that a read that lies in one place does not allocate.
func TestReadOfOnePiece(t *testing.T) {
	src, _ := leaf(1000)
	lower, _ := layer.Section(src, 100, 800)
	s, _ := layer.Section(lower, 100, 600)
	p := make([]byte, 300)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.ReadAt(p, 50); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
