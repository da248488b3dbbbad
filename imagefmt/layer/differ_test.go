package layer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
)

// pieces is a Mapper of the extents given, which follow each other; those with bad are errors.
type pieces struct {
	list []Extent
	bad  int
}

func (p *pieces) Size() int64 { last := p.list[len(p.list)-1]; return last.Off + last.Len }

func (p *pieces) ReadAt(b []byte, off int64) (int, error) { return Read(p, b, off, Live) }

func (p *pieces) At(off, n int64) (Extent, error) {
	i := slices.IndexFunc(p.list, func(e Extent) bool { return e.Off+e.Len > off })
	e := p.list[i]
	if e.Base != nil {
		e.BaseOff += off - e.Off
	}
	e.Off, e.Len = off, min(n, e.Off+e.Len-off)
	if i == p.bad {
		return e, errors.New("bad")
	}
	return e, nil
}

func TestDiffer(t *testing.T) {
	one, two := bytes.NewReader(make([]byte, 100)), bytes.NewReader(make([]byte, 100))
	a := &pieces{[]Extent{{0, 10, Data, one, 0, 0}, {10, 10, Data, one, 50, 0}, {20, 10, Zero, nil, 0, 0}, {30, 10, Unknown, one, 30, 0}, {40, 10, Data, one, 40, 0}, {50, 5, Data, one, 0, 0}}, -1}
	b := &pieces{[]Extent{{0, 15, Data, one, 0, 0}, {15, 5, Data, one, 55, 0}, {20, 12, Zero, nil, 0, 0}, {32, 8, Unknown, one, 32, 0}, {40, 10, Data, two, 40, 0}, {50, 50, Data, one, 0, 0}}, -1}
	same := func(x, y Source) bool { return x == two || y == two }
	for _, test := range []struct {
		name   string
		a, b   *pieces
		off, n int64
		same   func(x, y Source) bool
		want   [][2]int64
	}{
		{"itself", a, a, 0, 40, nil, [][2]int64{{30, 10}}},
		{"all", a, b, 0, 1 << 60, nil, [][2]int64{{10, 5}, {30, 20}}},
		{"leaves alike", a, b, 0, 1 << 60, same, [][2]int64{{10, 5}, {30, 10}}},
		{"part", a, b, 12, 19, nil, [][2]int64{{12, 3}, {30, 1}}},
		{"error in one", &pieces{a.list, 1}, b, 0, 30, nil, [][2]int64{{10, 10}}},
		{"error in both", &pieces{a.list, 0}, &pieces{a.list, 0}, 0, 30, nil, [][2]int64{{0, 10}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got [][2]int64
			for off, n := range Differ(t.Context(), test.a, test.b, test.off, test.n, test.same) {
				got = append(got, [2]int64{off, n})
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// TestDifferEnds has a context that ended: nothing is proven to be the same then.
func TestDifferEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := sparse{size: 1 << 40}
	for off, n := range Differ(ctx, a, a, 0, a.size, nil) {
		t.Errorf("0x%x bytes at 0x%x of one source differ", n, off)
	}
	cancel()
	for off, n := range Differ(ctx, a, a, 7, a.size, nil) {
		if off != 7 || n != a.size-7 {
			t.Errorf("0x%x bytes at 0x%x", n, off)
		}
		return
	}
	t.Error("all is the same after the end")
}
