//go:build linux || darwin || freebsd

package mount

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// verdictName is an attribute that says whether all content of a file is in the image. It is not listed, so that copies
// do not carry it.
const verdictName = "user.snapmount.verdict"

// GetXAttr answers for the attributes above.
func (f *fileSystem) GetXAttr(_ <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	if name != verdictName {
		return 0, fuse.ENOATTR
	}
	n, err := f.node(in.NodeId)
	if err != nil {
		return 0, status(err)
	}
	if n.file == nil || n.part != partStream && (n.part != partSelf || n.file.Kind != ntfs.KindFile) {
		return 0, fuse.ENOATTR
	}
	value := tree.Verdict(n.file, n.stream)
	if len(dest) < len(value) {
		return uint32(len(value)), fuse.ERANGE
	}
	return uint32(copy(dest, value)), fuse.OK
}

// ListXAttr lists nothing.
func (f *fileSystem) ListXAttr(_ <-chan struct{}, _ *fuse.InHeader, _ []byte) (uint32, fuse.Status) {
	return 0, fuse.OK
}
