//go:build unix

package restore

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes a file for this process until it is closed. Another one has it where it fails.
func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
