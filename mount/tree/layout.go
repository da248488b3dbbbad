// Package tree is what users see of a points.Set: the layout of directories above the points, and the views made of
// several points. It knows no FUSE.
package tree

import (
	"fmt"
	"slices"
	"time"

	"snapmount/mount/points"
)

// ItemKind tells what an Item is.
type ItemKind uint8

// The kinds of Item.
const (
	ItemDir     ItemKind = iota // a directory of Items
	ItemLink                    // a symbolic link to Target, relative
	ItemText                    // a file holding Text
	ItemBlock                   // the block image of Point
	ItemPoint                   // the root directory of Point's files
	ItemVirtual                 // the root of Virtual directories
)

// Item is one node of the tree users see that lies outside every point in time. Items are few and fixed at Open.
type Item struct {
	ID       int // its index in the Layout; the root is 0
	Name     string
	Kind     ItemKind
	Parent   *Item // the root's is the root
	Children []*Item
	Target   string
	Text     string
	Point    *points.Point
	Volume   *points.Volume // the volume it belongs to, or nil
	Time     time.Time
	byName   map[string]*Item
	made     maker // what a Virtual is made by
}

// Layout is the fixed part of the tree: all that is above the roots of the points.
type Layout struct {
	items  []*Item
	roots  map[*points.Point]*Item
	counts map[*points.Image]int // of the images, from 1
}

// Root returns the top directory.
func (l *Layout) Root() *Item { return l.items[0] }

// Items returns all items; an item's ID is its index.
func (l *Layout) Items() []*Item { return l.items }

// Path returns the way to the item from the root, which is "".
func (i *Item) Path() string {
	if i.Parent == i {
		return ""
	}
	return i.Parent.Path() + "/" + i.Name
}

// Child returns the entry of that name, or nil.
func (i *Item) Child(name string) *Item { return i.byName[name] }

func (l *Layout) add(parent *Item, item Item) *Item {
	n := &item
	n.ID, n.Parent = len(l.items), parent
	if parent == nil {
		n.Parent = n
	} else {
		if n.Volume == nil {
			n.Volume = parent.Volume
		}
		if n.Time.IsZero() {
			n.Time = parent.Time
		}
		if parent.byName == nil {
			parent.byName = map[string]*Item{}
		}
		parent.byName[n.Name] = n
		parent.Children = append(parent.Children, n)
	}
	l.items = append(l.items, n)
	return n
}

// RootOf returns the item of a point's root directory, or nil when the layout does not show it.
func (l *Layout) RootOf(p *points.Point) *Item { return l.roots[p] }

// Layout builds the fixed part of the tree. at dates what has no time of its own.
func NewLayout(s *points.Set, at time.Time, view View) (*Layout, error) {
	l := &Layout{roots: map[*points.Point]*Item{}, counts: map[*points.Image]int{}}
	for i, img := range s.Images {
		l.counts[img] = i + 1
	}
	root := l.add(nil, Item{Kind: ItemDir, Time: at})
	readme := l.add(root, Item{Name: "README.txt", Kind: ItemText})
	raw := l.add(root, Item{Name: "raw", Kind: ItemDir})
	shown, err := view.selected(s.Volumes)
	if err != nil {
		return nil, err
	}
	names := map[*points.Volume]string{}
	for _, v := range s.Volumes {
		name, err := view.volumeName(v, l.counts[v.Image])
		if err != nil {
			return nil, err
		}
		names[v] = root.free(name)
		if v.Filesystem == "ntfs" {
			if err := l.addVolume(root, v, names[v], shown[v], view); err != nil {
				return nil, err
			}
		}
	}
	l.addImages(raw, s, shown, names)
	l.addSets(root, s, names)
	readme.Text = l.readme(s, names, shown)
	return l, nil
}

