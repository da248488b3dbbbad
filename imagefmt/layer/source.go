// Package layer holds what all layers of an image share. A virtual disk, a partition, a snapshot and a file
// stream are the same thing: a fixed-size run of bytes that knows where its bytes live in the layer below. A layer
// answers one question, Mapper.At; the loops over it are here: Extents for one layer, Resolve through all of them, and
// Read, which is one read per leaf extent, straight into the caller's buffer.
package layer

import (
	"fmt"
	"io"
	"math"
)

// Source is a fixed-size, immutable run of bytes.
//
// ReadAt follows io.ReaderAt strictly: it fills p, or returns n < len(p) with an error; io.EOF only at the end.
// All methods may be called concurrently.
type Source interface {
	io.ReaderAt
	Size() int64 // bytes; never negative
}

// Mapper is a Source that knows where its bytes are.
//
// At returns the longest extent that starts at off and is n bytes at most, as far as one look at the tables tells: what
// follows it may go on in the same place, and the loops of this package join that. The caller asks within the Source:
// n > 0 and off+n <= Size. Len is never 0. An error covers just the Off and Len of the extent beside it, so damage stays
// local. At reads tables at most, never the data it describes.
type Mapper interface {
	Source
	At(off, n int64) (Extent, error)
}

// Clip returns n cut so that [off, off+n) ends within size; 0 when nothing is left. A negative off or n gives 0.
func Clip(size, off, n int64) int64 {
	if off < 0 || n <= 0 || off >= size {
		return 0
	}
	return min(n, size-off)
}

// Section returns the n bytes of s from off as a Mapper that keeps the holes of s. What s does not know reads as s gives
// it. The range may reach past the end of s, as the partitions of a truncated image do: what is missing is Unknown.
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

func (s *section) ReadAt(p []byte, off int64) (int, error) { return ReadLeaf(p, off, s.n, s.read) }

func (s *section) read(p []byte, off int64) (int, error) {
	have := Clip(s.base.Size(), s.off+off, int64(len(p)))
	n := 0
	if have > 0 {
		var err error
		if n, err = s.base.ReadAt(p[:have], s.off+off); int64(n) < have {
			return n, err
		}
	}
	if n < len(p) {
		return n, &UnknownError{Why: Missing, Off: off + int64(n), Len: int64(len(p) - n)}
	}
	return n, nil
}

func (s *section) At(off, n int64) (Extent, error) {
	return Extent{Off: off, Len: n, Kind: Data, Base: s.base, BaseOff: s.off + off}, nil
}
