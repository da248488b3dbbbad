// Package raw presents plain files: a single one as the leaf that all other layers end in, and several in a row
// as one disk.
package raw

import (
	"io"
	"os"

	"snapmount/imagefmt/layer"
)

// File is a leaf Source over an open file, read with pread. Closing the file is the caller's.
type File struct {
	file *os.File
	read io.ReaderAt
	size int64
}

// NewFile presents the first size bytes of f. The size is fixed here: bytes that f gains later are not shown, and
// bytes that it loses read as io.ErrUnexpectedEOF.
func NewFile(f *os.File, size int64) *File { return &File{f, f, size} }

// NewDevice is NewFile for a device that is read through read, since it does not take reads of any range.
func NewDevice(f *os.File, read io.ReaderAt, size int64) *File { return &File{f, read, size} }

// Size is in bytes.
func (f *File) Size() int64 { return f.size }

// File implements layer.FileBacked.
func (f *File) File() *os.File { return f.file }

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, f.size, f.read.ReadAt)
}
