package evidence

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/tree"
)

// statuses is the one table from errors to status codes. Where an error matches several lines, the first counts.
var statuses = []struct {
	err  error
	code int
}{
	{tree.ErrStale, http.StatusInternalServerError}, // a name leads to another file's record: not absent, but contradicted
	{fs.ErrNotExist, http.StatusNotFound},
	{layer.ErrUnsupported, http.StatusNotImplemented},
	{layer.ErrCorrupt, http.StatusInternalServerError},
	{layer.ErrUnknown, http.StatusInternalServerError},
	{tree.ErrNotDir, http.StatusNotFound}, // nothing is below a file
	{tree.ErrIsDir, http.StatusMethodNotAllowed},
	{tree.ErrNotLink, http.StatusBadRequest},
	{tree.ErrLoop, http.StatusLoopDetected},
	{tree.ErrTooBig, http.StatusRequestEntityTooLarge},
	{context.Canceled, http.StatusServiceUnavailable},
	{context.DeadlineExceeded, http.StatusServiceUnavailable},
}

// Status gives the status code for an error. What the system says of an image file is no answer about the tree: a file that
// went is not a name that is not there.
func Status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return http.StatusInternalServerError
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.code
		}
	}
	return http.StatusInternalServerError
}

// Reason is an error as one line of text that names of an image cannot act in.
func Reason(err error) string {
	return wintype.Printable(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
}

// Fail answers with an error: its status code, and its reason as text.
func Fail(w http.ResponseWriter, err error) {
	h := w.Header()
	for _, name := range []string{"Accept-Ranges", "Content-Length", "Content-Range", "Content-Disposition", "ETag", "Last-Modified"} {
		h.Del(name)
	}
	Guard(h)
	http.Error(w, Reason(err), Status(err))
}
