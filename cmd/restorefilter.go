package cmd

import (
	"bytes"
	"fmt"
	"path"
	"slices"

	"snapmount/mount/tree"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/restore"
)

// informationName is the directory where VSS and others keep what is theirs. It is restored only if it is named.
const informationName = "System Volume Information"

// A filter says what of one source to restore.
type filter struct {
	r    *restorer
	c    *chosen
	old  *ntfs.Tree // that files have to differ from, or nil
	gone *goneFiles // what files have to be among, or nil
}

func (r *restorer) filter(c *chosen, gone map[*tree.Volume]*goneFiles) (*filter, error) {
	f := &filter{r: r, c: c}
	v := c.point.Volume
	if r.since != "" {
		p, err := v.PointNamed(r.since)
		if err == nil {
			f.old, err = p.Files()
		}
		if err != nil {
			return f, fmt.Errorf("--changed-since: %w", err)
		}
	}
	if r.deleted {
		if gone[v] == nil {
			now, err := v.Current().Files()
			if err != nil {
				return f, fmt.Errorf("--deleted: %w", err)
			}
			gone[v] = &goneFiles{now: now, refs: map[ntfs.Ref]*tree.Point{}, paths: map[string]*tree.Point{}}
		}
		f.gone = gone[v]
	}
	return f, nil
}

// choose is restore.Source.Choose.
func (f *filter) choose(below string, n *ntfs.Node) (restore.Choice, error) {
	full := path.Join(f.c.path, below)
	names, dir := pathWords(full), n.Kind == ntfs.KindDir && f.c.stream == ""
	if len(names) == 1 && !f.c.all && slices.Equal(names, pathWords(informationName)) {
		return restore.Skip, nil
	}
	for i := range f.r.excluded {
		if f.r.excluded[i].match(names, dir) {
			return restore.Skip, nil
		}
	}
	matched, deeper := f.wanted(pathWords(below))
	switch {
	case !matched && !(dir && deeper):
		return restore.Skip, nil
	case !matched, dir && f.selects():
		return restore.Through, nil
	case dir:
		return restore.Take, nil
	}
	ok, err := f.file(full, n)
	if ok {
		return restore.Take, err
	}
	return restore.Skip, err
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
func (f *filter) selects() bool {
	return f.r.newer != nil || f.r.older != nil || f.old != nil || f.gone != nil
}

// file applies what is about files and links.
func (f *filter) file(full string, n *ntfs.Node) (bool, error) {
	modified := n.Times.Modified.Time()
	switch {
	case f.r.newer != nil && modified.Before(*f.r.newer), f.r.older != nil && !modified.Before(*f.r.older):
		return false, nil
	case f.gone != nil && !f.gone.first(f.c.point, full, n):
		return false, nil
	}
	return f.old == nil || differs(f.old, full, n, f.c.stream), nil
}

// differs reports whether a file is not proven to be the same as what a path led to: in content, streams or link. Times
// and other metadata do not count, and prove nothing.
func differs(old *ntfs.Tree, full string, n *ntfs.Node, stream string) bool {
	was, err := old.Lookup(full)
	if err != nil || was.Kind != n.Kind {
		return true
	}
	if n.Kind == ntfs.KindSymlink {
		a, err := was.RawReparse()
		b, err2 := n.RawReparse()
		return err != nil || err2 != nil || !bytes.Equal(a, b)
	}
	if stream != "" {
		return streamDiffers(was, n, stream)
	}
	a, err := was.Streams()
	b, err2 := n.Streams()
	if err != nil || err2 != nil || len(a) != len(b) {
		return true
	}
	return slices.ContainsFunc(b, func(s ntfs.StreamInfo) bool { return streamDiffers(was, n, s.Name) })
}

func streamDiffers(was, n *ntfs.Node, name string) bool {
	a, err := was.Stream(name)
	b, err2 := n.Stream(name)
	if err != nil || err2 != nil {
		return true
	}
	same, _, err := compare.SameContent(a, b)
	return !same || err != nil
}

// goneFiles knows which files are gone: neither their paths nor their file references are there now. Points are gone
// through from the newest to the oldest, and of each file and each path the first is taken. What the damage of the
// current state hides counts as gone.
type goneFiles struct {
	now   *ntfs.Tree
	refs  map[ntfs.Ref]*tree.Point
	paths map[string]*tree.Point
}

func (g *goneFiles) first(p *tree.Point, full string, n *ntfs.Node) bool {
	if q := g.refs[n.Ref]; q != nil && q != p {
		return false
	}
	key := path.Join(pathWords(full)...)
	if q := g.paths[key]; q != nil && q != p {
		return false
	}
	if _, err := g.now.Lookup(full); err == nil {
		return false
	}
	if _, err := g.now.Node(n.Ref); err == nil {
		return false // it has another name
	}
	g.refs[n.Ref], g.paths[key] = p, p
	return true
}
