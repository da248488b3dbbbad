// Package imagetest holds what the tests of the image formats share: edits and hostile images, comparison with what QEMU
// and libvhdi show of an image, and the files of an image in memory.
package imagetest

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"snapmount/imagefmt/layer"
)

// Lost reports whether an error says that bytes are damaged, or in a missing part of the image.
func Lost(err error) bool { return errors.Is(err, layer.ErrCorrupt) || layer.IsMissing(err) }

// Edit changes an image, in place where it can.
type Edit func(b []byte) []byte

// PutBE32 puts a big-endian number at an offset.
func PutBE32(at int, v uint32) Edit {
	return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return b }
}

// PutBE64 puts a big-endian number at an offset.
func PutBE64(at int, v uint64) Edit {
	return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], v); return b }
}

// PutLE16 puts a little-endian number at an offset.
func PutLE16(at int, v uint16) Edit {
	return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
}

// PutLE32 puts a little-endian number at an offset.
func PutLE32(at int, v uint32) Edit {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}

// PutLE64 puts a little-endian number at an offset.
func PutLE64(at int, v uint64) Edit {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
}

// All makes several edits, in order.
func All(edits ...Edit) Edit {
	return func(b []byte) []byte {
		for _, edit := range edits {
			b = edit(b)
		}
		return b
	}
}

// None is no edit.
func None(b []byte) []byte { return b }

// Write writes a file into a folder of its own and returns its path.
func Write(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Content is all that s holds.
func Content(t testing.TB, s layer.Source) []byte {
	t.Helper()
	b := make([]byte, s.Size())
	if err := layer.ReadFull(s, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// Failing is a Source that cannot read a range until it is mended.
type Failing struct {
	layer.Source
	Off, Len int64
	Mended   atomic.Bool
}

// ReadAt implements io.ReaderAt.
func (f *Failing) ReadAt(p []byte, off int64) (int, error) {
	if off < f.Off+f.Len && f.Off < off+int64(len(p)) && !f.Mended.Load() {
		return 0, errors.New("bad sector")
	}
	return f.Source.ReadAt(p, off)
}
