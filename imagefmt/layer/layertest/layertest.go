// Package layertest holds the contract test that every Source of every package must pass.
package layertest

import (
	"bytes"
	"io"
	"iter"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"snapmount/imagefmt/layer"
)

// Contract checks s against want, its whole content: io.ReaderAt's rules, random and edge reads, eight readers at once,
// and, for a Mapper, that At makes progress and agrees with itself, and that extents and resolved extents cover every range
// and tell the truth.
func Contract(t *testing.T, s layer.Source, want []byte) {
	t.Helper()
	if s.Size() != int64(len(want)) {
		t.Fatalf("size %d, want %d", s.Size(), len(want))
	}
	if len(want) <= 128<<10 { // TestReader works byte by byte
		if err := iotest.TestReader(io.NewSectionReader(s, 0, s.Size()), want); err != nil {
			t.Error(err)
		}
	}
	edges(t, s, want)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() { randomReads(t, s, want, uint64(g)) })
	}
	wg.Wait()
	if m, ok := s.(layer.Mapper); ok {
		size := int64(len(want))
		covers(t, "Extents", layer.Extents(m, 0, size+100), 0, size, want)
		r := rand.New(rand.NewPCG(7, 7))
		for range 50 {
			off := r.Int64N(size + 1)
			n := length(r, size-off)
			covers(t, "Extents", layer.Extents(m, off, n), off, n, want)
			covers(t, "Resolve", layer.Resolve(m, off, n), off, n, want)
			covers(t, "Leaf", leaves(m, off, n), off, n, want)
			if n > 0 {
				at(t, m, off, n)
			}
		}
	}
}

// at checks that one extent is within what was asked for, and that what is asked for about a part of it is that part.
func at(t *testing.T, m layer.Mapper, off, n int64) {
	t.Helper()
	e, err := m.At(off, n)
	if err != nil || e.Off != off || e.Len <= 0 || e.Len > n {
		t.Errorf("At(%d, %d) = %+v, %v", off, n, e, err)
		return
	}
	part, in := e, e.Len/2
	part.Off, part.Len = off+in, e.Len-in
	if e.Base != nil {
		part.BaseOff += in
	}
	if got, err := m.At(part.Off, part.Len); err != nil || got != part {
		t.Errorf("At(%d, %d) = %+v, %v, want %+v, a part of %+v", part.Off, part.Len, got, err, part, e)
	}
}

// leaves walks a range by layer.Leaf.
func leaves(s layer.Source, off, n int64) iter.Seq2[layer.Extent, error] {
	return func(yield func(layer.Extent, error) bool) {
		for end := off + n; off < end; {
			e, err := layer.Leaf(s, off, end-off)
			if !yield(e, err) || e.Len <= 0 {
				return
			}
			off += e.Len
		}
	}
}

func edges(t *testing.T, s layer.Source, want []byte) {
	t.Helper()
	size := int64(len(want))
	for _, c := range []struct {
		off, len int64
		n        int
		err      error
	}{{size, 1, 0, io.EOF}, {size + 5, 10, 0, io.EOF}, {max(size-3, 0), 10, int(min(size, 3)), io.EOF}, {0, 0, 0, nil}} {
		p := bytes.Repeat([]byte{0xa5}, int(c.len))
		n, err := s.ReadAt(p, c.off)
		if n != c.n || (err != c.err && !(size == 0 && c.len == 0)) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v, want %d, %v", c.len, c.off, n, err, c.n, c.err)
		}
		if n <= len(p) && !bytes.Equal(p[n:], bytes.Repeat([]byte{0xa5}, len(p)-n)) && n == 0 {
			t.Errorf("ReadAt(%d bytes, %d) wrote past what it read", c.len, c.off)
		}
	}
	if _, err := s.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("ReadAt at a negative offset gave no error")
	}
}

// length is up to most, and small more often than large, which costs.
func length(r *rand.Rand, most int64) int64 {
	return r.Int64N(min(most, 1<<r.IntN(bits.Len64(uint64(most))+1)) + 1)
}

func randomReads(t *testing.T, s layer.Source, want []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	size := int64(len(want))
	p := make([]byte, 200<<10)
	for range 200 {
		off := r.Int64N(size + 1)
		n := length(r, min(size-off, int64(len(p))))
		p[0] ^= 0xff
		k, err := s.ReadAt(p[:n], off)
		if int64(k) != n || (err != nil && err != io.EOF) {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v", n, off, k, err)
			return
		}
		if !bytes.Equal(p[:n], want[off:off+n]) {
			t.Errorf("ReadAt(%d bytes, %d) gave wrong bytes", n, off)
			return
		}
	}
}

func covers(t *testing.T, what string, seq func(func(layer.Extent, error) bool), off, n int64, want []byte) {
	t.Helper()
	at := off
	for e, err := range seq {
		if err != nil {
			t.Errorf("%s: %+v: %v", what, e, err)
			return
		}
		if e.Off != at || e.Len <= 0 || e.Off+e.Len > off+n {
			t.Errorf("%s(%d, %d): extent %d+%d, want one at %d", what, off, n, e.Off, e.Len, at)
			return
		}
		at += e.Len
		got := make([]byte, e.Len)
		if e.Base != nil {
			if k, err := e.Base.ReadAt(got, e.BaseOff); int64(k) != e.Len {
				t.Errorf("%s: reading the base of %+v: %v", what, e, err)
				return
			}
		} else if e.Kind == layer.Data {
			t.Errorf("%s: data extent %d+%d without a base", what, e.Off, e.Len)
		}
		if !bytes.Equal(got, want[e.Off:][:e.Len]) {
			t.Errorf("%s: extent %d+%d (%v) holds other bytes", what, e.Off, e.Len, e.Kind)
			return
		}
	}
	if at != off+n {
		t.Errorf("%s(%d, %d) ends at %d", what, off, n, at)
	}
}
