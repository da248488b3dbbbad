package tree

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// The names of extended attributes start with the namespace that Linux has for them. A system without namespaces leaves
// it out.
const (
	SystemPrefix = "system."
	UserPrefix   = "user."
)

// MaxXattr is the most bytes that an extended attribute has, as Linux lets it. A longer stream is file:stream only.
const MaxXattr = 64 << 10

// Xattr returns the value of an extended attribute: snapmount's own ones, user.snapmount.*, come before those of ntfs-3g,
// and these before user.NAME for the stream of that name. It wraps ErrNoXattr when there is none, and ErrTooBig. Context is
// for user.snapmount.sha256, which reads all of the content.
func (n Node) Xattr(ctx context.Context, name string) ([]byte, error) {
	value, err := n.xattr(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoXattr
	case err == nil && len(value) > MaxXattr:
		err = ErrTooBig
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return value, nil
}

// XattrSize returns how many bytes Xattr would give, without reading the content of a file for its sum.
func (n Node) XattrSize(ctx context.Context, name string) (int, error) {
	if name == sumXattr && n.Kind == KindFile {
		return 2 * sha256.Size, nil
	}
	value, err := n.Xattr(ctx, name)
	return len(value), err
}

func (n Node) xattr(ctx context.Context, name string) ([]byte, error) {
	if get, ok := ownXattrs[name]; ok {
		return get(ctx, n)
	}
	file, err := n.metadataOf()
	if err != nil {
		return nil, err
	}
	for _, x := range ntfsXattrs {
		if x.name == name {
			return x.get(file)
		}
	}
	if stream, ok := sambaStreamOf(name); ok {
		return sambaValue(file, stream)
	}
	if stream, ok := strings.CutPrefix(name, UserPrefix); ok && stream != "" {
		return streamValue(file, stream)
	}
	return nil, ErrNoXattr
}

// Xattrs names the attributes that a copy of the node to NTFS needs, and no more; with TimeSamba, those that hold streams. Where damage may hide attributes it is
// an error, as a short list would be taken for all there is; Xattr works on.
func (n Node) Xattrs() ([]string, error) {
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
		if x.listed(file, has) && !n.fs.samba {
			names = append(names, x.name)
		}
	}
	if file.Kind == ntfs.KindSymlink {
		return names, nil // Linux lets links have no user attributes
	}
	streams, err := file.Streams()
	for _, s := range streams {
		_, own := ownXattrs[UserPrefix+s.Name]
		switch {
		case s.Name == "" || isPacked(file, s.Name):
		case n.fs.samba && s.Size < MaxXattr:
			names = append(names, sambaStream+s.Name+sambaData)
		case !n.fs.samba && !own && s.Size <= MaxXattr:
			names = append(names, UserPrefix+s.Name)
		}
	}
	return names, err
}

// HasSystemXattr reports whether name, without SystemPrefix, is that of one of ntfs-3g's attributes.
func HasSystemXattr(name string) bool {
	return slices.ContainsFunc(ntfsXattrs, func(x ntfsXattr) bool { return x.name == SystemPrefix+name })
}

// metadataOf returns the file or directory whose metadata the attributes of n are, or ErrNoXattr.
func (n Node) metadataOf() (*ntfs.Node, error) {
	if n.part == partFile {
		return n.file, nil
	}
	dir, err := n.directory()
	if errors.Is(err, ErrNotDir) {
		return nil, ErrNoXattr
	}
	return dir, err
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
	if m.Size() > MaxXattr {
		return nil, ErrTooBig
	}
	b := make([]byte, m.Size())
	err = layer.ReadFull(m, b, 0)
	return b, err
}
