package chunks

import "snapmount/imagefmt/layer"

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

// Describe implements layer.Described.
func (s *Source) Describe() string { return s.Name }

// ReadAt implements io.ReaderAt.
func (s *Source) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, s.Bytes, s.read)
}

func (s *Source) read(p []byte, off int64) (n int, err error) {
	s.Cache.Follow(s.First+off/s.Piece, s.First+(off+int64(len(p))-1)/s.Piece)
	for n < len(p) {
		at := off + int64(n)
		b, err := s.Cache.Piece(s.First + at/s.Piece)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], b[at%s.Piece:])
	}
	return n, nil
}
