package tree

import (
	"cmp"
	"path"
	"slices"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// A Virtual is a directory that no point has: it is made of what several points have. It is below an Item of kind
// ItemVirtual, and described by that and its Path alone.
type Virtual struct {
	Item *Item
	Path string // below the item; "" is the item itself
}

// Found is an entry of a Virtual: another one, a symbolic link, or a file of a point.
type Found struct {
	Name  string
	Dir   bool          // it is the Virtual of that name
	Link  string        // or a link with this text
	Point *points.Point // or File of this point
	File  *ntfs.Node    //
}

// maker makes the directories below one item. Paths are relative to it. Both may be called concurrently.
type maker interface {
	list(dir string) ([]Found, error)
	find(dir, name string) (Found, error)
}

// Entries lists the directory by name. With an error, which says what is missing, what could be had is there too.
func (d Virtual) Entries() ([]Found, error) {
	found, err := d.Item.made.list(d.Path)
	slices.SortFunc(found, func(a, b Found) int { return cmp.Compare(a.Name, b.Name) })
	return found, err
}

// Child finds one entry. It wraps fs.ErrNotExist when there is none.
func (d Virtual) Child(name string) (Found, error) { return d.Item.made.find(d.Path, name) }

// Join is the directory of that name in d.
func (d Virtual) Join(name string) Virtual { return Virtual{d.Item, path.Join(d.Path, name)} }

// leaf gives n as an entry. A link of a point would lead elsewhere from here, and a directory can be in one directory only:
// they become links to themselves.
func (l *Layout) leaf(item *Item, dir, name string, p *points.Point, n *ntfs.Node) (Found, error) {
	if n.Kind != ntfs.KindDir && n.Kind != ntfs.KindSymlink {
		return Found{Name: name, Point: p, File: n}, nil
	}
	at, err := points.DirPath(n)
	if err != nil {
		return Found{}, err
	}
	from := path.Join(item.Path(), dir)
	return Found{Name: name, Link: points.RelativeLink(from, path.Join(l.RootOf(p).Path(), at))}, nil
}
