package device

import (
	"fmt"
	"io/fs"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// charDisks: /dev/rdiskN is /dev/diskN without the cache between, and much faster.
const charDisks = true

// From <sys/disk.h>: a block's size as uint32, and their number as uint64.
const (
	dkiocGetBlockSize  = 0x40046418
	dkiocGetBlockCount = 0x40086419
)

// measure asks the driver, because seeking to the end of a block device gives 0 on macOS.
func measure(f *os.File) (Geometry, error) {
	info, err := f.Stat()
	if err != nil {
		return Geometry{}, err
	}
	size, err := unix.IoctlGetInt(int(f.Fd()), dkiocGetBlockSize)
	if err != nil {
		return Geometry{}, fmt.Errorf("block size: %w", err)
	}
	count, err := unix.IoctlGetInt(int(f.Fd()), dkiocGetBlockCount)
	if err != nil {
		return Geometry{}, fmt.Errorf("block count: %w", err)
	}
	if size <= 0 || count <= 0 || count > math.MaxInt64/size {
		return Geometry{}, fmt.Errorf("%d blocks of %d bytes", count, size)
	}
	g := Geometry{Size: int64(count) * int64(size)}
	if info.Mode()&fs.ModeCharDevice != 0 {
		g.Sector = int64(size)
	}
	return g, nil
}
