package selection

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/when"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/restore"
)

// A Filter says which files of LOCATIONs are wanted, in the words of the user. What is empty does not count.
type Filter struct {
	Exclude      []string // patterns of package pattern
	Newer, Older string   // times
	ChangedSince string   // a point
	Deleted      bool     // what the current state lacks
	AsOf         string   // a time, for locations without a point
	LastGood     bool     // the newest good version of what is damaged, or gone in an attack
	Undecided    bool     // with LastGood, a version from before the attack of what nobody can decide on, too
	ByPath       bool     // what is found keeps its place, below a directory of its volume's name

	Clock when.Clock // what times are read against
}

// Hooks are told what happens; nil ones drop it. They may be called from any goroutine.
type Hooks struct {
	Note     func(string)   // a line of what the user should know and is no failure, with names as they are
	Progress layer.Progress // of what takes long
}

// A Selection is what to restore. Sources may be gone through more than once, and at the same time.
type Selection struct {
	*Images
	Lost []restore.Result // what is wanted, but not known in full

	filter       Filter
	newer, older *time.Time
	hooks        Hooks
	chosen       []*chosen
	points       map[*ntfs.Tree]*points.Point
	origins      map[string]*points.Point
	gone         map[goneID]*goneSet

	kept    []Kept // with LastGood
	keptBy  map[keptID]int
	surveys []*Surveyed
}

// A chosen is one source of a restore.
type chosen struct {
	location string
	origin   string // IMAGE:VOLUME@POINT
	point    *points.Point
	node     *ntfs.Node
	stream   string
	name     string           // as restore.Source has it
	as       string           // likewise
	path     string           // of node, from the volume's root, as the volume has it
	pattern  *pattern.Pattern // of what is wanted below node, or nil
	excluded []*pattern.Pattern
	all      bool       // a location that names System Volume Information, or what is in it
	old      *ntfs.Tree // that files have to differ from, or nil
	gone     *goneSet   // what files have to be among, or nil

	matched atomic.Bool // something was found that the pattern matches
}

