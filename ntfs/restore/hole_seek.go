//go:build linux || darwin || freebsd

package restore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// nextData returns where the next data of f from off on is; end where there is none before that.
func nextData(f *os.File, off, end int64) int64 {
	at, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return end
	}
	if err != nil {
		return off
	}
	return min(max(at, off), end)
}
