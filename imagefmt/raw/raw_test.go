package raw_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/raw"
)

// file writes b to a new file and presents size bytes of it.
func file(t *testing.T, b []byte, size int64) *raw.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return raw.NewFile(f, size)
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestFile(t *testing.T) {
	b := random(70001)
	f := file(t, b, int64(len(b)))
	layertest.Contract(t, f, b)
	if f.File() == nil {
		t.Error("no file to splice from")
	}
	t.Run("longer file", func(t *testing.T) { layertest.Contract(t, file(t, b, 60000), b[:60000]) })
	t.Run("empty", func(t *testing.T) { layertest.Contract(t, file(t, nil, 0), nil) })
	t.Run("shorter file", func(t *testing.T) {
		p := make([]byte, 100)
		n, err := file(t, b, 80000).ReadAt(p, 70000)
		if n != 1 || err != io.ErrUnexpectedEOF || p[0] != b[70000] {
			t.Errorf("read over the lost end = %d, %v, want 1, unexpected EOF", n, err)
		}
	})
}

func TestSplit(t *testing.T) {
	want := random(50000)
	for _, sizes := range [][]int{{50000}, {30000, 20000}, {16666, 16666, 16668}, {20000, 20000, 10000}, {25000, 25000, 0}} {
		var parts []raw.Part
		rest := want
		for _, n := range sizes {
			parts = append(parts, raw.Part{Source: file(t, rest[:n], int64(n))})
			rest = rest[n:]
		}
		s, faults, err := raw.Join(parts)
		if err != nil || faults != nil {
			t.Fatal(err, faults)
		}
		layertest.Contract(t, s, want)
	}
	none, _, err := raw.Join(nil)
	if err != nil {
		t.Fatal(err)
	}
	layertest.Contract(t, none, nil)
}

// TestSplitUneven has parts that are short or missing: nothing behind them moves, or it is an error.
func TestSplitUneven(t *testing.T) {
	want := random(100_000)
	for _, c := range []struct {
		step   int   // from one part to the next
		sizes  []int // of the parts; -1 is a missing one
		faults int
		lost   [][2]int // what is unknown, first and end
	}{
		{10000, []int{10000, 9000, 10000, 10000, 10000}, 1, [][2]int{{19000, 20000}}},
		{10000, []int{9999, 10000, 10000, 10000, 5000}, 1, [][2]int{{9999, 10000}}},
		{10000, []int{10000, 0, 1, 10000, 10000}, 2, [][2]int{{10000, 20000}, {20001, 30000}}},
		{20000, []int{20000, 1, 10000}, -1, nil},
		{10000, []int{10000, -1, 10000, 10000, 10000}, 1, [][2]int{{10000, 20000}}},
		{20000, []int{20000, -1, 9000}, 1, [][2]int{{20000, 40000}}},
		{20000, []int{20000, 19000, 20000}, 1, [][2]int{{39000, 40000}}},
		{10000, []int{10000, 20000}, -1, nil},
		{10000, []int{10000, 10000, 20000, 10000}, -1, nil},
		{10000, []int{10000, 9000, 10001}, -1, nil},
	} {
		var parts []raw.Part
		at := 0
		for i, n := range c.sizes {
			p := raw.Part{Name: string(rune('a' + i))}
			if n >= 0 {
				p.Source = file(t, want[at:at+n], int64(n))
			}
			parts = append(parts, p)
			at += c.step
		}
		s, faults, err := raw.Join(parts)
		if c.faults < 0 {
			if !errors.Is(err, layer.ErrCorrupt) {
				t.Errorf("%v: %v, faults %v", c.sizes, err, faults)
			}
			continue
		}
		if err != nil || len(faults) != c.faults {
			t.Errorf("%v: %v, faults %v", c.sizes, err, faults)
			continue
		}
		var lost [][2]int
		for e, err := range layer.Resolve(s, 0, s.Size()) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == layer.Unknown {
				lost = append(lost, [2]int{int(e.Off), int(e.Off + e.Len)})
				continue
			}
			b := make([]byte, e.Len)
			if err := layer.ReadFull(s, b, e.Off); err != nil || !bytes.Equal(b, want[e.Off:][:e.Len]) {
				t.Errorf("%v: %+v: other bytes, %v", c.sizes, e, err)
			}
		}
		if !slices.Equal(lost, c.lost) {
			t.Errorf("%v: lost %v, want %v", c.sizes, lost, c.lost)
		}
	}
}

type huge struct{ layer.Source }

func (huge) Size() int64 { return math.MaxInt64 - 5 }

func TestJoinOverflow(t *testing.T) {
	if _, _, err := raw.Join([]raw.Part{{Source: huge{}}, {Source: huge{}}}); err == nil {
		t.Error("two parts of almost 2^63 bytes were joined")
	}
}

func TestSplitSharesParts(t *testing.T) {
	part := file(t, random(100), 100)
	s, _, err := raw.Join([]raw.Part{{Source: part}, {Source: part}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range layer.Resolve(s, 50, 100) {
		if err != nil || e.Base != layer.Source(part) || e.Len != 50 {
			t.Errorf("extent %+v, %v, want 50 bytes of the part itself", e, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d extents, want 2", n)
	}
	p := make([]byte, 100)
	if err := layer.ReadFull(s, p, 50); err != nil || bytes.Equal(p, make([]byte, 100)) {
		t.Errorf("read over both parts: %v", err)
	}
}
