package nfs

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/tree"
)

// Statuses of NFS, which are those of MOUNT too as far as that has them.
const (
	statusNone      = 2
	statusIO        = 5
	statusDenied    = 13
	statusNotDir    = 20
	statusIsDir     = 21
	statusInvalid   = 22
	statusTooBig    = 27
	statusReadOnly  = 30
	statusLongName  = 63
	statusStale     = 70
	statusBadHandle = 10001
	statusBadCookie = 10003
	statusTooSmall  = 10005
	statusLater     = 10008
)

var (
	errLongName = errors.New("name too long")
	errCookie   = errors.New("no cookie of this directory")
	errTooSmall = errors.New("no room for one entry")
)

// statuses is the one table from errors to what is answered. Where an error matches several lines, the first counts. All
// else is statusIO: for what is unsupported, too, since kernels make numbers of NOTSUPP and SERVERFAULT that no program knows.
var statuses = []struct {
	err    error
	status uint32
}{
	{errStale, statusStale},
	{errHandle, statusBadHandle},
	{errDenied, statusDenied},
	{errReadOnly, statusReadOnly},
	{errLongName, statusLongName},
	{errCookie, statusBadCookie},
	{errTooSmall, statusTooSmall},
	{tree.ErrStale, statusIO}, // a name leads to another file's record: the handle of its directory is good
	{fs.ErrNotExist, statusNone},
	{layer.ErrCorrupt, statusIO},
	{layer.ErrUnknown, statusIO},
	{tree.ErrNotDir, statusNotDir},
	{tree.ErrIsDir, statusIsDir},
	{tree.ErrNotLink, statusInvalid},
	{tree.ErrLoop, statusInvalid},
	{tree.ErrTooBig, statusTooBig},
	{context.Canceled, statusLater},
	{context.DeadlineExceeded, statusLater},
}

// status gives the answer for an error. What the system says of an image file is no answer about the tree: a file that went
// is not a name that is not there.
func status(err error) uint32 {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return statusIO
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return statusIO
}

// tell tells why a call failed, of which the client is answered a number only. What a client asks wrongly is no news.
func (r *request) tell(err error) {
	if s := status(err); s == statusIO || s == statusLater {
		r.server.warn(errors.New(r.name() + ": " + wintype.Printable(err.Error())))
	}
}
