package selection

import (
	"context"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/restore"
)

// informationName is the directory where VSS and others keep what is theirs. It is restored only if it is named.
const informationName = "System Volume Information"

// A filter says what of one source to restore.
type filter struct {
	ctx  context.Context
	s    *Selection
	c    *chosen
	fold func(string) string // of the volume
	met  map[goneKey]bool    // of what is gone

	top    string // the first name that was met last
	hidden bool   // it is informationName

	dir   string // that was met last, with a slash at its end
	stays bool   // the old point has it as this directory
}

// choose is restore.Source.Choose.
func (f *filter) choose(below string, n *ntfs.Node) (restore.Choice, error) {
	full := path.Join(f.c.path, below)
	dir := n.Kind == ntfs.KindDir && f.c.stream == ""
	if f.private(full) || f.excluded(full, dir) {
		return restore.Skip, nil
	}
	matched, deeper := f.wanted(below, dir)
	switch {
	case !matched && !(dir && deeper):
		return restore.Skip, nil
	case f.c.gone != nil:
		return f.gone(full, n, matched, dir), nil
	case !matched, dir && f.selects():
		return restore.Through, nil
	case dir, f.inTime(n) && (f.c.old == nil || f.differs(full, n)):
		return restore.Take, nil
	}
	return restore.Skip, nil
}

// private reports whether a path is of what Windows keeps for itself, and was not asked for.
func (f *filter) private(full string) bool {
	if f.c.all {
		return false
	}
	if top, _, _ := strings.Cut(full, "/"); top != f.top {
		f.top, f.hidden = top, f.fold(top) == f.fold(informationName)
	}
	return f.hidden
}

// excluded applies --exclude. What is in a directory that is left out is never asked.
func (f *filter) excluded(full string, dir bool) bool {
	return full != "" && slices.ContainsFunc(f.c.excluded, func(x *pattern.Pattern) bool {
		if x.ByPath() {
			return x.Match(full, dir)
		}
		return x.Match(path.Base(full), dir)
	})
}

// wanted applies the pattern of the location.
func (f *filter) wanted(below string, dir bool) (matched, deeper bool) {
	if f.c.pattern == nil {
		return true, true
	}
	if matched, deeper = f.c.pattern.Covers(below, dir); matched {
		f.c.matched.Store(true)
	}
	return matched, deeper
}

// selects reports whether files are chosen by more than their names.
func (f *filter) selects() bool { return f.s.newer != nil || f.s.older != nil || f.c.old != nil }

// inTime applies --newer and --older.
func (f *filter) inTime(n *ntfs.Node) bool {
	modified := n.Times.Modified.Time()
	return (f.s.newer == nil || !modified.Before(*f.s.newer)) && (f.s.older == nil || modified.Before(*f.s.older))
}

// differs reports whether a file is not known to have the content and streams that its path had at the old point. Times
// and other metadata do not count, and prove nothing.
func (f *filter) differs(full string, n *ntfs.Node) bool {
	if f.unchanged(full, n) {
		return false
	}
	was, err := f.c.old.Lookup(full)
	var same bool
	switch {
	case err != nil:
	case f.c.stream != "":
		same, err = compare.SameStream(f.ctx, was, n, f.c.stream)
	default:
		same, err = compare.SameFile(f.ctx, was, n)
	}
	if err != nil && !points.Absent(err) && f.ctx.Err() == nil {
		f.s.note("%s: taken, as it is not known whether it differs: %s", full, report.OneLine(err))
	}
	return !same || err != nil
}

// unchanged reports whether it is proven by places in the image that nothing of a file has changed, and no directory on
// its path.
func (f *filter) unchanged(full string, n *ntfs.Node) bool {
	if dir, _ := path.Split(full); dir != f.dir || dir == "" {
		a, err := n.Tree().Lookup(dir)
		b, err2 := f.c.old.Lookup(dir)
		f.dir, f.stays = dir, err == nil && err2 == nil && a.Ref == b.Ref
	}
	return f.stays && n.SameContentIn(f.c.old)
}
