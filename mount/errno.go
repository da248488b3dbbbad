//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"io/fs"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// toErrno is the one table from errors to what system calls answer.
func toErrno(err error) syscall.Errno {
	var no syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ntfs.ErrStale):
		return syscall.ESTALE
	case errors.Is(err, fs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, layer.ErrUnsupported):
		return syscall.EOPNOTSUPP
	case errors.Is(err, layer.ErrCorrupt), errors.Is(err, layer.ErrUnknown):
		return syscall.EIO
	case errors.As(err, &no):
		return no
	}
	return syscall.EIO
}
