package selection

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/attack"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/restore"
)

// A Kept is a file of which a restore of last good versions told, or has to decide.
type Kept struct {
	*attack.File
	Survey *Surveyed
}

// Point is the point that its version is taken from; nil where none is.
func (k Kept) Point() *points.Point {
	v := k.Version()
	if v == nil {
		return nil
	}
	return k.Survey.Points[v.Last]
}

// keptID tells a version that is restored by what a result says of it.
type keptID struct {
	origin string
	ref    ntfs.Ref
}

// errNoGood says that a file is damaged, and why no version of it is restored.
type errNoGood struct{ what string }

func (e errNoGood) Error() string { return e.what }

// LastGood are the files of a restore of last good versions, by volume and path.
func (s *Selection) LastGood() []Kept { return s.kept }

// Surveys are what such a restore found on each volume.
func (s *Selection) Surveys() []*Surveyed { return s.surveys }

// KeptAs gives the file that a result is a version of.
func (s *Selection) KeptAs(res *restore.Result) (Kept, bool) {
	i, ok := s.keptBy[keptID{res.Origin, res.Ref}]
	if !ok {
		return Kept{}, false
	}
	return s.kept[i], true
}

// chooseLastGood finds, of what a location names, the newest good version of each file that is damaged, or gone in an attack.
func (s *Selection) chooseLastGood(ctx context.Context, t points.Target, under, location string) error {
	if t.HasPoint {
		return usagef("%s: --last-good looks at all points: leave @%s out", location, t.Point.Name)
	}
	v, err := s.survey(ctx, t.Volume)
	if err != nil {
		return err
	}
	in, err := v.inside(t)
	if points.Absent(err) && under == "" {
		err = missAt(ctx, location, t, err)
	}
	if err != nil {
		return err
	}
	out, err := s.leftOut(v)
	if err != nil {
		return err
	}
	sets := map[*points.Point]*goneSet{}
	for i := range v.Files {
		f := Kept{&v.Files[i], v}
		if !in(f.File) || out(f.File) {
			continue
		}
		s.kept = append(s.kept, f)
		switch {
		case f.Outcome == attack.Found, f.Outcome == attack.Undecided && s.filter.Undecided && f.Pick >= 0:
			if err := s.keep(f, sets); err != nil {
				s.lose(f.Path, f.Point(), err)
			}
		case f.Outcome == attack.None:
			s.lose(f.Path, t.Volume.Current(), errNoGood{"no good version: " + whyNone(f.File)})
		case f.Outcome == attack.Unread:
			s.lose(f.Path, t.Volume.Current(), errNoGood{"it cannot be judged: " + f.Verdict.Why})
		}
	}
	for i := len(v.Points) - 1; i >= 0; i-- {
		if set := sets[v.Points[i]]; set != nil {
			if err := s.addKept(v.Points[i], set, t.Path, under, location); err != nil {
				return err
			}
		}
	}
	return nil
}

// survey looks at a volume, once.
func (s *Selection) survey(ctx context.Context, v *points.Volume) (*Surveyed, error) {
	for _, known := range s.surveys {
		if known.Volume == v {
			return known, nil
		}
	}
	sc := &Scope{Volume: v, Points: inTime(v)}
	defer s.hooks.Progress.Tell("", 0, 0)
	out, err := sc.Survey(ctx, false, s.hooks.Progress.Of(v.Name), func(err error) { s.lose(v.Name, v.Current(), err) })
	if err != nil {
		return nil, err
	}
	s.doubt(v.Name, v.Current(), v.Missing())
	s.surveys = append(s.surveys, out)
	return out, nil
}

