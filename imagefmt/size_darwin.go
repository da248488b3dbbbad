package imagefmt

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// From <sys/disk.h>: a block's size as uint32, and their number as uint64.
const (
	dkiocGetBlockSize  = 0x40046418
	dkiocGetBlockCount = 0x40086419
)

// deviceSize asks the driver, because seeking to the end of a block device gives 0 on macOS.
func deviceSize(f *os.File) (int64, error) {
	size, err := unix.IoctlGetInt(int(f.Fd()), dkiocGetBlockSize)
	if err != nil {
		return 0, fmt.Errorf("block size: %w", err)
	}
	count, err := unix.IoctlGetInt(int(f.Fd()), dkiocGetBlockCount)
	if err != nil {
		return 0, fmt.Errorf("block count: %w", err)
	}
	if size <= 0 || count <= 0 || count > math.MaxInt64/size {
		return 0, fmt.Errorf("%d blocks of %d bytes", count, size)
	}
	return int64(count) * int64(size), nil
}
