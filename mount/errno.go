//go:build linux || darwin || freebsd

package mount

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
)

// errnos is the one table from errors to what system calls answer. Where an error matches several lines, the first
// counts.
var errnos = []struct {
	err error
	no  syscall.Errno
}{
	{tree.ErrStale, syscall.ESTALE},
	{tree.ErrNoXattr, syscall.Errno(fuse.ENOATTR)},
	{fs.ErrNotExist, syscall.ENOENT},
	{layer.ErrUnsupported, syscall.EOPNOTSUPP},
	{layer.ErrCorrupt, syscall.EIO},
	{layer.ErrUnknown, syscall.EIO},
	{tree.ErrNotDir, syscall.ENOTDIR},
	{tree.ErrIsDir, syscall.EISDIR},
	{tree.ErrNotLink, syscall.EINVAL},
	{tree.ErrLoop, syscall.ELOOP},
	{tree.ErrTooBig, syscall.E2BIG},
	{context.Canceled, syscall.EINTR},
}

// toErrno gives what system calls answer for an error: that of the table, else what the system said of an image file. That an
// image file is not there any more does not say so of a name in the image.
func toErrno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	var no syscall.Errno
	if errors.As(err, &no) && no == syscall.ENOENT {
		return syscall.EIO
	}
	for _, e := range errnos {
		if errors.Is(err, e.err) {
			return e.no
		}
	}
	if no != 0 {
		return no
	}
	return syscall.EIO
}

func status(err error) fuse.Status { return fuse.Status(toErrno(err)) }
