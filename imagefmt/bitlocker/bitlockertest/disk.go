package bitlockertest

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// WriteDisk writes a disk of size bytes to a new file, with a volume of it encrypted: length bytes at off.
func WriteDisk(path string, disk io.ReaderAt, size, off, length int64, o Options) (v *Volume, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(size); err != nil {
		return nil, err
	}
	const step = 1 << 20
	b, zeros := make([]byte, step), make([]byte, step)
	for at := int64(0); at < size; at += step {
		part := b[:min(step, size-at)]
		if n, err := disk.ReadAt(part, at); n < len(part) {
			return nil, err
		}
		if bytes.Equal(part, zeros[:len(part)]) {
			continue // a hole
		}
		if _, err := f.WriteAt(part, at); err != nil {
			return nil, err
		}
	}
	return Write(io.NewOffsetWriter(f, off), io.NewSectionReader(disk, off, length), length, o)
}
