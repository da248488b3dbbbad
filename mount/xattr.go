//go:build linux || darwin || freebsd

package mount

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// GetXAttr gives the value of an extended attribute, or its size where there is no room for any.
func (f *fileSystem) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	n, err := f.tree.Node(in.NodeId)
	if err != nil {
		return 0, status(err)
	}
	ctx, name := request{context.Background(), cancel}, treeName(runtime.GOOS, name)
	if in.NodeId == fuse.FUSE_ROOT_ID && name == serverXattr {
		return filled(dest, f.opts.about)
	}
	if len(dest) == 0 {
		size, err := n.XattrSize(ctx, name)
		return uint32(size), f.told(in.NodeId, err)
	}
	value, err := n.Xattr(ctx, name)
	if err != nil {
		return 0, f.told(in.NodeId, err)
	}
	return filled(dest, value)
}

// ListXAttr lists what a copy needs, and no more. Where damage may hide attributes it fails, as a short list would be
// taken for all there is; getting an attribute by its name works on.
func (f *fileSystem) ListXAttr(_ <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	n, err := f.tree.Node(in.NodeId)
	if err != nil {
		return 0, status(err)
	}
	names, err := n.Xattrs()
	if err != nil {
		return 0, f.told(in.NodeId, fmt.Errorf("extended attributes: %w", err))
	}
	var list []byte
	for _, name := range names {
		if name, ok := systemName(runtime.GOOS, name); ok {
			list = append(append(list, name...), 0)
		}
	}
	return filled(dest, list)
}

// filled copies an answer, or gives its size and no room.
func filled(dest, answer []byte) (uint32, fuse.Status) {
	if len(dest) < len(answer) {
		return uint32(len(answer)), fuse.ERANGE // which only tells the size where that was the question
	}
	return uint32(copy(dest, answer)), fuse.OK
}

// treeName gives the name that mount/tree has for an attribute. MacOS has no namespaces, and FreeBSD's kernel makes these
// prefixes of its own.
func treeName(system, name string) string {
	switch {
	case system != "darwin":
		return name
	case tree.HasSystemXattr(name):
		return tree.SystemPrefix + name
	}
	return tree.UserPrefix + name
}

// systemName is the reverse of treeName. A name that the system cannot have is told from those that it can.
func systemName(system, name string) (string, bool) {
	shown, most := name, 255
	if system == "darwin" {
		shown, most = strings.TrimPrefix(strings.TrimPrefix(name, tree.SystemPrefix), tree.UserPrefix), 127 // XATTR_MAXNAMELEN
	}
	return shown, len(shown) <= most && !strings.Contains(shown, "\x00") && treeName(system, shown) == name
}

// request is the context of a request, which ends when the kernel takes it back.
type request struct {
	context.Context
	cancel <-chan struct{}
}

func (r request) Done() <-chan struct{} { return r.cancel }

func (r request) Err() error {
	select {
	case <-r.cancel:
		return context.Canceled
	default:
		return nil
	}
}
