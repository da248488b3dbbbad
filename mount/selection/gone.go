package selection

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// A goneSet is what alone is wanted of the points of a volume: what it has no more, or what is the last good version of a file.
type goneSet struct {
	list  []points.Gone
	has   map[goneKey]bool
	above map[goneKey]bool // the directories that these are in, without a reference
}

// goneKey is a path at a point, in upper case as the volume has it.
type goneKey struct {
	point *points.Point
	ref   ntfs.Ref
	path  string
}

// goneID tells the points apart that were looked through: all of a volume, or one.
type goneID struct {
	volume *points.Volume
	first  *points.Point
	n      int
}

// findGone looks for what the last of some points lacks. What cannot be looked at is an item that failed.
func (s *Selection) findGone(ctx context.Context, shown []*points.Point) *goneSet {
	last := shown[len(shown)-1]
	set := newGoneSet()
	defer s.hooks.Progress.Tell("", 0, 0)
	for _, g := range points.FindGone(ctx, shown, s.hooks.Progress.As(last.Volume.Name+": looking for what is deleted"), func(err error) {
		s.lose(last.Volume.Name, last, fmt.Errorf("what is deleted is not known in full: %w", err))
	}) {
		if err := set.add(g); err != nil {
			s.lose(g.Path, g.Point, err)
		}
	}
	return set
}

func newGoneSet() *goneSet { return &goneSet{has: map[goneKey]bool{}, above: map[goneKey]bool{}} }

// add takes a file, and notes the directories that it is in.
func (set *goneSet) add(g points.Gone) error {
	set.list = append(set.list, g)
	full, err := folded(&g)
	if err != nil {
		return err
	}
	set.has[goneKey{g.Point, g.Ref, full}] = true
	for i := range full {
		if full[i] == '/' {
			set.above[goneKey{point: g.Point, path: full[:i]}] = true
		}
	}
	set.above[goneKey{point: g.Point}] = true
	return nil
}

// folded is the path of what is gone in upper case.
func folded(g *points.Gone) (string, error) {
	t, err := g.Point.Files()
	if err != nil {
		return "", err
	}
	return t.Upper(g.Path), nil
}

// chooseGone finds what a location names at all points, or its own, that may keep files which the current state lacks.
func (s *Selection) chooseGone(ctx context.Context, t points.Target, under, location string) error {
	shown := t.Volume.Snapshots()
	if t.HasPoint {
		shown = []*points.Point{t.Point}
	}
	if len(shown) == 0 {
		return fmt.Errorf("%s: --deleted: there is the current state alone: %w", t.Volume.Name, points.ErrNoPoint)
	}
	id := goneID{t.Volume, shown[0], len(shown)}
	if s.gone[id] == nil {
		if !t.HasPoint {
			s.doubt(location, t.Volume.Current(), t.Volume.Missing())
		}
		s.gone[id] = s.findGone(ctx, append(slices.Clone(shown), t.Volume.Current()))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	known := false
	var err error
	for _, p := range slices.Backward(shown) {
		c, err2 := glance(p, t.Path)
		switch {
		case err2 == nil:
			if known, c.gone = true, s.gone[id]; c.gone.above[goneKey{point: p}] {
				s.add(c, under, location)
			}
		case points.Absent(err2):
			err = err2
		default:
			known = true
			s.lose(location, p, err2)
		}
	}
	if !known {
		return err
	}
	return nil
}

// gone says what becomes of a file or directory where what is gone alone is wanted.
func (f *filter) gone(full string, n *ntfs.Node, matched, dir bool) restore.Choice {
	k := goneKey{f.c.point, n.Ref, f.fold(full)}
	has := f.c.gone.has[k]
	if has {
		f.met[k] = true
	}
	switch {
	case has && matched && (f.inTime(n) && !dir || dir && !f.selects()):
		return restore.Take
	case dir && (has || f.c.gone.above[goneKey{point: k.point, path: k.path}]):
		return restore.Through
	}
	return restore.Skip
}

// missed gives what is gone and was not met on the way through the directories of its point: their indexes are damaged, or
// it is in none.
func (f *filter) missed() iter.Seq[restore.Source] {
	return func(yield func(restore.Source) bool) {
		if f.c.gone == nil || f.c.stream != "" {
			return
		}
		for i := range f.c.gone.list {
			g := &f.c.gone.list[i]
			if g.Point != f.c.point || f.met[goneKey{g.Point, g.Ref, f.fold(g.Path)}] {
				continue
			}
			below, ok := f.below(g)
			if ok && !f.aboveExcluded(g.Path) && !yield(f.source(g, below)) {
				return
			}
		}
	}
}

// source is one that was missed.
func (f *filter) source(g *points.Gone, below string) restore.Source {
	s := restore.Source{Name: path.Join(f.c.name, below), Origin: f.c.origin}
	s.Choose = func(inner string, n *ntfs.Node) (restore.Choice, error) { return f.choose(path.Join(below, inner), n) }
	n, err := f.c.node.Tree().Node(g.Ref)
	if s.Node = n; err != nil {
		s.Node, s.Choose = f.c.node, func(string, *ntfs.Node) (restore.Choice, error) { return restore.Skip, err }
	}
	return s
}

// below gives the path of what is gone below the directory that was chosen.
func (f *filter) below(g *points.Gone) (string, bool) {
	names, dir := points.SplitPath(g.Path), points.SplitPath(f.c.path)
	if len(names) <= len(dir) || len(dir) > 0 && g.Orphan || f.fold(strings.Join(names[:len(dir)], "/")) != f.fold(f.c.path) {
		return "", false
	}
	return strings.Join(names[len(dir):], "/"), true
}

// aboveExcluded reports whether a directory above a path is left out.
func (f *filter) aboveExcluded(full string) bool {
	for i := range full {
		if full[i] == '/' && f.excluded(full[:i], true) {
			return true
		}
	}
	return false
}
