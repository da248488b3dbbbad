package tree

import (
	"fmt"
	"time"

	"snapmount/imagefmt/wintype"
)

// ItemKind tells what an Item is.
type ItemKind uint8

// The kinds of Item.
const (
	ItemDir   ItemKind = iota // a directory of Items
	ItemLink                  // a symbolic link to Target, relative
	ItemText                  // a file holding Text
	ItemBlock                 // the block image of Point
	ItemPoint                 // the root directory of Point's files
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
	Point    *Point
	Volume   *Volume // the volume it belongs to, or nil
	Time     time.Time
	byName   map[string]*Item
}

// Layout is the fixed part of the tree: all that is above the roots of the points.
type Layout struct{ items []*Item }

// Root returns the top directory.
func (l *Layout) Root() *Item { return l.items[0] }

// Items returns all items; an item's ID is its index.
func (l *Layout) Items() []*Item { return l.items }

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

// Layout builds the fixed part of the tree. at dates what has no time of its own.
func (s *Set) Layout(at time.Time) *Layout {
	l := &Layout{}
	root := l.add(nil, Item{Kind: ItemDir, Time: at})
	l.add(root, Item{Name: "README.txt", Kind: ItemText, Text: s.Readme()})
	for _, v := range s.Volumes {
		if v.Filesystem == "ntfs" {
			l.addVolume(root, v)
		}
	}
	raw := l.add(root, Item{Name: "raw", Kind: ItemDir})
	for _, v := range s.Volumes {
		dir := l.add(raw, Item{Name: v.Name, Kind: ItemDir, Volume: v})
		for _, p := range v.Points {
			name := "current.img"
			if p.Snapshot != nil {
				name = fmt.Sprintf("vss%d.img", p.Snapshot.Index)
			}
			l.add(dir, Item{Name: name, Kind: ItemBlock, Point: p, Time: p.Created()})
		}
	}
	l.addSets(root, s)
	return l
}

func (l *Layout) addVolume(root *Item, v *Volume) {
	dir := l.add(root, Item{Name: v.Name, Kind: ItemDir, Volume: v})
	l.add(dir, Item{Name: "current", Kind: ItemPoint, Point: v.Current()})
	snaps := l.add(dir, Item{Name: "snapshots", Kind: ItemDir})
	for _, p := range v.Snapshots() {
		l.add(snaps, Item{Name: p.Name, Kind: ItemPoint, Point: p, Time: p.Created()})
	}
	if p := v.Latest(); p != nil {
		l.add(snaps, Item{Name: "latest", Kind: ItemLink, Target: p.Name})
		l.add(snaps, Item{Name: "oldest", Kind: ItemLink, Target: v.Oldest().Name})
	}
	for _, p := range v.Snapshots() {
		l.add(dir, Item{Name: fmt.Sprintf("vss%d", p.Snapshot.Index), Kind: ItemLink, Target: "snapshots/" + p.Name})
	}
	ids := l.add(dir, Item{Name: "ids", Kind: ItemDir})
	for _, p := range v.Snapshots() {
		id := p.Snapshot.CopyID
		if !id.IsZero() && ids.Child(id.String()) == nil {
			l.add(ids, Item{Name: id.String(), Kind: ItemLink, Target: "../snapshots/" + p.Name})
		}
	}
}

// addSets groups the points that were taken together on several volumes, under the time of the first.
func (l *Layout) addSets(root *Item, s *Set) {
	var sets *Item
	for _, group := range s.CopySets() {
		if group = shared(group); group == nil {
			continue
		}
		if sets == nil {
			sets = l.add(root, Item{Name: "sets", Kind: ItemDir})
		}
		name, n := group[0].Created().UTC().Format("2006-01-02T150405Z"), 1
		for base := name; sets.Child(name) != nil; {
			n++
			name = fmt.Sprintf("%s-%d", base, n)
		}
		dir := l.add(sets, Item{Name: name, Kind: ItemDir, Time: group[0].Created()})
		for _, p := range group {
			if dir.Child(p.Volume.Name) == nil {
				l.add(dir, Item{Name: p.Volume.Name, Kind: ItemLink, Target: "../../" + p.Volume.Name + "/snapshots/" + p.Name})
			}
		}
	}
}

// CopySets groups the snapshots by shadow copy set, in the order of their first points.
func (s *Set) CopySets() [][]*Point {
	var out [][]*Point
	at := map[wintype.GUID]int{}
	for _, p := range s.points {
		if p.Snapshot == nil || p.Snapshot.SetID.IsZero() {
			continue
		}
		id := p.Snapshot.SetID
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id], out = i, append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// shared returns the points of a set that have files, when they are of several volumes.
func shared(group []*Point) []*Point {
	var out []*Point
	volumes := map[*Volume]bool{}
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
