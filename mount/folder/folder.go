// Package folder is a directory as people look at it who go through time: its entries at a point, what it had before and has
// no more, and what changed in it from one point to the next. The page of "serve" and the browser of terminals show it.
//
//	folder.go   List, the entries; Missing, of a path that is none
//	gone.go     what was there at points before
//	strip.go    StripOf, what changed as numbers; Changes, one by one; Look, both
//	find.go     Find, by name over all points; History, the versions of a file
//
// Nothing is kept. All functions may be called from any goroutine, end with their context, and give what they find to a
// function that says whether more is wanted.
package folder

import (
	"context"
	"path"
	"slices"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
)

// A Place is a path of a point: from the root on, with a slash before.
type Place struct {
	Point *points.Point
	Path  string
}

// InTime are the points of a volume, the oldest first and the current state last.
func InTime(v *points.Volume) []*points.Point {
	return append(slices.Clone(v.Snapshots()), v.Current())
}

// List gives the entries of dir, which is at the place, in the order of its index. Unless gone is nil, it is called then, and
// what the directory had before follows. The error says that there may be more.
func (p Place) List(ctx context.Context, dir *ntfs.Node, gone func(), put func(report.Row) bool) error {
	if err := dir.Tree().QuickCensus(ctx); err != nil {
		return err
	}
	there := map[string]bool{}
	var damage error
	for e, err := range dir.Entries() {
		if err != nil {
			damage = p.Point.Because(err)
			break
		}
		if e.Metafile() || e.Ref.Record == dir.Ref.Record { // the root lists itself
			continue
		}
		if gone != nil {
			there[dir.Tree().Upper(e.Name)] = true
		}
		n, err := e.Node()
		if !put(report.RowOf(points.ShownName(dir, e.Name), e, n, err)) {
			return nil
		}
	}
	if gone != nil {
		gone()
		g := &goneEntries{ctx: ctx, put: put, p: p, now: dir, seen: there, whole: damage == nil}
		if err := g.list(); err != nil && damage == nil {
			damage = err
		}
	}
	return damage
}

// Missing finds out where the path leads at other points. n is what it leads to at this one, if anything.
func (p Place) Missing(n *ntfs.Node) (m report.Missing) {
	if n != nil {
		m.Kind = report.KindName(n.Kind)
		return m
	}
	var near *ntfs.Node // at the newest point before this one, else at the oldest after it
	passed := false
	for _, at := range InTime(p.Point.Volume) {
		passed = passed || at == p.Point
		x, err := at.Walk(p.Path, false)
		switch {
		case err == nil:
			if m.Last = at.Name; m.First == "" {
				m.First = at.Name
			}
			if !passed || near == nil {
				near = x
			}
		case !points.Absent(err):
			m.Lost = append(m.Lost, at.Name)
		}
	}
	if near != nil {
		m.Moved = p.now(near.Ref)
	}
	return m
}

// now gives the path of a file at the point; nil where it is not known to have one.
func (p Place) now(ref ntfs.Ref) *report.Name {
	t, err := p.Point.Files()
	if err != nil {
		return nil
	}
	n, err := t.Node(ref)
	if err != nil {
		return nil
	}
	paths, err := t.Paths(n)
	if err != nil || len(paths) == 0 || paths[0].Orphan {
		return nil
	}
	name := report.Name(path.Join("/", points.ShownPath(paths[0].Name)))
	return &name
}