// Restore opens the images of all locations and finds what they name. A path that is not there as it stands may be a
// pattern; an image without a volume means all that have the point.
func (open Opener) Restore(ctx context.Context, locations []string, f Filter, hooks Hooks) (*Selection, error) {
	s := &Selection{filter: f, hooks: hooks, points: map[*ntfs.Tree]*points.Point{}, origins: map[string]*points.Point{}, gone: map[goneID]*goneSet{}, keptBy: map[keptID]int{}}
	if err := s.parse(); err != nil {
		return nil, err
	}
	m, list, err := open.open(ctx, locations)
	if err != nil {
		return nil, err
	}
	s.Images = m
	for _, l := range list {
		if err = s.chooseAll(ctx, l); err != nil {
			break
		}
	}
	if err == nil {
		err = s.settle()
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return s, nil
}

// parse makes sense of the filter's words.
func (s *Selection) parse() error {
	f := &s.filter
	if f.LastGood && (f.Deleted || f.AsOf != "" || f.ChangedSince != "") {
		return usagef("--last-good: looks at all points, so not with --deleted, --as-of or --changed-since")
	}
	if f.LastGood && f.Newer+f.Older != "" {
		return usagef("--last-good: chooses by content, so not with --newer or --older")
	}
	if f.Undecided && !f.LastGood {
		return usagef("--undecided: is for --last-good")
	}
	if f.Deleted && (f.AsOf != "" || f.ChangedSince != "") {
		return usagef("--deleted: looks at all points, so not with --as-of or --changed-since")
	}
	var asOf *time.Time
	for _, t := range []struct {
		flag, text string
		at         **time.Time
	}{{"newer", f.Newer, &s.newer}, {"older", f.Older, &s.older}, {"as-of", f.AsOf, &asOf}} {
		if t.text == "" {
			continue
		}
		clock := f.Clock
		if t.flag == "as-of" {
			clock.Note = nil // told where it leads to a point
		}
		span, err := readTime(clock, t.text)
		if err != nil {
			return usagef("--%s: %w", t.flag, err)
		}
		*t.at = &span.From
	}
	_, err := exclusions(f.Exclude, nil)
	return err
}

// exclusions compiles patterns for a volume with a case table.
func exclusions(texts []string, fold func(string) string) (out []*pattern.Pattern, err error) {
	for _, text := range texts {
		x, err := pattern.Glob(text, fold)
		if err != nil {
			return nil, usagef("--exclude %q: %w", text, err)
		}
		out = append(out, x)
	}
	return out, nil
}

// settle completes what was chosen, once all of it is known.
func (s *Selection) settle() (err error) {
	names := map[string]string{} // of locations
	for _, c := range s.chosen {
		s.points[c.node.Tree()], s.origins[c.origin] = c.point, c.point
		if other, ok := names[c.name]; ok && c.name != "" && other != c.location {
			return usagef("%s and %s are both called %s: restore one of them elsewhere", other, c.location, c.name)
		}
		names[c.name] = c.location
		if c.excluded, err = exclusions(s.filter.Exclude, c.node.Tree().Upper); err != nil {
			return err
		}
		if s.filter.ChangedSince == "" {
			continue
		}
		if err = s.since(c); err != nil && len(s.chosen) == 1 {
			return err
		} else if err != nil {
			s.lose(c.location, c.point, err)
		}
	}
	if s.filter.ChangedSince != "" {
		s.chosen = slices.DeleteFunc(s.chosen, func(c *chosen) bool { return c.old == nil })
	}
	return nil
}

// since finds the point that the files of a source have to differ from.
func (s *Selection) since(c *chosen) error {
	v, name := c.point.Volume, s.filter.ChangedSince
	p, err := v.PointNamed(name)
	if err == nil {
		c.old, err = p.Files()
	}
	if err != nil {
		return fmt.Errorf("%s: --changed-since: %w", v.Name, err)
	}
	s.doubt(c.location, c.point, v.Doubt(name))
	return nil
}

// Sources gives what was chosen. A source has to be done with before the next one is asked for.
func (s *Selection) Sources(ctx context.Context) iter.Seq2[restore.Source, error] {
	return func(yield func(restore.Source, error) bool) {
		for _, c := range s.chosen {
			f := &filter{ctx: ctx, s: s, c: c, fold: c.node.Tree().Upper, met: map[goneKey]bool{}}
			if !yield(restore.Source{Node: c.node, Stream: c.stream, Name: c.name, As: c.as, Origin: c.origin, Choose: f.choose}, nil) {
				return
			}
			for one := range f.missed() {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}

// Unmatched gives, when Sources were gone through, the patterns that matched on none of their volumes.
func (s *Selection) Unmatched() (out []restore.Result) {
	matched := map[string]bool{}
	for _, c := range s.chosen {
		matched[c.location] = matched[c.location] || c.pattern == nil || c.matched.Load() || s.filter.Deleted
	}
	for _, c := range s.chosen {
		if !matched[c.location] {
			matched[c.location] = true // once
			out = append(out, restore.Result{Path: c.location, Origin: c.origin, Err: errNoMatch})
		}
	}
	return out
}

// Points are those that something was chosen from.
func (s *Selection) Points() (out []*points.Point) {
	for _, c := range s.chosen {
		out = append(out, c.point)
	}
	return out
}

// Because adds to an error of a result the damage of the point that it is from.
func (s *Selection) Because(res *restore.Result) error {
	if p := s.origins[res.Origin]; p != nil {
		return p.Because(res.Err)
	}
	return res.Err
}

// LeftOut reports whether all that a result lacks is what Windows leaves out of snapshots on purpose, and it is none of
// what a location names.
func (s *Selection) LeftOut(res *restore.Result) bool {
	err := res.Err
	for _, g := range res.Gaps {
		if g.Reason != layer.Unprotected {
			return false
		}
		err = cmp.Or(err, error(&layer.UnknownError{Why: g.Reason, Off: g.Off, Len: g.Len}))
	}
	p := s.origins[res.Origin]
	if p == nil || !points.LeftOut(err) || slices.ContainsFunc(s.chosen, func(c *chosen) bool { return c.point == p && c.node.Ref == res.Ref }) {
		return false
	}
	t, err2 := p.Files()
	if err2 != nil {
		return false
	}
	n, err2 := t.Node(res.Ref)
	return err2 == nil && points.NodeLeftOut(err, n)
}

// LinkText is restore.Options.LinkText.
func (s *Selection) LinkText(n *ntfs.Node) (string, error) { return s.points[n.Tree()].LinkTarget(n) }

// note tells something, to be printed as it is.
func (s *Selection) note(format string, args ...any) {
	if s.hooks.Note != nil {
		s.hooks.Note(fmt.Sprintf(format, args...))
	}
}

// lose takes note of what is wanted and cannot be known.
func (s *Selection) lose(path string, p *points.Point, err error) {
	s.Lost = append(s.Lost, restore.Result{Path: path, Origin: report.Location(p), Err: err})
}
