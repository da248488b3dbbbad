package cmd

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// A goneSet is what a volume has no more.
type goneSet struct {
	list  []points.Gone
	has   map[goneKey]bool
	above map[goneKey]bool // the directories that these are in, without a reference
}

// goneKey is a path at a point, as pathWords has it.
type goneKey struct {
	point *points.Point
	ref   ntfs.Ref
	path  string
}

// findGone looks for what the last of some points lacks. What cannot be looked at is an item that failed.
func (r *restorer) findGone(ctx context.Context, shown []*points.Point) *goneSet {
	last := shown[len(shown)-1]
	s := &goneSet{has: map[goneKey]bool{}, above: map[goneKey]bool{}}
	var progress layer.Progress
	if r.shown == "" || r.shown == "plain" {
		progress = r.open.progress.As(last.Volume.Name + ": looking for what is deleted")
		defer r.open.progress("", 0, 0)
	}
	s.list = points.FindGone(ctx, shown, progress, func(err error) {
		r.lost = append(r.lost, restore.Result{Path: last.Volume.Name, Origin: originOf(last), Err: fmt.Errorf("what is deleted is not known in full: %w", err)})
	})
	for _, g := range s.list {
		words := pathWords(g.Path)
		s.has[goneKey{g.Point, g.Ref, strings.Join(words, "/")}] = true
		for i := range words {
			s.above[goneKey{point: g.Point, path: strings.Join(words[:i], "/")}] = true
		}
	}
	return s
}

// chooseGone finds what a location names at all points, or its own, that may keep files which the current state lacks.
func (r *restorer) chooseGone(ctx context.Context, t points.Target, under, location string) error {
	shown := t.Volume.Snapshots()
	if t.HasPoint {
		shown = []*points.Point{t.Point}
	}
	if len(shown) == 0 {
		return fmt.Errorf("%s: --deleted: there is the current state alone: %w", t.Volume.Name, points.ErrNoPoint)
	}
	id := goneID{t.Volume, shown[0], len(shown)}
	if r.gone[id] == nil {
		r.gone[id] = r.findGone(ctx, append(slices.Clone(shown), t.Volume.Current()))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	known := false
	var err error
	for _, p := range slices.Backward(shown) {
		c, err2 := lookChosen(p, t.Path)
		switch {
		case err2 == nil:
			if known, c.gone = true, r.gone[id]; c.gone.above[goneKey{point: p}] {
				r.add(c, under, location)
			}
		case points.Absent(err2):
			err = err2
		default:
			known = true
			r.lost = append(r.lost, restore.Result{Path: location, Origin: originOf(p), Err: err2})
		}
	}
	if !known {
		return err
	}
	return nil
}

// goneID tells the points apart that were looked through: all of a volume, or one.
type goneID struct {
	volume *points.Volume
	first  *points.Point
	n      int
}

// gone says what becomes of a file or directory where what is gone alone is wanted.
func (f *filter) gone(names []string, n *ntfs.Node, matched, dir bool) restore.Choice {
	k := goneKey{f.c.point, n.Ref, strings.Join(names, "/")}
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
			if g.Point != f.c.point {
				continue
			}
			below, ok := belowOf(f.c.path, g)
			words := pathWords(g.Path)
			if !ok || f.met[goneKey{g.Point, g.Ref, strings.Join(words, "/")}] || f.aboveExcluded(words) {
				continue
			}
			s := restore.Source{Name: path.Join(f.c.name, below), Origin: f.c.origin}
			s.Choose = func(inner string, n *ntfs.Node) (restore.Choice, error) { return f.choose(path.Join(below, inner), n) }
			n, err := f.c.node.Tree().Node(g.Ref)
			if s.Node = n; err != nil {
				s.Node, s.Choose = f.c.node, func(string, *ntfs.Node) (restore.Choice, error) { return restore.Skip, err }
			}
			if !yield(s) {
				return
			}
		}
	}
}

// belowOf gives the path of what is gone below a directory.
func belowOf(dir string, g *points.Gone) (string, bool) {
	if dir == "" {
		return g.Path, true
	}
	if len(g.Path) <= len(dir)+1 || g.Orphan {
		return "", false
	}
	at, below := g.Path[:len(dir)], g.Path[len(dir):]
	return below[1:], below[0] == '/' && strings.EqualFold(at, dir)
}

// aboveExcluded reports whether a directory above a path is left out.
func (f *filter) aboveExcluded(names []string) bool {
	for i := 1; i < len(names); i++ {
		if f.excluded(names[:i], true) {
			return true
		}
	}
	return false
}
