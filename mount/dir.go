//go:build linux || darwin || freebsd

package mount

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"snapmount/mount/tree"
)

// OpenDir lets the kernel open directories by itself where it can, as Open does with files.
func (f *fileSystem) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.openless {
		return fuse.ENOSYS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_CACHE_DIR
	_, err := f.tree.List(in.NodeId)
	return status(err)
}

// ReadDir gives names from an offset on: 0 and 1 are the dots, i+2 is entry i.
func (f *fileSystem) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(in, out.AddDirEntry, func(e *tree.Entry) bool { return out.AddDirEntry(dirEntry(e)) })
}

// ReadDirPlus gives names with attributes. An entry whose record is damaged keeps its name; looking it up tells why.
func (f *fileSystem) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	dot := func(e fuse.DirEntry) bool { return out.AddDirLookupEntry(e) != nil }
	return f.readDir(in, dot, func(e *tree.Entry) bool {
		slot := out.AddDirLookupEntry(dirEntry(e))
		if slot == nil {
			return false
		}
		n, err := e.Node()
		if err != nil {
			return true
		}
		if f.entry(n, slot) != nil {
			*slot = fuse.EntryOut{}
			return true
		}
		out.FixMode(slot.Mode)
		return true
	})
}

// readDir gives add the entries from the offset on until it has no room. Damage is told to who asks behind the last.
func (f *fileSystem) readDir(in *fuse.ReadIn, dot func(fuse.DirEntry) bool, add func(*tree.Entry) bool) fuse.Status {
	l, err := f.tree.List(in.NodeId)
	if err != nil {
		return f.told(in.NodeId, err)
	}
	off := in.Offset
	for ; off < 2; off++ {
		if !dot(fuse.DirEntry{Name: "..."[:off+1], Mode: syscall.S_IFDIR, Ino: in.NodeId, Off: off + 1}) {
			return fuse.OK
		}
	}
	first := off
	for ; off-2 < uint64(l.Len()); off++ {
		if e := l.Entry(int(off - 2)); !add(&e) {
			return fuse.OK
		}
	}
	if off > first {
		return fuse.OK
	}
	f.tree.Listed(in.NodeId, l)
	return f.told(in.NodeId, l.Err)
}

func dirEntry(e *tree.Entry) fuse.DirEntry {
	return fuse.DirEntry{Name: e.Name, Ino: e.ID, Mode: types[e.Kind], Off: uint64(e.Index) + 3}
}
