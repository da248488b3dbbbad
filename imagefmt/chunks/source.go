package chunks

import (
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
)

// Source presents a disk, or an extent of one, where its pieces are packed: offsets are the disk's, so that neighbours are
// one layer.Extent. What is not packed it cannot read.
type Source struct {
	Cache *Cache
	First int64  // number of the first piece
	Piece int64  // bytes of each but the last, which may be shorter
	Bytes int64  // in all
	Name  string // what it is, for users
}

// Size is that of the disk, in bytes.
func (s *Source) Size() int64 { return s.Bytes }

func (s *Source) String() string { return s.Name }

// ReadAt implements io.ReaderAt.
func (s *Source) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	want := int(layer.Clip(s.Bytes, off, int64(len(p))))
	if want > 0 {
		s.Cache.Follow(s.First+off/s.Piece, s.First+(off+int64(want)-1)/s.Piece)
	}
	for n := 0; n < want; {
		at := off + int64(n)
		b, err := s.Cache.Piece(s.First + at/s.Piece)
		if err != nil {
			return n, err
		}
		n += copy(p[n:want], b[at%s.Piece:])
	}
	if want < len(p) {
		return want, io.EOF
	}
	return want, nil
}
