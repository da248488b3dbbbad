package device

import (
	"io"
	"os"
)

const charDisks = false

// measure goes to the end: block devices of Linux are buffered, and read at any offset.
func measure(f *os.File) (Geometry, error) {
	n, err := f.Seek(0, io.SeekEnd)
	return Geometry{Size: n}, err
}
