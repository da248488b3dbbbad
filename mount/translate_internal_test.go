//go:build linux || darwin || freebsd

package mount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

func TestErrnos(t *testing.T) {
	done := make(chan struct{})
	r := request{context.Background(), done}
	if err := r.Err(); err != nil {
		t.Errorf("a request under way: %v", err)
	}
	close(done)
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{tree.ErrStale, syscall.ESTALE},
		{tree.ErrNoXattr, syscall.Errno(fuse.ENOATTR)},
		{fs.ErrNotExist, syscall.ENOENT},
		{points.ErrNoPoint, syscall.ENOENT},
		{layer.Corrupt("record", 5, "bad"), syscall.EIO},
		{errors.Join(layer.ErrUnknown, layer.Corrupt("record", 5, "bad")), syscall.EIO},
		{layer.ErrUnsupported, syscall.EOPNOTSUPP},
		{tree.ErrNotDir, syscall.ENOTDIR},
		{tree.ErrIsDir, syscall.EISDIR},
		{tree.ErrNotLink, syscall.EINVAL},
		{tree.ErrLoop, syscall.ELOOP},
		{tree.ErrTooBig, syscall.E2BIG},
		{r.Err(), syscall.EINTR},
		{&fs.PathError{Op: "read", Err: syscall.ENODEV}, syscall.ENODEV},
		{errors.New("what nobody knows"), syscall.EIO},
	} {
		if c.err != nil {
			c.err = fmt.Errorf("%q: %w", "name", c.err)
		}
		if got := toErrno(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// TestXattrNames gives what the tree calls an attribute, and the system: "" where it cannot have it.
func TestXattrNames(t *testing.T) {
	long := string(make([]byte, 130))
	for _, c := range []struct{ system, tree, name string }{
		{"linux", "system.ntfs_acl", "system.ntfs_acl"}, {"linux", "user.small", "user.small"}, {"freebsd", "user.snapmount.mft", "user.snapmount.mft"},
		{"darwin", "system.ntfs_acl", "ntfs_acl"}, {"darwin", "user.small", "small"}, {"darwin", "user.snapmount.mft", "snapmount.mft"},
		{"darwin", "user.ntfs_acl", ""}, {"darwin", "user.user.x", "user.x"}, {"darwin", "user.system.ntfs_acl", "system.ntfs_acl"},
		{"linux", "user.a\x00b", ""}, {"darwin", "user." + long, ""}, {"linux", "user." + long + long, ""},
	} {
		name, ok := systemName(c.system, c.tree)
		if ok != (c.name != "") || ok && name != c.name {
			t.Errorf("%s: %q is %q, %v", c.system, c.tree, name, ok)
		}
		if back := treeName(c.system, name); ok && back != c.tree {
			t.Errorf("%s: %q is %q", c.system, name, back)
		}
	}
}
