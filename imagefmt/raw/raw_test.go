package raw_test

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
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
	for _, sizes := range [][]int{{50000}, {10000, 40000}, {1, 0, 49998, 0, 1}, {0, 20000, 30000}, {30000, 20000, 0}} {
		var parts []layer.Source
		rest := want
		for _, n := range sizes {
			parts = append(parts, file(t, rest[:n], int64(n)))
			rest = rest[n:]
		}
		s, err := raw.Join(parts)
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, s, want)
	}
	none, err := raw.Join(nil)
	if err != nil {
		t.Fatal(err)
	}
	layertest.Contract(t, none, nil)
}

type huge struct{ layer.Source }

func (huge) Size() int64 { return math.MaxInt64 - 5 }

func TestJoinOverflow(t *testing.T) {
	if _, err := raw.Join([]layer.Source{huge{}, huge{}}); err == nil {
		t.Error("two parts of almost 2^63 bytes were joined")
	}
}

func TestSplitSharesParts(t *testing.T) {
	part := file(t, random(100), 100)
	s, err := raw.Join([]layer.Source{part, part})
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