func (l *Layout) addImages(raw *Item, s *points.Set, shown map[*points.Volume][]*points.Point, names map[*points.Volume]string) {
	for _, v := range s.Volumes {
		dir := l.add(raw, Item{Name: raw.free(names[v]), Kind: ItemDir, Volume: v})
		l.add(dir, Item{Name: "current.img", Kind: ItemBlock, Point: v.Current()})
		for _, p := range shown[v] {
			l.add(dir, Item{Name: fmt.Sprintf("vss%d.img", p.Snapshot.Index), Kind: ItemBlock, Point: p, Time: p.Created()})
		}
	}
}

func (l *Layout) addVolume(root *Item, v *points.Volume, name string, shown []*points.Point, view View) error {
	dir := l.add(root, Item{Name: name, Kind: ItemDir, Volume: v})
	l.roots[v.Current()] = l.add(dir, Item{Name: "current", Kind: ItemPoint, Point: v.Current()})
	snaps := l.add(dir, Item{Name: "snapshots", Kind: ItemDir})
	for _, p := range shown {
		name, err := view.pointName(p)
		if err != nil {
			return err
		}
		l.roots[p] = l.add(snaps, Item{Name: snaps.free(name), Kind: ItemPoint, Point: p, Time: p.Created()})
	}
	if p := points.FirstShown(slices.Backward(shown)); p != nil {
		l.add(snaps, Item{Name: snaps.free("latest"), Kind: ItemLink, Target: l.roots[p].Name})
		l.add(snaps, Item{Name: snaps.free("oldest"), Kind: ItemLink, Target: l.roots[points.FirstShown(slices.All(shown))].Name})
	}
	for _, p := range shown {
		l.add(dir, Item{Name: fmt.Sprintf("vss%d", p.Snapshot.Index), Kind: ItemLink, Target: "snapshots/" + l.roots[p].Name})
	}
	l.addVirtual(dir, v, shown)
	ids := l.add(dir, Item{Name: "ids", Kind: ItemDir})
	for _, p := range shown {
		id := p.Snapshot.CopyID
		if !id.IsZero() && ids.Child(id.String()) == nil {
			l.add(ids, Item{Name: id.String(), Kind: ItemLink, Target: "../snapshots/" + l.roots[p].Name})
		}
	}
	return nil
}

// addVirtual adds the views of more than one point.
func (l *Layout) addVirtual(dir *Item, v *points.Volume, shown []*points.Point) {
	if len(shown) == 0 {
		return
	}
	all := append(slices.Clone(shown), v.Current())
	item := l.add(dir, Item{Name: "versions", Kind: ItemVirtual})
	item.made = &versions{l, item, all}
	item = l.add(dir, Item{Name: "changes", Kind: ItemVirtual})
	item.made = &changes{l: l, item: item, points: all}
	item = l.add(dir, Item{Name: "deleted", Kind: ItemVirtual})
	item.made = newDeleted(l, item, all)
}

// addSets groups the points that were taken together on several volumes, under the time of the first.
func (l *Layout) addSets(root *Item, s *points.Set, names map[*points.Volume]string) {
	var sets *Item
	for _, group := range s.CopySets() {
		group = slices.DeleteFunc(group, func(p *points.Point) bool { return l.roots[p] == nil })
		if group = shared(group); group == nil {
			continue
		}
		if sets == nil {
			sets = l.add(root, Item{Name: root.free("sets"), Kind: ItemDir})
		}
		name := sets.free(group[0].Created().UTC().Format("2006-01-02T150405Z"))
		dir := l.add(sets, Item{Name: name, Kind: ItemDir, Time: group[0].Created()})
		for _, p := range group {
			if name := names[p.Volume]; dir.Child(name) == nil {
				l.add(dir, Item{Name: name, Kind: ItemLink, Target: "../../" + name + "/snapshots/" + l.roots[p].Name})
			}
		}
	}
}

// shared returns the points of a set that have files, when they are of several volumes.
func shared(group []*points.Point) []*points.Point {
	var out []*points.Point
	volumes := map[*points.Volume]bool{}
	for _, p := range group {
		if p.Volume.Filesystem == "ntfs" {
			out, volumes[p.Volume] = append(out, p), true
		}
	}
	if len(volumes) < 2 {
		return nil
	}
	return out
}
