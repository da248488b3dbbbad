package folder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// goneEntries lists what a directory had at points before, and has not at this one.
type goneEntries struct {
	ctx   context.Context
	put   func(report.Row) bool
	p     Place
	now   *ntfs.Node      // the directory at the point
	seen  map[string]bool // names that were told, in upper case
	whole bool            // all names of the directory at the point are known
}

// list goes back in time. Its error is of points at which the directory could not be read.
func (g *goneEntries) list() (lost error) {
	shown := InTime(g.p.Point.Volume)
	newer := g.now // whose entries were told last
	for _, at := range slices.Backward(shown[:slices.Index(shown, g.p.Point)]) {
		if g.ctx.Err() != nil {
			return context.Cause(g.ctx)
		}
		dir, err := at.Walk(g.p.Path, true)
		if err == nil && dir.Kind == ntfs.KindDir && !(newer.Ref == dir.Ref && newer.SameContentIn(dir.Tree())) {
			newer = dir
			err = g.point(at, dir)
		}
		if err != nil && !points.Absent(err) && lost == nil {
			lost = fmt.Errorf("what was deleted since %s: %w", at.Name, at.Because(err))
		}
	}
	return lost
}

// point tells what a directory had at a point alone.
func (g *goneEntries) point(at *points.Point, dir *ntfs.Node) error {
	if err := dir.Tree().QuickCensus(g.ctx); err != nil {
		return err
	}
	var here []string // names that differ in case only are files of their own
	for e, err := range dir.Entries() {
		if err != nil {
			return err
		}
		key := dir.Tree().Upper(e.Name)
		if g.seen[key] || e.Metafile() || e.Ref.Record == dir.Ref.Record || compare.IsStore(e.Name) {
			continue
		}
		here = append(here, key)
		n, err := e.Node()
		row := report.RowOf(points.ShownName(dir, e.Name), e, n, err)
		row.Point = at.Name
		row.Gone, row.Now = g.fate(e.Ref)
		if !g.put(row) {
			return nil
		}
	}
	for _, key := range here {
		g.seen[key] = true
	}
	return nil
}

// fate says what became of a file whose name the directory lacks.
func (g *goneEntries) fate(ref ntfs.Ref) (string, *report.Name) {
	if !g.whole {
		return "unknown", nil
	}
	if now := g.p.now(ref); now != nil {
		return "renamed", now
	}
	_, err := g.now.Tree().Node(ref)
	if err != nil && (points.Absent(err) || errors.Is(err, ntfs.ErrStale)) {
		return "deleted", nil
	}
	return "unknown", nil // it is there without a path, or its record cannot be read
}
