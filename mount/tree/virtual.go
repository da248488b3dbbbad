package tree

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// virtuals are the directories beside the points of a volume that are made of what is in them. A new one is a file with its
// maker, and a line here.
var virtuals = []virtual{versionsDir, changesDir, deletedDir, lostDir}

// A virtual is the top of directories that no point has.
type virtual struct {
	name string                                                  // of the directory
	path string                                                  // in README.txt, below that of a volume: what is to be found there
	text string                                                  // what README.txt says of it
	make func(l *layout, top *item, shown []*points.Point) maker // shown are oldest first
}

// maker makes the directories below one item. Paths are relative to it, "" is itself. Both may be called concurrently.
// list may give entries and an error, which says what is missing.
type maker interface {
	list(dir string) ([]found, error)
	find(dir, name string) (found, error)
}

// found is an entry of a virtual directory: another one, a symbolic link, or a file of a point.
type found struct {
	name  string
	dir   bool          // it is the virtual directory of that name
	link  string        // or a link with this text
	point *points.Point // or file of this point
	file  *ntfs.Node    //
}

// leaf gives n as an entry. A link of a point would lead elsewhere from here, and a directory can be in one directory only:
// they become links to themselves.
func (l *layout) leaf(i *item, dir, name string, p *points.Point, n *ntfs.Node) (found, error) {
	if n.Kind != ntfs.KindDir && n.Kind != ntfs.KindSymlink {
		return found{name: name, point: p, file: n}, nil
	}
	at, err := points.DirPath(n)
	if err != nil {
		return found{}, err
	}
	from := path.Join(i.path(), dir)
	return found{name: name, link: points.RelativeLink(from, path.Join(l.roots[p].path(), at))}, nil
}

// virtualChild finds an entry of a virtual directory.
func (n Node) virtualChild(name string) (Node, error) {
	e, err := n.item.made.find(n.name, name)
	if err != nil {
		return Node{}, err
	}
	return n.made(e)
}

// virtualEntries lists a virtual directory by name. With an error, what could be had is there too.
func (n Node) virtualEntries() (out []child, err error) {
	list, damage := n.item.made.list(n.name)
	slices.SortFunc(list, func(a, b found) int { return cmp.Compare(a.name, b.name) })
	for _, e := range list {
		c, err := n.made(e)
		if err != nil {
			return out, err
		}
		out = append(out, child{e.name, c})
	}
	return out, damage
}

// made gives an entry of a virtual directory as a node.
func (n Node) made(e found) (Node, error) {
	if e.file != nil {
		return n.fs.file(e.point, e.file)
	}
	k := named{part: partVirtual, item: n.item, name: path.Join(n.name, e.name), link: e.link}
	if e.link != "" {
		k.part = partVirtualLink
	}
	return n.fs.virtual(n.fs.table.id(k, fmt.Sprintf("%s\x00%s\x00%s", n.item.path(), k.name, k.link)), k), nil
}

func (f *FS) virtual(id uint64, k named) Node {
	n := Node{ID: id, Kind: KindDir, fs: f, part: k.part, item: k.item, name: k.name, link: k.link}
	if k.part == partVirtualLink {
		n.Kind = KindLink
	}
	return n
}
