// Package vsstest writes volumes with shadow copies whose truth is known, for tests and benchmarks of every package.
//
// There are two levels. The record types (Header, SnapshotEntry, StoreEntry, Descriptor, ...) and WriteChain write any
// structure, also broken ones. Volume simulates the Windows driver: it takes writes, moves, resizes and snapshots, keeps
// a diff area by copy-on-write, and remembers what each snapshot must read as.
//
// Nothing here is safe for concurrent use, but an Image may be read by many once writing is over.
package vsstest

import (
	"fmt"
	"io"
	"os"

	"snapmount/imagefmt/layer"
)

// BlockSize is the unit of copy-on-write in bytes.
const BlockSize = 0x4000

// Image is what a volume is written to.
type Image interface {
	io.ReaderAt
	io.WriterAt
	Size() int64
	Truncate(size int64) error
}

// Memory is a sparse Image in memory, and a layer.Source.
type Memory struct {
	size  int64
	pages map[int64]*[BlockSize]byte
}

// NewMemory returns an Image of size zeros.
func NewMemory(size int64) *Memory {
	return &Memory{size: size, pages: map[int64]*[BlockSize]byte{}}
}

// Clone returns a copy.
func (m *Memory) Clone() *Memory {
	c := &Memory{size: m.size, pages: make(map[int64]*[BlockSize]byte, len(m.pages))}
	for n, page := range m.pages {
		p := *page
		c.pages[n] = &p
	}
	return c
}

// Size returns the bytes of the image.
func (m *Memory) Size() int64 { return m.size }

// ReadAt follows io.ReaderAt.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, m.size, m.read)
}

func (m *Memory) read(p []byte, off int64) (int, error) {
	for done := 0; done < len(p); {
		at := off + int64(done)
		part := p[done:min(len(p), done+BlockSize-int(at%BlockSize))]
		if page := m.pages[at/BlockSize]; page != nil {
			copy(part, page[at%BlockSize:])
		} else {
			clear(part)
		}
		done += len(part)
	}
	return len(p), nil
}

// WriteAt writes inside the image.
func (m *Memory) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > m.size || int64(len(p)) > m.size-off {
		return 0, fmt.Errorf("write of %d bytes at 0x%x, past the end 0x%x", len(p), off, m.size)
	}
	for done := 0; done < len(p); {
		at := off + int64(done)
		page := m.pages[at/BlockSize]
		if page == nil {
			page = new([BlockSize]byte)
			m.pages[at/BlockSize] = page
		}
		done += copy(page[at%BlockSize:], p[done:])
	}
	return len(p), nil
}

// Truncate cuts the image or extends it by zeros.
func (m *Memory) Truncate(size int64) error {
	for n, page := range m.pages {
		if start := n * BlockSize; start >= size {
			delete(m.pages, n)
		} else if start+BlockSize > size {
			clear(page[size-start:])
		}
	}
	m.size = size
	return nil
}

// File is an Image in an open file.
type File struct {
	*os.File
	size int64
}

// NewFile uses all of f, which the caller opened for reading and writing, and closes.
func NewFile(f *os.File) (*File, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &File{f, fi.Size()}, nil
}

// Size returns the bytes of the file.
func (f *File) Size() int64 { return f.size }

// Truncate cuts the file or extends it by a hole.
func (f *File) Truncate(size int64) error {
	if err := f.File.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return nil
}
