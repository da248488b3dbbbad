package cmd

import (
	"context"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// informationName is the directory where VSS and others keep what is theirs. It is restored only if it is named.
const informationName = "System Volume Information"

// A filter says what of one source to restore.
type filter struct {
	ctx context.Context
	r   *restorer
	c   *chosen
	met map[goneKey]bool // of what is gone

	dir   string // that was met last, with a slash at its end
	stays bool   // the old point has it as this directory
}

// choose is restore.Source.Choose.
func (f *filter) choose(below string, n *ntfs.Node) (restore.Choice, error) {
	full := path.Join(f.c.path, below)
	names, dir := pathWords(full), n.Kind == ntfs.KindDir && f.c.stream == ""
	if f.hidden(names) || f.excluded(names, dir) {
		return restore.Skip, nil
	}
	matched, deeper := f.wanted(pathWords(below))
	switch {
	case !matched && !(dir && deeper):
		return restore.Skip, nil
	case f.c.gone != nil:
		return f.gone(names, n, matched, dir), nil
	case !matched, dir && f.selects():
		return restore.Through, nil
	case dir, f.inTime(n) && (f.c.old == nil || f.differs(full, n)):
		return restore.Take, nil
	}
	return restore.Skip, nil
}

// hidden reports whether a path is of what Windows keeps for itself, and was not asked for.
func (f *filter) hidden(names []string) bool {
	return len(names) > 0 && !f.c.all && names[0] == strings.ToUpper(informationName)
}

func (f *filter) excluded(names []string, dir bool) bool {
	return slices.ContainsFunc(f.r.excluded, func(x exclusion) bool { return x.match(names, dir) })
}

// wanted applies the pattern of the location.
func (f *filter) wanted(names []string) (matched, deeper bool) {
	if f.c.pattern == nil {
		return true, true
	}
	if matched, deeper = f.c.pattern.match(names); matched {
		f.c.matched.Store(true)
	}
	return matched, deeper
}

// selects reports whether files are chosen by more than their names.
func (f *filter) selects() bool { return f.r.newer != nil || f.r.older != nil || f.c.old != nil }

// inTime applies --newer and --older.
func (f *filter) inTime(n *ntfs.Node) bool {
	modified := n.Times.Modified.Time()
	return (f.r.newer == nil || !modified.Before(*f.r.newer)) && (f.r.older == nil || modified.Before(*f.r.older))
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
		f.r.note("%s: taken, as it is not known whether it differs: %s", printable(full), printable(oneLine(err)))
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
