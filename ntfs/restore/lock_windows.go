package restore

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes a file for this process until it is closed. Another one has it where it fails.
func lock(f *os.File) error {
	const far = 1 << 30 // in units of 4 GiB: a byte behind all that is written, as others could not read a locked one
	at := windows.Overlapped{OffsetHigh: far}
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
}
