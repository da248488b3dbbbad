package tree

import (
	"context"
	"fmt"
	"slices"
	"time"

	"snapmount/mount/points"
)

// itemKind tells what an item is.
type itemKind uint8

const (
	itemDir     itemKind = iota // a directory of items
	itemLink                    // a symbolic link to target, relative
	itemText                    // a file holding text
	itemBlock                   // the block image of point
	itemPoint                   // the root directory of point's files
	itemVirtual                 // the top of virtual directories
)

// item is one node of the tree that lies outside every point in time. Items are few and fixed when the FS is made.
type item struct {
	id       uint64
	name     string
	kind     itemKind
	parent   *item // the root's is the root
	children []*item
	byName   map[string]*item
	target   string
	text     string
	point    *points.Point
	volume   *points.Volume // the volume it belongs to, or nil
	time     time.Time
	made     maker // by what virtual directories are made
	private  bool  // it is raw/, or in it
	alias    bool  // all that it leads to is listed elsewhere
}

// layout is the fixed part of the tree: all that is above the roots of the points.
type layout struct {
	ctx    context.Context // of the Set: what looks through whole points ends with it
	root   *item
	items  map[uint64]*item // by number
	roots  map[*points.Point]*item
	counts map[*points.Image]int // of the images, from 1
	notes  []string              // on the names of points, for users
}

// path returns the way to the item from the root, which is "".
func (i *item) path() string {
	if i.parent == i {
		return ""
	}
	return i.parent.path() + "/" + i.name
}

// free returns name, with a number behind it where the directory already has it.
func (i *item) free(name string) string {
	for n, base := 1, name; i.byName[name] != nil; {
		n++
		name = fmt.Sprintf("%s-%d", base, n)
	}
	return name
}

func (l *layout) add(parent *item, i item) *item {
	n := &i
	if n.parent = parent; parent == nil {
		n.parent, n.id = n, rootID
	} else {
		if n.volume == nil {
			n.volume = parent.volume
		}
		n.private = n.private || parent.private
		if n.time.IsZero() {
			n.time = parent.time
		}
		if parent.byName == nil {
			parent.byName = map[string]*item{}
		}
		parent.byName[n.name] = n
		parent.children = append(parent.children, n)
		for n.id = hashID(idItem, n.path()); n.id <= rootID || l.items[n.id] != nil; {
			n.id = nextID(n.id)
		}
	}
	l.items[n.id] = n
	return n
}

// newLayout builds the fixed part of the tree. at dates what has no time of its own.
func newLayout(s *points.Set, at time.Time, view View) (*layout, error) {
	l := &layout{ctx: s.Context(), items: map[uint64]*item{}, roots: map[*points.Point]*item{}, counts: map[*points.Image]int{}}
	for i, img := range s.Images {
		l.counts[img] = i + 1
	}
	l.root = l.add(nil, item{kind: itemDir, time: at})
	readme := l.add(l.root, item{name: "README.txt", kind: itemText})
	raw := l.add(l.root, item{name: "raw", kind: itemDir, private: true})
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
		names[v] = l.root.free(name)
		if v.Locked() != nil {
			l.addLocked(v, names[v])
		}
		if v.Filesystem == "ntfs" {
			if err := l.addVolume(v, names[v], shown[v], view); err != nil {
				return nil, err
			}
		}
	}
	l.addImages(raw, s, shown, names)
	l.addSets(s, names)
	readme.text = l.readme(s, names, shown)
	return l, nil
}

func (l *layout) addImages(raw *item, s *points.Set, shown map[*points.Volume][]*points.Point, names map[*points.Volume]string) {
	for _, v := range s.Volumes {
		if v.Locked() != nil {
			continue // what it holds is not known, and what encrypts it is no volume
		}
		dir := l.add(raw, item{name: raw.free(names[v]), kind: itemDir, volume: v})
		l.add(dir, item{name: "current.img", kind: itemBlock, point: v.Current()})
		for _, p := range shown[v] {
			l.add(dir, item{name: fmt.Sprintf("vss%d.img", p.Snapshot.Index), kind: itemBlock, point: p, time: p.Created()})
		}
	}
}

func (l *layout) addVolume(v *points.Volume, name string, shown []*points.Point, view View) error {
	dir := l.add(l.root, item{name: name, kind: itemDir, volume: v})
	l.roots[v.Current()] = l.add(dir, item{name: "current", kind: itemPoint, point: v.Current()})
	snaps := l.add(dir, item{name: "snapshots", kind: itemDir})
	pointNames, notes, err := view.pointNames(shown)
	if err != nil {
		return err
	}
	l.notes = append(l.notes, notes...)
	for i, p := range shown {
		l.roots[p] = l.add(snaps, item{name: snaps.free(pointNames[i]), kind: itemPoint, point: p, time: p.Created()})
	}
	if p := points.FirstShown(slices.Backward(shown)); p != nil {
		l.add(snaps, item{name: snaps.free("latest"), kind: itemLink, alias: true, target: l.roots[p].name})
		l.add(snaps, item{name: snaps.free("oldest"), kind: itemLink, alias: true, target: l.roots[points.FirstShown(slices.All(shown))].name})
	}
	for _, p := range shown {
		l.add(dir, item{name: fmt.Sprintf("vss%d", p.Snapshot.Index), kind: itemLink, alias: true, target: "snapshots/" + l.roots[p].name})
	}
	l.addVirtual(dir, v, shown)
	ids := l.add(dir, item{name: "ids", kind: itemDir, alias: true})
	for _, p := range shown {
		id := p.Snapshot.CopyID
		if !id.IsZero() && ids.byName[id.String()] == nil {
			l.add(ids, item{name: id.String(), kind: itemLink, target: "../snapshots/" + l.roots[p].name})
		}
	}
	return nil
}

// addVirtual adds what is made of the points: where there is one alone, only what does not take two.
func (l *layout) addVirtual(dir *item, v *points.Volume, shown []*points.Point) {
	all := append(slices.Clone(shown), v.Current())
	for _, k := range virtuals {
		if len(all) == 1 && k.name != lostDir.name {
			continue
		}
		i := l.add(dir, item{name: k.name, kind: itemVirtual})
		i.made = k.make(l, i, all)
	}
}

// addSets groups the points that were taken together on several volumes, under the time of the first.
func (l *layout) addSets(s *points.Set, names map[*points.Volume]string) {
	var sets *item
	for _, group := range s.CopySets() {
		group = slices.DeleteFunc(group, func(p *points.Point) bool { return l.roots[p] == nil })
		if group = shared(group); group == nil {
			continue
		}
		if sets == nil {
			sets = l.add(l.root, item{name: l.root.free("sets"), kind: itemDir, alias: true})
		}
		name := sets.free(group[0].Created().UTC().Format("2006-01-02T150405Z"))
		dir := l.add(sets, item{name: name, kind: itemDir, time: group[0].Created()})
		for _, p := range group {
			if name := names[p.Volume]; dir.byName[name] == nil {
				l.add(dir, item{name: name, kind: itemLink, target: "../../" + name + "/snapshots/" + l.roots[p].name})
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