// inside tells which files a path names: those that are, or ever were, there or below it. It fails where no point has it.
func (s *Surveyed) inside(t points.Target) (func(*attack.File) bool, error) {
	if strings.Trim(t.Path, `/\`) == "" {
		return func(*attack.File) bool { return true }, nil
	}
	if points.IsRecord(t.Path) {
		return nil, usagef("%s: --last-good takes a path, not a file record", t.Path)
	}
	if err := points.AtAnyPoint(t); err != nil {
		if pattern.HasMeta(t.Path) {
			return nil, usagef("%s: --last-good takes the path of a file or directory, no pattern (--exclude leaves files out)", t.Path)
		}
		return nil, err
	}
	want := map[string]bool{}
	for _, p := range s.Points { // its own name may differ: the path may have led through a link, or an 8.3 name
		if c, err := glance(p, t.Path); err == nil {
			want["/"+s.upper(c.path)] = true
		}
	}
	is := func(name string) bool {
		for name = s.upper(name); name != ""; name = name[:max(strings.LastIndexByte(name, '/'), 0)] {
			if want[name] {
				return true
			}
		}
		return want["/"]
	}
	return func(f *attack.File) bool {
		for i := range f.Versions {
			if is(f.Versions[i].Path) && !f.Versions[i].Orphan {
				return true
			}
		}
		return false
	}, nil
}

// upper folds names as the newest point does.
func (s *Surveyed) upper(name string) string {
	return s.Survey.Points[len(s.Points)-1].Tree.Upper(name)
}

// leftOut tells which files --exclude leaves out, by the path of what is chosen of them, or of what is there.
func (s *Selection) leftOut(v *Surveyed) (func(*attack.File) bool, error) {
	list, err := exclusions(s.filter.Exclude, v.upper)
	f := &filter{c: &chosen{excluded: list}}
	return func(k *attack.File) bool {
		full := strings.TrimPrefix(k.Path, "/")
		if c := k.Version(); c != nil {
			full = strings.TrimPrefix(c.Path, "/")
		}
		return f.excluded(full, false) || f.aboveExcluded(full)
	}, err
}

// keep adds the version that is chosen of a file to those of its point.
func (s *Selection) keep(f Kept, sets map[*points.Point]*goneSet) error {
	v, p := f.Version(), f.Point()
	g := points.Gone{Path: strings.TrimPrefix(v.Path, "/"), Orphan: v.Orphan, Ref: v.Ref, Kind: ntfs.KindFile, Point: p}
	if sets[p] == nil {
		sets[p] = newGoneSet()
	}
	s.keptBy[keptID{report.Location(p), v.Ref}] = len(s.kept) - 1
	return sets[p].add(g)
}

// addKept makes sources of what is taken from a point: the directory that the location names there, and one for each file that was
// elsewhere then.
func (s *Selection) addKept(p *points.Point, set *goneSet, below, under, location string) error {
	dir, err := glance(p, below)
	if err == nil && dir.node.Kind == ntfs.KindDir {
		inside := newGoneSet()
		f := &filter{c: dir, fold: dir.node.Tree().Upper}
		rest := set.list[:0:0]
		for _, g := range set.list {
			if _, ok := f.below(&g); !ok {
				rest = append(rest, g)
			} else if err := inside.add(g); err != nil {
				return err
			}
		}
		if set.list = rest; len(inside.list) > 0 {
			dir.gone = inside
			s.add(dir, under, location)
		}
	} else if err != nil && !points.Absent(err) {
		s.lose(location, p, err)
	}
	for _, g := range set.list {
		t, err := p.Files()
		var n *ntfs.Node
		if err == nil {
			n, err = t.Node(g.Ref)
		}
		if err != nil {
			s.lose(g.Path, p, err)
			continue
		}
		s.add(&chosen{point: p, node: n, path: g.Path, name: path.Base(g.Path)}, under, location)
	}
	return nil
}

// whyNone says why a file has no good version.
func whyNone(f *attack.File) string {
	why := fmt.Sprintf("%v, %s", f.Verdict.State, f.Verdict.Why)
	if len(f.Versions) == 1 {
		return why + "; no point before has it"
	}
	return why + fmt.Sprintf("; nor is any of %d versions before", len(f.Versions)-1)
}

// NoGood reports whether a result tells of a file that has no good version.
func NoGood(res *restore.Result) bool {
	var e errNoGood
	return errors.As(res.Err, &e)
}

// Undecided counts the files on which nothing is known, and that are not restored.
func (s *Selection) Undecided() (n int) {
	for _, k := range s.kept {
		if k.Outcome == attack.Undecided && !(s.filter.Undecided && k.Pick >= 0) {
			n++
		}
	}
	return n
}
