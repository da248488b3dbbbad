package tree

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"snapmount/mount/points"
)

// lost makes the directories of lost/: one for each point, which has the files and directories that no directory of it leads
// to, as "#RECORD NAME" with the best name that is known. Any other record in use is there by "#RECORD" when it is looked up.
type lost struct {
	l      *layout
	item   *item
	points []*points.Point // that are shown, oldest first
	made   map[*points.Point]func() ([]points.Lost, error)
}

var lostDir = virtual{"lost", "lost/POINT/", "files that no directory leads to, by MFT record",
	func(l *layout, top *item, shown []*points.Point) maker {
		m := &lost{l: l, item: top, points: shown, made: map[*points.Point]func() ([]points.Lost, error){}}
		for _, p := range shown {
			m.made[p] = sync.OnceValues(func() ([]points.Lost, error) { return p.Lost(context.Background()) })
		}
		return m
	}}

func (m *lost) list(dir string) (out []found, err error) {
	if dir == "" {
		for _, p := range m.points {
			out = append(out, found{name: m.l.roots[p].name, dir: true})
		}
		return out, nil
	}
	p := m.named(dir)
	if p == nil {
		return nil, fmt.Errorf("%q: %w", dir, fs.ErrNotExist)
	}
	list, err := m.made[p]()
	for _, x := range list {
		out = append(out, found{name: x.Name, point: p, file: x.Node})
	}
	return out, err
}

func (m *lost) find(dir, name string) (found, error) {
	if dir == "" {
		if m.named(name) == nil {
			return found{}, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
		}
		return found{name: name, dir: true}, nil
	}
	p := m.named(dir)
	if p == nil {
		return found{}, fmt.Errorf("%q: %w", dir, fs.ErrNotExist)
	}
	if points.IsRecord(name) {
		n, err := p.Walk(name, false)
		if err != nil {
			return found{}, err
		}
		at, err := points.DirPath(n)
		if err == nil {
			if there, err := p.Walk(at, false); err == nil && there.Ref == n.Ref { // a directory leads to it: a link to there
				return m.l.leaf(m.item, dir, name, p, n)
			}
		}
		return found{name: name, point: p, file: n}, nil
	}
	list, err := m.made[p]()
	if i := slices.IndexFunc(list, func(x points.Lost) bool { return x.Name == name }); i >= 0 {
		return found{name: name, point: p, file: list[i].Node}, nil
	}
	if err == nil {
		err = fmt.Errorf("%q: %w", name, fs.ErrNotExist)
	}
	return found{}, err
}

// named finds a point by the name of its directory.
func (m *lost) named(name string) *points.Point {
	for _, p := range m.points {
		if m.l.roots[p].name == name {
			return p
		}
	}
	return nil
}
