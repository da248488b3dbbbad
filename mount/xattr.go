//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// maxXattr is the most bytes that Linux lets an extended attribute have.
const maxXattr = 64 << 10

// errNoXattr says that a file has no attribute of that name.
var errNoXattr = fmt.Errorf("extended attribute: %w", fs.ErrNotExist)

// GetXAttr gives the value of an extended attribute.
func (f *fileSystem) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	n, err := f.node(in.NodeId)
	if err != nil {
		return 0, status(err)
	}
	value, err := n.xattr(name, len(dest) == 0, cancel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, fuse.ENOATTR
	case err != nil:
		return 0, f.told(in.NodeId, fmt.Errorf("%s: %w", name, err))
	case len(value) > maxXattr:
		return 0, fuse.Status(syscall.E2BIG)
	case len(dest) < len(value):
		return uint32(len(value)), fuse.ERANGE // which only tells the size where that was the question
	}
	return uint32(copy(dest, value)), fuse.OK
}

// ListXAttr lists what a copy needs, and no more. Where damage may hide attributes it fails, as a short list would be
// taken for all there is; getting an attribute by its name works on.
func (f *fileSystem) ListXAttr(_ <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	n, err := f.node(in.NodeId)
	if err != nil {
		return 0, status(err)
	}
	names, err := n.xattrs()
	if err != nil {
		return 0, f.told(in.NodeId, fmt.Errorf("extended attributes: %w", err))
	}
	list := ""
	if len(names) > 0 {
		list = strings.Join(names, "\x00") + "\x00"
	}
	if len(dest) < len(list) {
		return uint32(len(list)), fuse.ERANGE
	}
	return uint32(copy(dest, list)), fuse.OK
}

// xattr returns the value of an extended attribute: snapmount's own ones come before a stream of the same name. With
// probe, only the length of the value counts.
func (n node) xattr(name string, probe bool, cancel <-chan struct{}) ([]byte, error) {
	if get, ok := ownXattrs[name]; ok {
		return get(n, probe, cancel)
	}
	file, err := n.metadataOf()
	if file == nil || err != nil {
		return nil, err
	}
	for _, x := range ntfsXattrs {
		if x.name == name {
			return x.get(file)
		}
	}
	if stream, ok := strings.CutPrefix(name, userPrefix); ok && stream != "" {
		return streamValue(file, stream)
	}
	return nil, errNoXattr
}

// xattrs names the attributes that are listed.
func (n node) xattrs() ([]string, error) {
	file, err := n.metadataOf()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	has, err := file.Metadata()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, x := range ntfsXattrs {
		if x.listed(file, has) {
			names = append(names, x.name)
		}
	}
	if file.Kind == ntfs.KindSymlink {
		return names, nil // Linux lets links have no user attributes
	}
	streams, err := file.Streams()
	for _, s := range streams {
		name := userPrefix + s.Name
		if s.Name != "" && !taken(name) && s.Size <= maxXattr && len(name) <= maxXattrName && !strings.Contains(name, "\x00") && !isPacked(file, s.Name) {
			names = append(names, name)
		}
	}
	return names, err
}

// taken reports whether a name is that of another attribute than a stream. Where names have no prefix any can be.
func taken(name string) bool {
	_, own := ownXattrs[name]
	return own || slices.ContainsFunc(ntfsXattrs, func(x ntfsXattr) bool { return x.name == name })
}

// metadataOf returns the file or directory whose metadata the attributes of n are. It wraps fs.ErrNotExist when there
// is none.
func (n node) metadataOf() (*ntfs.Node, error) {
	switch {
	case n.part != partSelf || n.file == nil && n.item.Kind != tree.ItemPoint:
		return nil, errNoXattr
	case n.file != nil:
		return n.file, nil
	}
	return n.directory()
}

// isPacked reports whether a stream is how the system keeps the content of a file, which a copy has unpacked.
func isPacked(file *ntfs.Node, stream string) bool {
	return file.ReparseTag == ntfs.TagWOF && stream == "WofCompressedData"
}

func streamValue(file *ntfs.Node, stream string) ([]byte, error) {
	m, err := file.Stream(stream)
	if err != nil {
		return nil, err
	}
	if m.Size() > maxXattr {
		return nil, syscall.E2BIG
	}
	b := make([]byte, m.Size())
	err = layer.ReadFull(m, b, 0)
	return b, err
}
