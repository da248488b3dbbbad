package tree

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// deleted makes the directories of deleted/: what some point had and the current state lacks, by its last path, as it
// was then. A file that has a new name, or whose path has a new file, is not deleted.
type deleted struct {
	l      *layout
	item   *item
	points []*points.Point // that are shown, oldest first
	made   func() (*pathTree, error)
}

var deletedDir = virtual{"deleted", "deleted/", "what some point has and the current state lacks, as it was last",
	func(l *layout, top *item, shown []*points.Point) maker {
		m := &deleted{l: l, item: top, points: shown}
		m.made = sync.OnceValues(m.look)
		return m
	}}

func (m *deleted) list(dir string) ([]found, error) {
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

func (m *deleted) find(dir, name string) (found, error) {
	t, err := m.made()
	if t == nil {
		return found{}, err
	}
	return t.find(dir, name)
}

// look looks through all points.
func (m *deleted) look() (*pathTree, error) {
	var damage error
	failed := 0
	t := &pathTree{}
	fail := func(err error) {
		if failed++; failed <= maxTold {
			damage = errors.Join(damage, err)
		}
	}
	for _, g := range points.FindGone(m.l.ctx, m.points, nil, fail) {
		if g.Kind == ntfs.KindDir {
			t.dir(points.ShownPath(g.Path))
			continue
		}
		if err := m.l.put(t, m.item, "", "", g.Path, g.Point, g.Ref); err != nil {
			fail(fmt.Errorf("%s: %w", g.Path, err))
		}
	}
	return t, errors.Join(damage, context.Cause(m.l.ctx))
}
