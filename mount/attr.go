//go:build linux || darwin || freebsd

package mount

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// forever is how long the kernel may keep what never changes.
const forever = 365 * 24 * time.Hour

// hostBytes tells how many bytes a file takes on its disk.
func hostBytes(file string) (int64, bool) {
	var st syscall.Stat_t
	err := syscall.Stat(file, &st)
	return int64(st.Blocks) * 512, err == nil
}

func (f *fileSystem) fill(out *fuse.Attr, n tree.Node, a *tree.Attr) {
	out.Ino, out.Mode, out.Nlink = n.ID, f.mode(n), uint32(a.Links)
	out.Size, out.Blocks = shownSize(n, a), uint64(a.Allocated+511)/512
	out.Atime, out.Atimensec = uint64(a.Accessed.Unix()), uint32(a.Accessed.Nanosecond())
	out.Mtime, out.Mtimensec = uint64(a.Modified.Unix()), uint32(a.Modified.Nanosecond())
	out.Ctime, out.Ctimensec = uint64(a.Changed.Unix()), uint32(a.Changed.Nanosecond())
	out.Uid, out.Gid = f.owner.Uid, f.owner.Gid
	fillPlatform(out, a)
}

// shownSize gives directories the size that they have on most systems.
func shownSize(n tree.Node, a *tree.Attr) uint64 {
	if n.Kind == tree.KindDir {
		return 4096
	}
	return uint64(a.Size)
}

func sxTime(t time.Time) fuse.SxTime {
	return fuse.SxTime{Sec: uint64(t.Unix()), Nsec: uint32(t.Nanosecond())}
}

// GetAttr answers stat.
func (f *fileSystem) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n, a, err := f.attr(in.NodeId)
	if err != nil {
		return status(err)
	}
	f.fill(&out.Attr, n, &a)
	out.SetTimeout(forever)
	return fuse.OK
}

// Statx answers statx, which alone has the birth time.
func (f *fileSystem) Statx(_ <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	n, a, err := f.attr(in.NodeId)
	if err != nil {
		return status(err)
	}
	var s fuse.Attr
	f.fill(&s, n, &a)
	const basicAndBirth = 0xfff // STATX_BASIC_STATS | STATX_BTIME
	out.Mask, out.Blksize = basicAndBirth, blockSize
	out.Ino, out.Size, out.Blocks, out.Mode, out.Nlink = s.Ino, s.Size, s.Blocks, uint16(s.Mode), s.Nlink
	out.Uid, out.Gid = s.Uid, s.Gid
	out.Atime, out.Mtime, out.Ctime, out.Btime = sxTime(a.Accessed), sxTime(a.Modified), sxTime(a.Changed), sxTime(a.Created)
	out.SetTimeout(forever)
	return fuse.OK
}

func (f *fileSystem) attr(id uint64) (tree.Node, tree.Attr, error) {
	n, err := f.tree.Node(id)
	if err != nil {
		return n, tree.Attr{}, err
	}
	a, err := n.Attr()
	return n, a, err
}
