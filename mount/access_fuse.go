//go:build linux || darwin || freebsd

package mount

import (
	"io/fs"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// types are what stat shows of a kind. That is all that a device has: its number stays 0, and the mount is nodev.
var types = [...]uint32{tree.KindDir: syscall.S_IFDIR, tree.KindFile: syscall.S_IFREG, tree.KindLink: syscall.S_IFLNK,
	tree.KindCharDevice: syscall.S_IFCHR, tree.KindBlockDevice: syscall.S_IFBLK, tree.KindFIFO: syscall.S_IFIFO, tree.KindSocket: syscall.S_IFSOCK}

// mode gives type and permissions.
func (f *fileSystem) mode(n tree.Node) uint32 {
	return types[n.Kind] | uint32(f.opts.permissions(f.tree, n))
}

// permissions are what a mount shows of a node. Block images have what files deny others, the deleted too: they are their
// owner's alone.
func (o *Options) permissions(files *tree.FS, n tree.Node) fs.FileMode {
	dir := n.Kind == tree.KindDir
	most := o.Modes.files()
	if dir {
		most = o.Modes.dirs()
	}
	switch {
	case n.Kind == tree.KindLink: // nobody asks what a link permits
		most = 0o777
	case files.Private(n.ID) && dir:
		most = 0o500
	case files.Private(n.ID):
		most = 0o400
	case o.Modes.Faithful:
		most &= n.Perm()
	}
	if n.ID == fuse.FUSE_ROOT_ID && guards(*o) {
		most &= 0o700
	}
	return most
}

// guards reports whether a mount is for its owner and root alone, although the kernel is told to let others in: root
// gives it to another user.
func guards(opts Options) bool {
	return os.Geteuid() == 0 && opts.Owner.Fixed && opts.Owner.UID != 0 && !opts.AllowOther
}

// admits reports whether who asks may have an answer. What the kernel remembers it gives without asking, and what it opens
// by itself: that it keeps from others by the modes (default_permissions), the first of which is the root directory's.
func (f *fileSystem) admits(in *fuse.InHeader) bool {
	if in.Uid == 0 || in.Uid == f.owner.Uid {
		return true
	}
	return !f.guarded && !(f.opts.AllowOther && f.tree.Private(in.NodeId))
}

// A gate answers none but those whom the file system admits. How large the volume is anybody may know.
type gate struct{ *fileSystem }

func (g gate) Lookup(cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	if !g.admits(in) {
		return fuse.EACCES
	}
	return g.fileSystem.Lookup(cancel, in, name, out)
}

func (g gate) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.GetAttr(cancel, in, out)
}

func (g gate) Statx(cancel <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.Statx(cancel, in, out)
}

func (g gate) Access(cancel <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.Access(cancel, in)
}

func (g gate) Readlink(cancel <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	if !g.admits(in) {
		return nil, fuse.EACCES
	}
	return g.fileSystem.Readlink(cancel, in)
}

func (g gate) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.Open(cancel, in, out)
}

func (g gate) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if !g.admits(&in.InHeader) {
		return nil, fuse.EACCES
	}
	return g.fileSystem.Read(cancel, in, buf)
}

func (g gate) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.Lseek(cancel, in, out)
}

func (g gate) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.OpenDir(cancel, in, out)
}

func (g gate) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.ReadDir(cancel, in, out)
}

func (g gate) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	if !g.admits(&in.InHeader) {
		return fuse.EACCES
	}
	return g.fileSystem.ReadDirPlus(cancel, in, out)
}

func (g gate) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	if !g.admits(in) {
		return 0, fuse.EACCES
	}
	return g.fileSystem.GetXAttr(cancel, in, name, dest)
}

func (g gate) ListXAttr(cancel <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	if !g.admits(in) {
		return 0, fuse.EACCES
	}
	return g.fileSystem.ListXAttr(cancel, in, dest)
}
