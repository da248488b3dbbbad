//go:build linux || darwin || freebsd

package mount

import (
	"cmp"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// forever is how long the kernel may keep what never changes.
const forever = 365 * 24 * time.Hour

// dirLinks is how many links a directory has: 2 would tell tools that it has no subdirectories, and 1 tells nothing.
const dirLinks = 1

// attr is what stat shows of a node, before it takes the form of one of FUSE's answers.
type attr struct {
	ino, size, blocks          uint64
	mode, links                uint32
	mtime, atime, ctime, btime time.Time
}

func (f *fileSystem) attr(n node) (attr, error) {
	if n.item != nil {
		return f.itemAttr(n), nil
	}
	x := n.file
	t := x.Times
	a := attr{ino: n.id, size: uint64(x.Size), blocks: blocks(x.Allocated), links: uint32(max(x.Links, 1)),
		mtime: t.Modified.Time(), atime: t.Accessed.Time(), ctime: t.Changed.Time(), btime: t.Created.Time()}
	switch {
	case n.part == partStream:
		return a.ofStream(n)
	case n.part != partSelf:
		return f.snapshotsAttr(n, a)
	case x.Damage != nil && x.Kind == ntfs.KindFile && !x.HasData:
		return a, x.Damage // its size is not known
	case x.Kind == ntfs.KindDir:
		a.mode, a.size, a.links = syscall.S_IFDIR|0o555, 4096, dirLinks
		if n, err := x.IndexAllocated(); err == nil { // else listing it gives the error
			a.blocks = blocks(n)
		}
	case x.Kind == ntfs.KindSymlink:
		a.mode = syscall.S_IFLNK | 0o777
		target, err := n.point.LinkTarget(x)
		if err == nil { // else readlink gives the error
			a.size = uint64(len(target))
		}
	default:
		a.mode = kindMode(x.Kind) | 0o444
		if x.Resident { // tools take a file without blocks for one big hole
			a.blocks = blocks(x.Size)
		}
	}
	return a, nil
}

func (a attr) ofStream(n node) (attr, error) {
	streams, damage := n.file.Streams()
	for _, s := range streams {
		if s.Name == n.stream {
			a.mode, a.size, a.blocks, a.links = syscall.S_IFREG|0o444, uint64(s.Size), blocks(s.Allocated), 1
			if s.Resident {
				a.blocks = blocks(s.Size)
			}
			return a, nil
		}
	}
	return a, cmp.Or(damage, error(syscall.ENOENT))
}

func (f *fileSystem) itemAttr(n node) attr {
	i := n.item
	a := attr{ino: n.id, mode: n.mode(), links: 1, mtime: i.Time, atime: i.Time, ctime: i.Time, btime: i.Time}
	if n.link != "" {
		a.size = uint64(len(n.link))
		return a
	}
	switch i.Kind {
	case tree.ItemDir, tree.ItemPoint, tree.ItemVirtual:
		a.size, a.links = 4096, dirLinks
	case tree.ItemLink:
		a.size = uint64(len(i.Target))
	case tree.ItemText:
		a.size = uint64(len(i.Text))
	case tree.ItemBlock:
		a.size = uint64(i.Point.Size())
		a.blocks = min(blocks(int64(a.size)), f.imageBlocks[i.Point.Volume.Image])
	}
	if a.blocks == 0 && a.mode&syscall.S_IFMT == syscall.S_IFREG {
		a.blocks = blocks(int64(a.size))
	}
	return a
}

func itemMode(i *tree.Item) uint32 {
	switch i.Kind {
	case tree.ItemDir, tree.ItemPoint, tree.ItemVirtual:
		return syscall.S_IFDIR | 0o555
	case tree.ItemLink:
		return syscall.S_IFLNK | 0o777
	}
	return syscall.S_IFREG | 0o444
}

// imageBlocks returns how many blocks of 512 bytes the files of each image take: a block image has no more than that. Less than
// its size tells tools to look for holes.
func imageBlocks(s *points.Set) map[*points.Image]uint64 {
	all := map[*points.Image]uint64{}
	for _, img := range s.Images {
		for _, name := range img.Disk.Files() {
			var st syscall.Stat_t
			if syscall.Stat(name, &st) == nil {
				all[img] += uint64(st.Blocks)
			}
		}
	}
	return all
}

// blocks gives bytes in stat's unit of 512.
func blocks(n int64) uint64 { return uint64(n+511) / 512 }

func (f *fileSystem) fill(out *fuse.Attr, a attr) {
	out.Ino, out.Size, out.Blocks, out.Mode, out.Nlink = a.ino, a.size, a.blocks, a.mode, a.links
	out.Atime, out.Atimensec = uint64(a.atime.Unix()), uint32(a.atime.Nanosecond())
	out.Mtime, out.Mtimensec = uint64(a.mtime.Unix()), uint32(a.mtime.Nanosecond())
	out.Ctime, out.Ctimensec = uint64(a.ctime.Unix()), uint32(a.ctime.Nanosecond())
	out.Uid, out.Gid = f.owner.Uid, f.owner.Gid
	fillPlatform(out, a)
}

func sxTime(t time.Time) fuse.SxTime {
	return fuse.SxTime{Sec: uint64(t.Unix()), Nsec: uint32(t.Nanosecond())}
}

// GetAttr answers stat.
func (f *fileSystem) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	a, status := f.attrOf(in.NodeId)
	if status.Ok() {
		f.fill(&out.Attr, a)
		out.SetTimeout(forever)
	}
	return status
}

// Statx answers statx, which alone has the birth time.
func (f *fileSystem) Statx(_ <-chan struct{}, in *fuse.StatxIn, out *fuse.StatxOut) fuse.Status {
	a, status := f.attrOf(in.NodeId)
	if !status.Ok() {
		return status
	}
	const basicAndBirth = 0xfff // STATX_BASIC_STATS | STATX_BTIME
	out.Mask, out.Blksize = basicAndBirth, blockSize
	out.Ino, out.Size, out.Blocks, out.Mode, out.Nlink = a.ino, a.size, a.blocks, uint16(a.mode), a.links
	out.Uid, out.Gid = f.owner.Uid, f.owner.Gid
	out.Atime, out.Mtime, out.Ctime, out.Btime = sxTime(a.atime), sxTime(a.mtime), sxTime(a.ctime), sxTime(a.btime)
	out.SetTimeout(forever)
	return fuse.OK
}

func (f *fileSystem) attrOf(id uint64) (attr, fuse.Status) {
	n, err := f.node(id)
	if err != nil {
		return attr{}, status(err)
	}
	a, err := f.attr(n)
	return a, status(err)
}
