package folder

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// StripOf tells what changed in a directory between two neighbours in time.
func StripOf(ctx context.Context, a, b *points.Point, dir string) report.Strip {
	return Look(ctx, a, b, dir, func(compare.Change) {}, func(string) {})
}

// Look is StripOf, and gives what Changes gives of the directory in itself by the way: both are one comparison. What could
// not be compared goes to fail, with its path, if that is known.
func Look(ctx context.Context, a, b *points.Point, dir string, put func(compare.Change), fail func(path string)) report.Strip {
	one := report.Strip{Point: b.Name, From: a.Name}
	err := countChanges(ctx, a, b, dir, &one, put, fail)
	if err != nil {
		one.Error = report.OneLine(b.Because(a.Because(err)))
	}
	return one
}

func countChanges(ctx context.Context, a, b *points.Point, dir string, one *report.Strip, put func(compare.Change), fail func(path string)) error {
	treeA, err := a.Files()
	if err != nil {
		return err
	}
	treeB, err := b.Files()
	if err != nil {
		return err
	}
	_, err = b.Walk(dir, false)
	if one.There = err == nil; err != nil && !points.Absent(err) {
		return err
	}
	changes, err := compare.Trees(ctx, treeA, treeB, compare.Options{Paths: pathsOf(dir)})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	here := &direct{upper: treeB.Upper, dir: treeB.Upper(strings.Trim(dir, "/"))}
	for group, err := range compare.ByFile(changes) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			one.Failed++
			fail(strings.TrimPrefix(group[0].Path, "/"))
			continue
		}
		for _, c := range group {
			if here.concerns(c) {
				put(c)
			}
		}
		here.count(group, one)
	}
	return nil
}

// pathsOf limits a comparison; none is of all.
func pathsOf(dir string) []string {
	if strings.Trim(dir, "/") == "" {
		return nil
	}
	return []string{dir}
}

// direct tells what is in a directory itself.
type direct struct {
	upper func(string) string
	dir   string // in upper case
}

// holds reports whether a path is of the directory, or of what is in it.
func (d *direct) holds(name string) bool {
	name = d.upper(name)
	up := path.Dir(name)
	return name == d.dir || up == d.dir || up == "." && d.dir == ""
}

// concerns reports whether a change is of the directory in itself: a file may have been moved out of it.
func (d *direct) concerns(c compare.Change) bool {
	return d.holds(c.Path) || c.Kind == compare.Renamed && d.holds(c.OldPath)
}

// count adds the changes of one file.
func (d *direct) count(group []compare.Change, one *report.Strip) {
	group = slices.DeleteFunc(group, func(c compare.Change) bool { _, telling := c.Telling(); return !telling })
	if len(group) == 0 {
		return
	}
	c := group[0]
	if !d.concerns(c) {
		one.Below++
		return
	}
	has := func(k compare.Kind) bool {
		return slices.ContainsFunc(group, func(c compare.Change) bool { return c.Kind == k })
	}
	switch {
	case has(compare.Created):
		one.New++
	case has(compare.Deleted):
		one.Deleted++
	case has(compare.Renamed):
		one.Renamed++
	case has(compare.Content), has(compare.Streams):
		one.Changed++
	case c.Type == ntfs.KindDir:
	default:
		one.Details++
	}
}

// Changes gives what differs below a directory between two points; flat, what differs in itself alone. What could not be
// compared goes to fail, with its path, if that is known.
func Changes(ctx context.Context, a, b *points.Point, dir string, flat bool, put func(compare.Change) bool, fail func(path string, err error) bool) error {
	treeA, err := a.Files()
	if err != nil {
		return err
	}
	treeB, err := b.Files()
	if err != nil {
		return err
	}
	changes, err := compare.Trees(ctx, treeA, treeB, compare.Options{Paths: pathsOf(dir)})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // neither has it: nothing differs there
	}
	if err != nil {
		return b.Because(a.Because(err))
	}
	here := &direct{upper: treeB.Upper, dir: treeB.Upper(strings.Trim(dir, "/"))}
	for c, err := range changes {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if !fail(strings.TrimPrefix(c.Path, "/"), b.Because(a.Because(err))) {
				return nil
			}
		case flat && !here.concerns(c):
		case !put(c):
			return nil
		}
	}
	return nil
}
