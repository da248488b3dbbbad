//go:build linux || darwin || freebsd

package mount

import (
	"fmt"
	"runtime"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	lru "github.com/hashicorp/golang-lru/v2"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// blockSize is the I/O size that stat recommends.
const blockSize = 128 << 10

// fileSystem answers the kernel. Its methods translate, call, and translate back.
type fileSystem struct {
	fuse.RawFileSystem // ENOSYS to all that a read-only file system has not
	set                *points.Set
	layout             *tree.Layout
	opts               Options
	owner              fuse.Owner
	imageBlocks        map[*points.Image]uint64
	listings           *listings
	table              table
	contents           *lru.Cache[uint64, layer.Source] // by node id, what was read last
	openless           bool                             // the kernel opens files and directories without asking
}

// Init is the first call, when the kernel has told what it can do.
func (f *fileSystem) Init(s *fuse.Server) {
	const both = fuse.CAP_NO_OPEN_SUPPORT | 1<<24 // FUSE_NO_OPENDIR_SUPPORT, Linux 5.1
	f.openless = runtime.GOOS == "linux" && s.KernelSettings().Flags&both == both
}

func (f *fileSystem) String() string { return "snapmount" }

func status(err error) fuse.Status { return fuse.Status(toErrno(err)) }

// Lookup finds a name in a directory; that a name is not there is remembered too.
func (f *fileSystem) Lookup(_ <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	dir, err := f.node(in.NodeId)
	if err != nil {
		return status(err)
	}
	n, err := f.child(dir, name)
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

func (f *fileSystem) entry(n node, out *fuse.EntryOut) error {
	a, err := f.attr(n)
	if err != nil {
		return err
	}
	out.NodeId = n.id
	if n.file != nil {
		out.Generation = uint64(n.file.Ref.Seq)
	}
	f.fill(&out.Attr, a)
	out.SetEntryTimeout(forever)
	out.SetAttrTimeout(forever)
	return nil
}

// Forget has nothing to do: no state is kept per inode.
func (f *fileSystem) Forget(_, _ uint64) {}

// Access allows what the modes show: reading. The kernel asks only when it does not check permissions itself.
func (f *fileSystem) Access(_ <-chan struct{}, in *fuse.AccessIn) fuse.Status {
	const write = 2
	if in.Mask&write != 0 {
		return fuse.EROFS
	}
	return fuse.OK
}

// Readlink gives the text of a symbolic link.
func (f *fileSystem) Readlink(_ <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	n, err := f.node(in.NodeId)
	switch {
	case err != nil:
		return nil, status(err)
	case n.item != nil && n.item.Kind == tree.ItemLink:
		return []byte(n.item.Target), fuse.OK
	case n.link != "":
		return []byte(n.link), fuse.OK
	case n.file == nil || n.part == partStream || n.part == partSnapshots:
		return nil, fuse.EINVAL
	case n.part == partSame:
		to, err := f.target(n)
		return []byte(to), status(err)
	}
	target, err := n.point.LinkTarget(n.file)
	return []byte(target), status(err)
}

// StatFs tells the size of the volume asked about, or of all of them at the top.
func (f *fileSystem) StatFs(_ <-chan struct{}, in *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	n, err := f.node(in.NodeId)
	if err != nil {
		return status(err)
	}
	const unit = 4096
	out.Bsize, out.Frsize, out.NameLen = unit, unit, 255
	p := n.point
	if p == nil && n.item.Volume != nil {
		p = n.item.Volume.Current()
	}
	if p == nil {
		for _, v := range f.set.Volumes {
			out.Blocks += uint64(v.Partition.Len) / unit
		}
		return fuse.OK
	}
	out.Blocks = uint64(p.Size()) / unit
	if t, err := p.Files(); err == nil {
		out.Files = t.Records()
		if free, err := t.FreeBytes(); err == nil {
			out.Bfree = uint64(free) / unit
		}
	}
	return fuse.OK
}
