//go:build linux || darwin || freebsd

package mount

import (
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
	lru "github.com/hashicorp/golang-lru/v2"

	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// listing is a directory as it is read: its entries in a fixed order, so that an offset is an index.
type listing struct {
	self    uint64
	point   *points.Point
	dir     *ntfs.Node
	items   []*tree.Item
	named   []named // of .snapshots, and of a virtual directory
	entries []entry
	err     error // what is missing from entries; told when all of them were given
}

type named struct {
	name string
	node
}

const (
	keptEntries  = 1_000_000 // of directories that the kernel may come back to, some 80 MB of them
	largeListing = 1000      // entries of a directory that is dropped when it was read to its end: the kernel has it then
)

// listings keeps the directories that were listed last, by node id.
type listings struct {
	mu      sync.Mutex
	kept    *lru.Cache[uint64, *listing]
	entries int
}

func newListings() *listings {
	l := &listings{}
	l.kept, _ = lru.NewWithEvict(keptEntries, func(_ uint64, old *listing) { l.entries -= old.len() + 1 })
	return l
}

func (l *listings) add(id uint64, list *listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Remove(id)
	l.kept.Add(id, list)
	for l.entries += list.len() + 1; l.entries > keptEntries && l.kept.Len() > 1; {
		l.kept.RemoveOldest()
	}
}

func (l *listings) drop(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Remove(id)
}

// An entry is what readdir needs of an ntfs.Entry: huge directories may be open many times.
type entry struct {
	name string // WTF-8
	ref  ntfs.Ref
	kind ntfs.Kind
}

func (l *listing) len() int { return len(l.items) + len(l.named) + len(l.entries) }

// OpenDir lets the kernel open directories by itself where it can, as Open does with files.
func (f *fileSystem) OpenDir(_ <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.openless {
		return fuse.ENOSYS
	}
	out.OpenFlags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_CACHE_DIR
	_, err := f.listing(in.NodeId)
	return status(err)
}

// listing lists a directory. One with damage gives its healthy entries first and its error after them.
func (f *fileSystem) listing(id uint64) (*listing, error) {
	if l, ok := f.listings.kept.Get(id); ok {
		return l, nil
	}
	n, err := f.node(id)
	if err != nil {
		return nil, err
	}
	l, err := f.list(n)
	if err == nil {
		f.listings.add(id, l)
	}
	return l, err
}

func (f *fileSystem) list(n node) (*listing, error) {
	l := &listing{self: n.id, point: n.point}
	if n.item != nil && n.item.Kind == tree.ItemDir {
		l.items = n.item.Children
		return l, nil
	}
	if n.item != nil && n.item.Kind == tree.ItemVirtual {
		l.named, l.err = f.virtualEntries(n)
		if len(l.named) == 0 {
			return l, l.err
		}
		return l, nil
	}
	if n.part == partSnapshots {
		for _, p := range f.others(n) {
			l.named = append(l.named, named{f.layout.RootOf(p).Name, f.same(n, p)})
		}
		return l, nil
	}
	dir, err := n.directory()
	if err != nil {
		return nil, err
	}
	l.dir = dir
	some := false
	for e, err := range dir.Entries() {
		if err != nil {
			l.err = err
			break
		}
		some = true
		if e.Ref.Record != dir.Ref.Record && (f.opts.System || !e.Metafile()) { // the root lists itself as "."
			l.entries = append(l.entries, entry{e.Name, e.Ref, e.Kind})
		}
	}
	if !some {
		return l, l.err
	}
	return l, nil
}

// dirEntry describes entry i as readdir shows it.
func (l *listing) dirEntry(i int) fuse.DirEntry {
	off := uint64(i) + 3
	if i < len(l.items) {
		item := l.items[i]
		return fuse.DirEntry{Name: item.Name, Ino: itemID(item), Mode: itemMode(item) & syscall.S_IFMT, Off: off}
	}
	if i -= len(l.items); i < len(l.named) {
		n := l.named[i]
		return fuse.DirEntry{Name: n.name, Ino: n.id, Mode: n.mode() & syscall.S_IFMT, Off: off}
	}
	e := l.entries[i-len(l.named)]
	return fuse.DirEntry{Name: points.ShownName(l.dir, e.name), Ino: nodeID(kindFile, l.point.Number, e.ref.Record), Mode: kindMode(e.kind), Off: off}
}

// dots are the two entries before all others.
func (l *listing) dots(offset uint64) fuse.DirEntry {
	return fuse.DirEntry{Name: "..."[:offset+1], Mode: syscall.S_IFDIR, Ino: l.self, Off: offset + 1}
}

// ReadDir gives names from an offset on: 0 and 1 are the dots, i+2 is entry i.
func (f *fileSystem) ReadDir(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(in, func(e fuse.DirEntry, _ func() (node, error)) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus gives names with attributes. An entry whose record is damaged keeps its name; looking it up tells why.
func (f *fileSystem) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(in, func(e fuse.DirEntry, open func() (node, error)) bool {
		slot := out.AddDirLookupEntry(e)
		if slot == nil {
			return false
		}
		if open == nil {
			return true
		}
		if n, err := open(); err == nil && f.entry(n, slot) != nil {
			*slot = fuse.EntryOut{}
		} else if err == nil {
			out.FixMode(slot.Mode)
		}
		return true
	})
}

func (f *fileSystem) readDir(in *fuse.ReadIn, add func(fuse.DirEntry, func() (node, error)) bool) fuse.Status {
	l, err := f.listing(in.NodeId)
	if err != nil {
		return f.told(in.NodeId, err)
	}
	off := in.Offset
	for ; off < 2; off++ {
		if !add(l.dots(off), nil) {
			return fuse.OK
		}
	}
	first := off
	for ; off-2 < uint64(l.len()); off++ {
		i := int(off - 2)
		if !add(l.dirEntry(i), func() (node, error) { return l.open(i) }) {
			return fuse.OK
		}
	}
	if off > first {
		return fuse.OK
	}
	if l.len() >= largeListing {
		f.listings.drop(in.NodeId)
	}
	return f.told(in.NodeId, l.err)
}

func (l *listing) open(i int) (node, error) {
	if i < len(l.items) {
		item := l.items[i]
		return node{id: itemID(item), item: item, point: item.Point}, nil
	}
	if i -= len(l.items); i < len(l.named) {
		return l.named[i].node, nil
	}
	e := l.entries[i-len(l.named)]
	n, err := l.dir.Tree().NodeIn(l.dir.Ref, e.name, e.ref)
	if err != nil {
		return node{}, err
	}
	return wrap(l.point, n)
}
