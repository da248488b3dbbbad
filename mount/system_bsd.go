//go:build darwin || freebsd

package mount

import (
	"errors"
	"os"
	"runtime"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// macPrograms are those of macFUSE that the FUSE library mounts by.
var macPrograms = []string{
	"/Library/Filesystems/macfuse.fs/Contents/Resources/mount_macfuse",
	"/Library/Filesystems/osxfuse.fs/Contents/Resources/mount_osxfuse",
}

// checkSystem says that there is no FUSE. What else is told beforehand on Linux, these systems tell when they mount.
func checkSystem(Options) error {
	if runtime.GOOS != "darwin" {
		return nil
	}
	for _, p := range macPrograms {
		if _, err := os.Stat(p); err == nil {
			return nil
		}
	}
	return errors.New("macFUSE is not installed")
}

func mayCover(string) error { return nil }

func startFUSE(start func() (*fuse.Server, error)) (*fuse.Server, error) { return start() }
