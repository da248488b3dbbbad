package tree

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// deleted makes the directories of deleted/: what some point had and the current state lacks, by its last path, as it
// was then. A file that has a new name, or whose path has a new file, is not deleted.
type deleted struct {
	l      *Layout
	item   *Item
	points []*Point // that are shown, oldest first
	made   func() (*pathTree, error)
}

func newDeleted(l *Layout, item *Item, points []*Point) *deleted {
	m := &deleted{l: l, item: item, points: points}
	m.made = sync.OnceValues(m.look)
	return m
}

func (m *deleted) list(dir string) ([]Found, error) {
	t, err := m.made()
	if t == nil {
		return nil, err
	}
	out, err2 := t.list(dir)
	if dir == "" {
		err2 = errors.Join(err, err2)
	}
	return out, err2
}

func (m *deleted) find(dir, name string) (Found, error) {
	t, err := m.made()
	if t == nil {
		return Found{}, err
	}
	return t.find(dir, name)
}

// look looks through all points.
func (m *deleted) look() (*pathTree, error) {
	trees := make([]*ntfs.Tree, len(m.points))
	var damage error
	for i, p := range m.points {
		t, err := p.Files()
		if err != nil {
			damage = errors.Join(damage, err)
			continue
		}
		trees[i] = t
	}
	var found []timeline.Hit
	newest := map[ntfs.Ref]int{} // the last point that has a file
	failed := 0
	for h, err := range timeline.Find(trees, timeline.ReadDirs(trees, nil), timeline.Query{Deleted: true}, nil) {
		if err != nil {
			if failed++; failed <= maxTold {
				damage = errors.Join(damage, err)
			}
			continue
		}
		if !h.Deleted {
			found, newest[h.Ref] = append(found, h), max(newest[h.Ref], h.Last)
		}
	}
	now := m.points[len(m.points)-1]
	last := map[string]timeline.Hit{} // of each path
	for _, h := range found {
		if h.Last < newest[h.Ref] || h.Last < last[h.Path].Last {
			continue // it had another path later, or the path had another file
		}
		_, err := now.walk(shownPath(h.Path), false)
		switch {
		case absent(err):
			last[h.Path] = h
		case err != nil: // it may be there
			if failed++; failed <= maxTold {
				damage = errors.Join(damage, err)
			}
		}
	}
	t := &pathTree{}
	for _, name := range sortedKeys(last) {
		h, at := last[name], strings.TrimPrefix(name, "/")
		if h.Kind == ntfs.KindDir {
			t.dir(shownPath(at))
			continue
		}
		if err := m.l.put(t, m.item, "", "", at, m.points[h.Last], h.Ref); err != nil {
			damage = errors.Join(damage, fmt.Errorf("%s: %w", at, err))
		}
	}
	return t, damage
}
