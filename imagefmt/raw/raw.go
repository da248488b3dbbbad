// Package raw presents plain files: a single one as the leaf that all other layers end in, and several in a row
// as one disk.
package raw

import (
	"fmt"
	"math"
	"os"
	"sort"

	"snapmount/imagefmt/layer"
)

// File is a leaf Source over an open file, read with pread. Closing the file is the caller's.
type File struct {
	file *os.File
	size int64
}

// NewFile presents the first size bytes of f. The size is fixed here: bytes that f gains later are not shown, and
// bytes that it loses read as io.ErrUnexpectedEOF.
func NewFile(f *os.File, size int64) *File { return &File{f, size} }

// Size is in bytes.
func (f *File) Size() int64 { return f.size }

// File implements layer.FileBacked.
func (f *File) File() *os.File { return f.file }

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, f.size, f.file.ReadAt)
}

// Split is a disk kept in several files one after the other. Its extents are its parts: holes of sparse files are not
// looked for, because a SEEK_HOLE for each request costs as much as the read that it would save.
type Split struct {
	parts  []layer.Source
	starts []int64 // where each part begins, and the end of the last
}

// Join puts parts in a row. They may differ in size.
func Join(parts []layer.Source) (*Split, error) {
	starts := make([]int64, 1, len(parts)+1)
	for i, p := range parts {
		if p.Size() > math.MaxInt64-starts[i] {
			return nil, fmt.Errorf("part %d: %d bytes more than %d are too many", i+1, p.Size(), starts[i])
		}
		starts = append(starts, starts[i]+p.Size())
	}
	return &Split{parts, starts}, nil
}

// Size is the sum of the parts, in bytes.
func (s *Split) Size() int64 { return s.starts[len(s.parts)] }

// ReadAt implements io.ReaderAt.
func (s *Split) ReadAt(p []byte, off int64) (int, error) { return layer.Read(s, p, off, layer.Fail) }

// At implements layer.Mapper.
func (s *Split) At(off, n int64) (layer.Extent, error) {
	// The first part that ends behind off; parts may be empty.
	i := sort.Search(len(s.parts), func(i int) bool { return s.starts[i+1] > off })
	return layer.Extent{Off: off, Len: min(n, s.starts[i+1]-off), Kind: layer.Data, Base: s.parts[i], BaseOff: off - s.starts[i]}, nil
}
