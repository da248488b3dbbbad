package device

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// charDisks: FreeBSD has no block devices at all.
const charDisks = true

// From <sys/disk.h>: the size of a sector as u_int, and of all as off_t.
const (
	diocgSectorSize = 0x40046480
	diocgMediaSize  = 0x40086481
)

// measure asks the driver: what is no disk has no answer.
func measure(f *os.File) (Geometry, error) {
	var sector uint32
	if err := ask(f, diocgSectorSize, unsafe.Pointer(&sector)); err != nil {
		return Geometry{}, fmt.Errorf("sector size: %w", err)
	}
	var size int64
	if err := ask(f, diocgMediaSize, unsafe.Pointer(&size)); err != nil {
		return Geometry{}, fmt.Errorf("media size: %w", err)
	}
	if sector == 0 {
		return Geometry{}, fmt.Errorf("sectors of %d bytes", sector)
	}
	return Geometry{Size: size, Sector: int64(sector)}, nil
}

func ask(f *os.File, code uintptr, out unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), code, uintptr(out)); errno != 0 {
		return errno
	}
	return nil
}
