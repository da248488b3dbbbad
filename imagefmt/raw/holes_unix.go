//go:build linux || freebsd || darwin

package raw

import (
	"errors"
	"runtime"
	"syscall"
)

// NextHole returns the first range at or behind off that the file system keeps no blocks for, which ends at the end of the
// file at the latest; n is 0 for none. It moves the offset of the open file, which nothing here depends on.
func (f *File) NextHole(off int64) (at, n int64, err error) {
	if info, err := f.file.Stat(); err != nil || info.Size() < f.size { // what it has lost since it was opened is no hole
		return f.size, 0, err
	}
	data, hole := 3, 4 // SEEK_DATA and SEEK_HOLE
	if runtime.GOOS == "darwin" {
		data, hole = hole, data
	}
	at, err = f.file.Seek(off, hole)
	if errors.Is(err, syscall.ENXIO) || err == nil && at >= f.size {
		return f.size, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err := f.file.Seek(at, data)
	if errors.Is(err, syscall.ENXIO) { // no data behind it
		end, err = f.size, nil
	}
	return at, min(end, f.size) - at, err
}
