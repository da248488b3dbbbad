package mount

import (
	"errors"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
)

// inFile looks for data or a hole, as whence says, where e lies in a sparse image file. other is the answer for what is
// in none. It moves the file's offset, which no reader uses.
func inFile(e layer.Extent, whence int, other bool) (int64, bool) {
	leaf, ok := e.Base.(layer.FileBacked)
	if !ok {
		return e.Off, other
	}
	if info, err := leaf.File().Stat(); err != nil || info.Size() < e.BaseOff+e.Len {
		return e.Off, other // what an image has lost since it was opened is no hole
	}
	at, err := unix.Seek(int(leaf.File().Fd()), e.BaseOff, whence)
	switch {
	case errors.Is(err, unix.ENXIO) && whence == unix.SEEK_DATA:
		return 0, false // the rest of the file is a hole
	case err != nil || at < e.BaseOff:
		return e.Off, other
	}
	return e.Off + at - e.BaseOff, at < e.BaseOff+e.Len
}
