//go:build linux || darwin || freebsd

package mount

import (
	"fmt"
	"runtime"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// blockSize is the I/O size that stat recommends.
const blockSize = 128 << 10

// fileSystem answers the kernel. Its methods translate, call, and translate back.
type fileSystem struct {
	fuse.RawFileSystem // ENOSYS to all that a read-only file system has not
	tree               *tree.FS
	opts               Options
	owner              fuse.Owner
	guarded            bool // none but the owner and root are answered
	openless           bool // the kernel opens files and directories without asking
}

// Init is the first call, when the kernel has told what it can do.
func (f *fileSystem) Init(s *fuse.Server) {
	const both = fuse.CAP_NO_OPEN_SUPPORT | 1<<24 // FUSE_NO_OPENDIR_SUPPORT, Linux 5.1
	f.openless = runtime.GOOS == "linux" && s.KernelSettings().Flags&both == both
}

func (f *fileSystem) String() string { return "snapmount" }

// Lookup finds a name in a directory; that a name is not there is remembered too.
func (f *fileSystem) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir, err := f.tree.Node(in.NodeId)
	if err != nil {
		return status(err)
	}
	n, err := dir.Child(name)
	if toErrno(err) == syscall.ENOENT {
		out.SetEntryTimeout(forever) // node id 0: a lasting "no"
		return fuse.OK
	}
	if err == nil {
		err = f.entry(n, out)
	}
	if err != nil && toErrno(err) != syscall.ENOENT {
		err = fmt.Errorf("%q: %w", name, err)
	}
	return f.told(in.NodeId, err)
}

func (f *fileSystem) entry(n tree.Node, out *fuse.EntryOut) error {
	a, err := n.Attr()
	if err != nil {
		return err
	}
	out.NodeId, out.Generation = n.ID, uint64(a.Generation)
	f.fill(&out.Attr, n, &a)
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	return nil
}

// Forget has nothing to do: no state is kept per inode.
func (f *fileSystem) Forget(_, _ uint64) {}

// Access allows what the modes show to those who are let in: reading. The kernel asks only when it does not check
// permissions itself.
func (f *fileSystem) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	const write = 2
	if in.Mask&write != 0 {
		return fuse.EROFS
	}
	return fuse.OK
}

// Readlink gives the text of a symbolic link.
func (f *fileSystem) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	n, err := f.tree.Node(in.NodeId)
	if err != nil {
		return nil, status(err)
	}
	text, err := n.Link()
	return []byte(text), status(err)
}

// StatFs tells the size of the volume asked about, or of all of them at the top.
func (f *fileSystem) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	n, err := f.tree.Node(in.NodeId)
	if err != nil {
		return status(err)
	}
	s, _ := n.Space() // that a damaged volume does not tell what is free is no reason to refuse its size
	const unit = 4096
	out.Bsize, out.Frsize, out.NameLen = unit, unit, 255
	out.Blocks, out.Bfree, out.Files = uint64(s.Total)/unit, uint64(s.Free)/unit, s.Files
	return fuse.OK
}

// told returns what the kernel is answered, and tells why: that is a number only. What is not there is no failure.
func (f *fileSystem) told(id uint64, err error) fuse.Status {
	switch toErrno(err) {
	case 0, syscall.ENOENT, syscall.EISDIR, syscall.ENOTDIR, syscall.Errno(fuse.ENOATTR):
		return status(err)
	}
	what := fmt.Sprintf("node 0x%x", id)
	if n, err := f.tree.Node(id); err == nil {
		what = n.String()
	}
	f.opts.warn(fmt.Errorf("%s: %w", what, err))
	return status(err)
}
