//go:build linux || darwin || freebsd

package mount

import (
	"context"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree/treetest"
)

func TestErrnos(t *testing.T) {
	done := make(chan struct{})
	r := request{context.Background(), done}
	if err := r.Err(); err != nil {
		t.Errorf("a request under way: %v", err)
	}
	close(done)
	if got := toErrno(r.Err()); got != syscall.EINTR {
		t.Errorf("a request that was interrupted: %v", got)
	}
	treetest.Answers(t, toErrno, map[string]syscall.Errno{
		"none": 0, "stale": syscall.ESTALE, "no xattr": syscall.Errno(fuse.ENOATTR), "not there": syscall.ENOENT, "no point": syscall.ENOENT,
		"damaged": syscall.EIO, "unknown": syscall.EIO, "both": syscall.EIO, "unsupported": syscall.EOPNOTSUPP,
		"no directory": syscall.ENOTDIR, "a directory": syscall.EISDIR, "no link": syscall.EINVAL, "too many links": syscall.ELOOP,
		"too big": syscall.E2BIG, "cancelled": syscall.EINTR, "the disk went": syscall.ENODEV, "the image went": syscall.EIO, "what nobody knew": syscall.EIO,
	})
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
