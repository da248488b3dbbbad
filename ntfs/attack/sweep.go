package attack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

// A Version is content that one file had from point First to point Last.
type Version struct {
	Ref               ntfs.Ref
	First, Last       int
	Size              int64
	Modified, Changed wintype.Filetime // of the content, and of the record, at First
	LSN               uint64           // of the record, at First
	Path              string           // at Last; as in timeline.Segment
	Orphan            bool             // that is only the end of one
	Unsure            error            // why it is not known whether it differs from the version before
}

// name gives the last name of the path.
func (v *Version) name() string { return v.Path[strings.LastIndexByte(v.Path, '/')+1:] }

// A named is a name that a file had over some points.
type named struct {
	first, last int
	name        ntfs.Name
}

// A life is one file, from the first of the points that have it to the last.
type life struct {
	ref      ntfs.Ref
	names    []named
	versions []Version
	unknown  []bool // by point, whether a gap hides its record there; nil for nowhere

	before, next *life // whose place it took, and which took its
}

func (l *life) first() int { return l.versions[0].First }
func (l *life) last() int  { return l.versions[len(l.versions)-1].Last }

// nameAt gives the name at a point; false where the file is not there.
func (l *life) nameAt(point int) (ntfs.Name, bool) {
	for _, n := range l.names {
		if n.first <= point && point <= n.last {
			return n.name, true
		}
	}
	return ntfs.Name{}, false
}

// at gives the number of the version at a point; -1 where the file is not there.
func (l *life) at(point int) int {
	return slices.IndexFunc(l.versions, func(v Version) bool { return v.First <= point && point <= v.Last })
}

// isUnknown reports whether nothing is known of the file at a point.
func (l *life) isUnknown(point int) bool { return l.unknown != nil && l.unknown[point] }

// A sweep goes over all file records, and keeps the files that are not the same at all points.
type sweep struct {
	ctx    context.Context
	points []timeline.Point
	trees  []*ntfs.Tree
	dirs   interface {
		Paths(name ntfs.Name, first, last int) []timeline.Segment
	}
	upper func(string) string

	lives []*life
	files map[ntfs.Ref][]int32 // how many files a directory has, by point
	same  int                  // files that are the same at all points
	lost  []error              // what could not be looked at, *timeline.Gap among it

	group  []timeline.Version // of the record that is under way
	active []*timeline.Gap    // that may hide it
}

// run goes over all records.
func (s *sweep) run(progress layer.Progress) error {
	s.files = map[ntfs.Ref][]int32{}
	for v, err := range timeline.Versions(s.ctx, s.trees, timeline.Options{Progress: progress}) {
		gap, isGap := err.(*timeline.Gap) //nolint:errorlint // Versions gives it so
		switch {
		case s.ctx.Err() != nil:
			return context.Cause(s.ctx)
		case isGap:
			if len(s.group) > 0 && gap.From > s.group[0].Node.Ref.Record {
				s.flush()
			}
			s.active = append(s.active, gap)
			s.lose(gap)
		case err != nil:
			s.lose(err)
		}
		if err != nil {
			continue
		}
		if len(s.group) > 0 && s.group[0].Node.Ref.Record != v.Node.Ref.Record {
			s.flush()
		}
		s.group = append(s.group, v)
	}
	s.flush()
	return context.Cause(s.ctx)
}

// lose notes what could not be looked at, as far as there is an end of it.
func (s *sweep) lose(err error) {
	switch {
	case len(s.lost) < maxLost:
		s.lost = append(s.lost, err)
	case len(s.lost) == maxLost:
		s.lost = append(s.lost, errMore)
	}
}

const maxLost = 10_000

var errMore = errors.New("and more that could not be looked at")

// flush takes the files of a record.
func (s *sweep) flush() {
	var open []*life
	for i := range s.group {
		v := &s.group[i]
		name, ok := nameOf(v)
		if !ok {
			continue
		}
		k := slices.IndexFunc(open, func(l *life) bool { return l.ref == v.Node.Ref })
		if k < 0 {
			k = len(open)
			open = append(open, &life{ref: v.Node.Ref})
		}
		s.follow(open[k], v, name)
	}
	for _, l := range open {
		s.hidden(l)
		s.confirmed(l)
		s.count(l)
		if s.kept(l) {
			s.lives = append(s.lives, l)
		} else {
			s.same++
		}
	}
	s.group = s.group[:0]
}

// nameOf gives the name that a version of a file is known by; false for what has no content of a user's.
func nameOf(v *timeline.Version) (ntfs.Name, bool) {
	n := v.Node
	if n.Deleted || n.Kind != ntfs.KindFile || n.Metafile() || len(v.Names) == 0 {
		return ntfs.Name{}, false
	}
	name := v.Names[0]
	for _, x := range v.Names {
		if compare.IsStore(x.Name) {
			return ntfs.Name{}, false
		}
		if name.Namespace == ntfs.NamespaceDOS {
			name = x
		}
	}
	return name, true
}

