// Package layer holds what all layers of an image share. A virtual disk, a partition, a snapshot and a file
// stream are the same thing: a fixed-size run of bytes that knows where its bytes live in the layer below. Reading
// is one Resolve through all layers and one read per leaf extent, straight into the caller's buffer.
package layer

import (
	"fmt"
	"io"
	"iter"
	"math"
)

// Source is a fixed-size, immutable run of bytes.
//
// ReadAt follows io.ReaderAt strictly: it fills p, or returns n < len(p) with an error; io.EOF only at the end.
// All methods may be called concurrently. A leaf may be a fmt.Stringer that says what it is.
type Source interface {
	io.ReaderAt
	Size() int64 // bytes; never negative
}

// Mapper is a Source that knows where its bytes are.
//
// Extents yields consecutive extents that cover [off, off+n); what lies past Size is not covered. An error covers
// just the Off and Len of the extent beside it (Len > 0): the sequence goes on after it, so damage stays local.
// Extents reads tables at most, never the data it describes.
type Mapper interface {
	Source
	Extents(off, n int64) iter.Seq2[Extent, error]
}

// Clip returns n cut so that [off, off+n) ends within size; 0 when nothing is left. A negative off or n gives 0.
func Clip(size, off, n int64) int64 {
	if off < 0 || n <= 0 || off >= size {
		return 0
	}
	return min(n, size-off)
}

// Section returns the n bytes of s from off as a Mapper that keeps the holes of s. The range may reach past the end
// of s, as the partitions of a truncated image do: the missing part reads as an error.
func Section(s Source, off, n int64) (Mapper, error) {
	if off < 0 || n < 0 || off > math.MaxInt64-n {
		return nil, fmt.Errorf("section of %d bytes at %d is not a range", n, off)
	}
	return &section{base: s, off: off, n: n}, nil
}

type section struct {
	base   Source
	off, n int64
}

func (s *section) Size() int64 { return s.n }

func (s *section) ReadAt(p []byte, off int64) (int, error) { return ReadAt(s, p, off) }

func (s *section) At(off, n int64) (Extent, error) {
	return Extent{Off: off, Len: n, Kind: Data, Base: s.base, BaseOff: s.off + off}, nil
}

func (s *section) Extents(off, n int64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		if n := Clip(s.n, off, n); n > 0 {
			yield(s.At(off, n))
		}
	}
}
