package tree

import (
	"iter"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Listing is a directory as it is read: its entries in an order that never changes, so that the index of an entry can be
// the offset of a directory read, or a cookie, over restarts too. It is immutable.
type Listing struct {
	// Err is what is missing from the entries, told when all of them were given.
	Err error

	fs     *FS
	point  *points.Point
	number uint64 // of the point
	dir    *ntfs.Node
	nodes  []child // of a directory that no point has
	names  []name  // of dir
}

type child struct {
	name string
	Node
}

// A name is what a listing needs of an ntfs.Entry: huge directories may be open many times.
type name struct {
	text string // WTF-8
	ref  ntfs.Ref
	kind ntfs.Kind
}

// Entry is one name in a directory.
type Entry struct {
	Name  string // as shown, and as Child finds it; WTF-8
	ID    uint64 // the number of its node
	Kind  Kind
	Index int // in the Listing

	list *Listing
}

// Node gives what the entry names. An entry whose record is damaged is listed all the same: this is where that is told.
func (e Entry) Node() (Node, error) {
	if e.list.dir == nil {
		return e.list.nodes[e.Index].Node, nil
	}
	x := &e.list.names[e.Index]
	n, err := e.list.dir.Named(x.text, x.ref)
	if err != nil {
		return Node{}, err
	}
	return e.list.fs.file(e.list.point, n)
}

// Len returns how many entries there are.
func (l *Listing) Len() int { return len(l.nodes) + len(l.names) }

// Entry returns entry i of [0, Len).
func (l *Listing) Entry(i int) Entry {
	if l.dir == nil {
		n := &l.nodes[i]
		return Entry{Name: n.name, ID: n.ID, Kind: n.Kind, Index: i, list: l}
	}
	x := &l.names[i]
	return Entry{Name: points.ShownName(l.dir, x.text), ID: packID(idFile, l.number, x.ref.Record), Kind: kindOf(x.kind), Index: i, list: l}
}

// List lists the directory of a number. The listings read last are kept, so a reader that comes back for the next entries
// costs no more than those. A directory with damage gives its healthy entries, and its error as Err; one without any
// entries that could be had is an error.
func (f *FS) List(id uint64) (*Listing, error) {
	if l, ok := f.listings.kept.Get(id); ok {
		return l, nil
	}
	n, err := f.Node(id)
	if err != nil {
		return nil, err
	}
	l, err := n.list()
	if err == nil {
		f.listings.add(id, l)
	}
	return l, err
}

// Listed says that a reader has come to the end of a directory: a long listing is dropped then, and short ones stay for
// the next reader.
func (f *FS) Listed(id uint64, l *Listing) {
	if l.Len() >= largeListing {
		f.listings.drop(id)
	}
}

// Entries lists a directory, in the order of List. An error comes last, and says what is missing.
func (n Node) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l, err := n.fs.List(n.ID)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for i := range l.Len() {
			if !yield(l.Entry(i), nil) {
				return
			}
		}
		n.fs.Listed(n.ID, l)
		if l.Err != nil {
			yield(Entry{}, l.Err)
		}
	}
}

func (n Node) list() (*Listing, error) {
	l := &Listing{fs: n.fs, point: n.Point}
	switch {
	case n.part == partItem && n.item.kind == itemDir:
		for _, i := range n.item.children {
			l.nodes = append(l.nodes, child{i.name, n.fs.item(i)})
		}
		return l, nil
	case n.part == partSnapshots:
		l.nodes = n.others()
		return l, nil
	case n.part == partVirtual:
		if l.nodes, l.Err = n.virtualEntries(); len(l.nodes) == 0 {
			return l, l.Err
		}
		return l, nil
	}
	dir, err := n.directory()
	if err != nil {
		return nil, err
	}
	if err := dir.Tree().QuickCensus(n.fs.layout.ctx); err != nil {
		return nil, err
	}
	l.dir, l.number = dir, n.fs.points.of(n.Point)
	some := false
	for e, err := range dir.Entries() {
		if err != nil {
			l.Err = err
			break
		}
		some = true
		if e.Ref.Record != dir.Ref.Record && (n.fs.opts.System || !e.Metafile()) { // the root lists itself as "."
			l.names = append(l.names, name{e.Name, e.Ref, e.Kind})
		}
	}
	if !some {
		return l, l.Err
	}
	return l, nil
}

const (
	keptEntries  = 1_000_000 // of directories that a reader may come back to, some 80 MB of them
	largeListing = 1000      // entries of a directory that is dropped when it was read to its end: the reader has it then
)

// listings keeps the directories that were listed last, by node id.
type listings struct {
	mu      sync.Mutex
	kept    *lru.Cache[uint64, *Listing]
	entries int
}

func newListings() *listings {
	l := &listings{}
	l.kept, _ = lru.NewWithEvict(keptEntries, func(_ uint64, old *Listing) { l.entries -= old.Len() + 1 })
	return l
}

func (l *listings) add(id uint64, list *Listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Remove(id)
	l.kept.Add(id, list)
	for l.entries += list.Len() + 1; l.entries > keptEntries && l.kept.Len() > 1; {
		l.kept.RemoveOldest()
	}
}

func (l *listings) drop(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Remove(id)
}