// follow goes on with a file, and parts what was changed while its record was not.
func (s *sweep) follow(l *life, v *timeline.Version, name ntfs.Name) {
	if k := len(l.names) - 1; k >= 0 && l.names[k].last == v.First-1 && l.names[k].name.Name == name.Name && l.names[k].name.Parent == name.Parent {
		l.names[k].last = v.Last
	} else {
		l.names = append(l.names, named{v.First, v.Last, name})
	}
	s.add(l, v.Node, v.First, v.First)
	for p := v.First + 1; p <= v.Last; p++ {
		if v.Node.SameClustersIn(s.trees[p]) {
			l.versions[len(l.versions)-1].Last = p
		} else {
			s.add(l, v.Node.In(s.trees[p]), p, p)
		}
	}
}

// add goes on with the last version of a file where its content is the same, or begins another one.
func (s *sweep) add(l *life, n *ntfs.Node, first, last int) {
	next := Version{Ref: n.Ref, First: first, Last: last, Size: n.Size, Modified: n.Times.Modified, Changed: n.Times.Changed, LSN: n.LSN}
	if k := len(l.versions) - 1; k >= 0 {
		before := &l.versions[k]
		same, err := s.sameContent(before, n)
		if same && before.Last == first-1 {
			before.Last = last
			return
		}
		next.Unsure = err
	}
	l.versions = append(l.versions, next)
}

// sameContent reports whether a node has the content that its file had before. With an error it is not known.
func (s *sweep) sameContent(before *Version, n *ntfs.Node) (bool, error) {
	if before.Size != n.Size {
		return false, nil
	}
	old, err := s.trees[before.Last].Node(before.Ref)
	if err != nil {
		return false, err
	}
	return compare.SameStream(s.ctx, old, n, "")
}

// hidden notes where gaps hide the record of a file. Gaps come in the order of records, as versions do.
func (s *sweep) hidden(l *life) {
	s.active = slices.DeleteFunc(s.active, func(g *timeline.Gap) bool { return g.To <= l.ref.Record })
	for _, g := range s.active {
		if g.From > l.ref.Record {
			continue
		}
		for p := max(g.First, 0); p <= min(g.Last, len(s.trees)-1); p++ {
			s.doubt(l, p)
		}
	}
}

// doubt notes that nothing is known of a file at a point.
func (s *sweep) doubt(l *life, point int) {
	if l.unknown == nil {
		l.unknown = make([]bool, len(s.trees))
	}
	l.unknown[point] = true
}

// confirmed asks all other witnesses whether a file was not there beside the points that have it: its record may be lost.
func (s *sweep) confirmed(l *life) {
	var names []ntfs.Name
	for _, n := range l.names {
		names = append(names, n.name)
	}
	for p, t := range s.trees {
		beside := p > 0 && l.at(p-1) >= 0 || p+1 < len(s.trees) && l.at(p+1) >= 0
		if !beside || l.at(p) >= 0 || l.isUnknown(p) {
			continue
		}
		if state, err := t.RecordState(l.ref.Record, names); state == ntfs.RecordLost || state == ntfs.RecordUnknown {
			s.doubt(l, p)
			s.lose(fmt.Errorf("at %s: %w", s.points[p].Name, err))
		}
	}
}

// count adds a file to those of its directories.
func (s *sweep) count(l *life) {
	for _, n := range l.names {
		by := s.files[n.name.Parent]
		if by == nil {
			by = make([]int32, len(s.trees))
			s.files[n.name.Parent] = by
		}
		for p := n.first; p <= n.last; p++ {
			by[p]++
		}
	}
}

// kept reports whether a file is not the same at all points.
func (s *sweep) kept(l *life) bool {
	return len(l.versions) > 1 || l.first() > 0 || l.last() < len(s.trees)-1 ||
		slices.ContainsFunc(l.names[1:], func(n named) bool { return extension(n.name.Name) != extension(l.names[0].name.Name) })
}

// extension gives the last extension of a name in lower case, without its dot; empty for none.
func extension(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= maxExtension {
		return strings.ToLower(name[i+1:])
	}
	return ""
}

// maxExtension is how long an extension may be, with its dot. Those that carry an address have forty letters and more.
const maxExtension = 80

// stem gives a name without its last extension.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }

// path gives the path of a file at a point; false where it is only the end of one.
func (s *sweep) path(l *life, point int) (string, bool) {
	name, _ := l.nameAt(point)
	one := s.dirs.Paths(name, point, point)[0]
	return one.Path, !one.Orphan
}

// byRecord is the order of lives.
func byRecord(a, b *life) int {
	return cmp.Or(cmp.Compare(a.ref.Record, b.ref.Record), cmp.Compare(a.ref.Seq, b.ref.Seq))
}
