//go:build linux || darwin || freebsd

package mount

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"syscall"

	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// A node id, which is also the inode number users see, holds from the top: one zero bit, 3 bits of kind, 20 bits of
// point, 40 bits of MFT record. The items of the layout come first, so that its root is FUSE's root, 1.
const (
	recordBits = 40
	pointBits  = 20
	kindShift  = recordBits + pointBits
)

const (
	kindItem      = iota // record = item ID + 1
	kindFile             // an MFT record of a point
	kindStream           // record = index in the table: a named stream
	kindSnapshots        // an MFT record of a point, whose .snapshots it is
	kindSame             // record = index in the table: a link in .snapshots
	kindVirtual          // record = index in the table: a directory of several points, or a link there
)

func itemID(i *tree.Item) uint64 { return uint64(i.ID) + 1 }

func nodeID(kind, point int, record uint64) uint64 {
	return uint64(kind)<<kindShift | uint64(point)<<recordBits | record
}

func splitID(id uint64) (kind, point int, record uint64) {
	return int(id >> kindShift), int(id >> recordBits & (1<<pointBits - 1)), id & (1<<recordBits - 1)
}

// node is what a node id stands for; exactly one of item and file is set. That of a virtual directory is the item that
// the directory is below.
type node struct {
	id     uint64
	item   *tree.Item
	point  *points.Point
	file   *ntfs.Node
	part   part
	stream string        // name of a named stream of file
	other  *points.Point // where a link in .snapshots leads

	virtual string // path of a virtual directory or link, below item
	link    string // its text
}

// table numbers the nodes that were looked up and that no number describes.
type table struct {
	mu   sync.RWMutex
	ids  map[tableKey]uint64
	keys []tableKey
}

type tableKey struct {
	kind, point int
	ref         ntfs.Ref
	stream      string // of a virtual one, its path
	link        string // its text
	other       int    // of a virtual one, its item
}

func (t *table) id(k tableKey) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, ok := t.ids[k]
	if !ok {
		if t.ids == nil {
			t.ids = map[tableKey]uint64{}
		}
		id = nodeID(k.kind, k.point, uint64(len(t.keys)))
		t.ids[k] = id
		t.keys = append(t.keys, k)
	}
	return id
}

func (t *table) key(record uint64) (tableKey, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if record >= uint64(len(t.keys)) {
		return tableKey{}, false
	}
	return t.keys[record], true
}

// node finds what an id stands for.
func (f *fileSystem) node(id uint64) (node, error) {
	kind, point, record := splitID(id)
	switch kind {
	case kindItem:
		if items := f.layout.Items(); record >= 1 && record <= uint64(len(items)) {
			item := items[record-1]
			return node{id: id, item: item, point: item.Point}, nil
		}
	case kindFile:
		return f.fileNode(id, point, ntfs.Ref{Record: record})
	case kindSnapshots:
		n, err := f.fileNode(id, point, ntfs.Ref{Record: record})
		n.part = partSnapshots
		return n, err
	case kindStream, kindSame, kindVirtual:
		if k, ok := f.table.key(record); ok && k.kind == kind {
			return f.tableNode(id, k)
		}
	}
	return node{}, fmt.Errorf("node 0x%x: %w", id, syscall.ESTALE)
}

func (f *fileSystem) tableNode(id uint64, k tableKey) (node, error) {
	if k.kind == kindVirtual {
		return node{id: id, item: f.layout.Items()[k.other], virtual: k.stream, link: k.link}, nil
	}
	n, err := f.fileNode(id, k.point, k.ref)
	if n.part, n.stream = partStream, k.stream; err == nil && k.kind == kindSame {
		n.part = partSame
		n.other, err = f.set.Point(k.other)
	}
	return n, err
}

func (f *fileSystem) fileNode(id uint64, point int, ref ntfs.Ref) (node, error) {
	p, err := f.set.Point(point)
	if err != nil {
		return node{}, err
	}
	t, err := p.Files()
	if err != nil {
		return node{}, err
	}
	n, err := t.Node(ref)
	if err != nil {
		return node{}, err
	}
	return node{id: id, point: p, file: n}, nil
}

// wrap numbers an MFT record of a point.
func wrap(p *points.Point, n *ntfs.Node) (node, error) {
	if n.Ref.Record >= 1<<recordBits || p.Number >= 1<<pointBits {
		return node{}, fmt.Errorf("record %v of point %d: %w", n.Ref, p.Number, syscall.EOVERFLOW)
	}
	return node{id: nodeID(kindFile, p.Number, n.Ref.Record), point: p, file: n}, nil
}

// child finds a directory entry.
func (f *fileSystem) child(n node, name string) (node, error) {
	if n.item != nil && n.item.Kind == tree.ItemVirtual {
		return f.virtualChild(n, name)
	}
	if n.item != nil && n.item.Kind != tree.ItemPoint {
		if c := n.item.Child(name); c != nil {
			return node{id: itemID(c), item: c, point: c.Point}, nil
		}
		return node{}, syscall.ENOENT
	}
	if n.part == partSnapshots {
		return f.sameNamed(n, name)
	}
	dir, err := n.directory()
	if err != nil {
		return node{}, err
	}
	c, err := points.Child(dir, name)
	if err == nil {
		return wrap(n.point, c)
	}
	if name == snapshotsName && len(n.point.Volume.Points) > 1 {
		return snapshots(n.point, dir), nil
	}
	if i := strings.LastIndexByte(name, ':'); i > 0 && toErrno(err) == syscall.ENOENT {
		return f.namedStream(n.point, dir, name[:i], name[i+1:])
	}
	return node{}, err
}

func (f *fileSystem) namedStream(p *points.Point, dir *ntfs.Node, file, stream string) (node, error) {
	c, err := points.Child(dir, file)
	if err != nil {
		return node{}, err
	}
	streams, damage := c.Streams()
	for _, s := range streams {
		if s.Name != "" && strings.EqualFold(s.Name, stream) {
			id := f.table.id(tableKey{kind: kindStream, point: p.Number, ref: c.Ref, stream: s.Name})
			return node{id: id, point: p, file: c, part: partStream, stream: s.Name}, nil
		}
	}
	return node{}, cmp.Or(damage, error(syscall.ENOENT))
}

// directory returns the NTFS directory that n stands for.
func (n node) directory() (*ntfs.Node, error) {
	if n.file != nil {
		if n.file.Kind != ntfs.KindDir || n.part != partSelf {
			return nil, syscall.ENOTDIR
		}
		return n.file, nil
	}
	if n.item.Kind != tree.ItemPoint {
		return nil, syscall.ENOTDIR
	}
	t, err := n.point.Files()
	if err != nil {
		return nil, err
	}
	return t.Root()
}
