package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// changes makes the directories of changes/: one for two points, A..B, which has what changed from A to B. Listed are
// neighbours, and the oldest with the current state; any two others are there when they are looked up.
type changes struct {
	l      *layout
	item   *item
	points []*points.Point // that are shown, oldest first

	mu   sync.Mutex
	kept []*difference // used last, the newest last
}

var changesDir = virtual{"changes", "changes/A..B/", "what was created, deleted, modified and renamed between two points",
	func(l *layout, top *item, shown []*points.Point) maker {
		return &changes{l: l, item: top, points: shown}
	}}

// maxKept is how many differences are kept: each has an entry for each file that changed.
const maxKept = 16

// A difference is made when it is first looked into.
type difference struct {
	a, b *points.Point
	made func() (*pathTree, error)
}

func (m *changes) list(dir string) ([]found, error) {
	if dir != "" {
		t, err := m.below(dir)
		if t == nil {
			return nil, err
		}
		_, rest, _ := strings.Cut(dir, "/")
		out, err2 := t.list(rest)
		if rest == "" {
			return out, errors.Join(err, err2)
		}
		return out, err2
	}
	var out []found
	for i := range m.points[1:] {
		out = append(out, found{name: m.name(m.points[i], m.points[i+1]), dir: true})
	}
	if len(m.points) > 2 {
		out = append(out, found{name: m.name(m.points[0], m.points[len(m.points)-1]), dir: true})
	}
	return out, nil
}

func (m *changes) name(a, b *points.Point) string {
	return m.l.roots[a].name + ".." + m.l.roots[b].name
}

func (m *changes) find(dir, name string) (found, error) {
	if dir == "" {
		if a, _ := m.pair(name); a == nil {
			return found{}, fmt.Errorf("%q: want two points in time, A..B: %w", name, fs.ErrNotExist)
		}
		return found{name: name, dir: true}, nil
	}
	t, err := m.below(dir)
	if t == nil {
		return found{}, err
	}
	_, rest, _ := strings.Cut(dir, "/")
	return t.find(rest, name)
}

// pair finds two points by "A..B".
func (m *changes) pair(name string) (a, b *points.Point) {
	for _, p := range m.points {
		rest, ok := strings.CutPrefix(name, m.l.roots[p].name+"..")
		if !ok {
			continue
		}
		for _, q := range m.points {
			if q != p && m.l.roots[q].name == rest {
				return p, q
			}
		}
	}
	return nil, nil
}

// below gives what is below the first directory of a path. With an error, what could be compared is there too.
func (m *changes) below(dir string) (*pathTree, error) {
	first, _, _ := strings.Cut(dir, "/")
	a, b := m.pair(first)
	if a == nil {
		return nil, fmt.Errorf("%q: %w", first, fs.ErrNotExist)
	}
	m.mu.Lock()
	i := slices.IndexFunc(m.kept, func(d *difference) bool { return d.a == a && d.b == b })
	d := &difference{a: a, b: b}
	if i >= 0 {
		d = m.kept[i]
		m.kept = slices.Delete(m.kept, i, i+1)
	} else {
		d.made = sync.OnceValues(func() (*pathTree, error) { return m.compare(a, b) })
	}
	if m.kept = append(m.kept, d); len(m.kept) > maxKept {
		m.kept = slices.Delete(m.kept, 0, 1)
	}
	m.mu.Unlock()
	return d.made()
}

// compare sorts what changed from a to b into directories: created and deleted, and modified and renamed with what was
// before and after.
func (m *changes) compare(a, b *points.Point) (*pathTree, error) {
	old, err := a.Files()
	if err != nil {
		return nil, err
	}
	now, err := b.Files()
	if err != nil {
		return nil, err
	}
	list, err := compare.Trees(m.l.ctx, old, now, compare.Options{})
	if err != nil {
		return nil, err
	}
	t := &pathTree{}
	for _, kind := range []string{"created", "deleted", "modified/before", "modified/after", "renamed/before", "renamed/after"} {
		t.dir(kind)
	}
	var damage error
	failed := 0
	for c, err := range list {
		if err == nil {
			err = m.add(t, a, b, &c)
		}
		if err == nil {
			continue
		}
		if failed++; failed <= maxTold {
			damage = errors.Join(damage, fmt.Errorf("%s: %w", c.Path, err))
		}
	}
	return t, errors.Join(damage, context.Cause(m.l.ctx))
}

// maxTold is how many errors of one directory are told.
const maxTold = 20

// add adds one change.
func (m *changes) add(t *pathTree, a, b *points.Point, c *compare.Change) error {
	isDir := c.Type == ntfs.KindDir
	put := func(kind, name string, p *points.Point) error {
		return m.l.put(t, m.item, m.name(a, b), kind, name, p, c.Ref)
	}
	switch {
	case isDir && c.Kind == compare.Created:
		t.dir(path.Join("created", points.ShownPath(c.Path)))
	case isDir && c.Kind == compare.Deleted:
		t.dir(path.Join("deleted", points.ShownPath(c.Path)))
	case c.Kind == compare.Created:
		return put("created", c.Path, b)
	case c.Kind == compare.Deleted:
		return put("deleted", c.Path, a)
	case c.Kind == compare.Renamed:
		return errors.Join(put("renamed/before", c.OldPath, a), put("renamed/after", c.Path, b))
	case !isDir && (c.Kind == compare.Content || c.Kind == compare.Streams):
		if _, err := t.find(path.Join("modified/after", path.Dir(points.ShownPath(c.Path))), path.Base(points.ShownPath(c.Path))); err == nil {
			return nil // its other kind was there
		}
		return errors.Join(put("modified/before", c.Path, a), put("modified/after", c.Path, b))
	}
	return nil
}

// put adds what ref leads to at a point to a tree made below an item.
func (l *layout) put(t *pathTree, top *item, below, kind, name string, p *points.Point, ref ntfs.Ref) error {
	files, err := p.Files()
	if err != nil {
		return err
	}
	n, err := files.Node(ref)
	if err != nil {
		return err
	}
	at := path.Join(kind, points.ShownPath(name))
	f, err := l.leaf(top, path.Join(below, path.Dir(at)), path.Base(at), p, n)
	if err == nil {
		t.add(at, f)
	}
	return err
}
