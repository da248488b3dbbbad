package selection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/restore"
)

var errNoMatch = errors.New("nothing matches")

// chooseAll finds what one location names on its volume, or its volumes: a path on the one that has it, a pattern and what
// has no path on all of them.
func (s *Selection) chooseAll(ctx context.Context, l location) error {
	targets, lost, err := l.set.ResolveAll(l.img, l.rest, points.Anywhere)
	if err == nil && len(targets) > 1 && hasPlainPath(targets[0]) {
		if targets, lost, err = l.set.ResolveAll(l.img, l.rest, s.has); len(targets) > 1 {
			return &points.SeveralError{Text: l.text, Targets: targets}
		}
	}
	several := len(targets)+len(lost) > 1
	if err == nil && s.ranges(targets) || hasNoVolume(err) && !strings.Contains(l.rest, ":/") {
		closed, others := searched(l.set, l.img)
		lost = append(closed, lost...)
		if others != "" {
			s.note("%s", others)
		}
	}
	for _, x := range lost {
		s.loseAll(l, x)
	}
	if err != nil && len(lost) == 0 {
		return missOf(ctx, l.text, err)
	}
	found := len(lost)
	var miss error
	for _, t := range targets {
		if t.Note != "" {
			s.note("%s", t.Note)
		}
		some, err := s.chooseOn(ctx, t, several, l)
		if err != nil && (some || !several) {
			return err
		}
		if some {
			found++
		}
		miss = cmp.Or(miss, err)
	}
	if found == 0 {
		return fmt.Errorf("%s: on none of the volumes: %w", l.text, miss)
	}
	return nil
}

// hasNoVolume reports whether an error says that an image has no volume of NTFS, or none that is not locked.
func hasNoVolume(err error) bool {
	_, closed := errors.AsType[*points.VolumeError](err)
	return closed || errors.Is(err, points.ErrNoNTFS)
}

// hasPlainPath reports whether a target has a path that is no pattern.
func hasPlainPath(t points.Target) bool { return t.Path != "" && !pattern.HasMeta(t.Path) }

// has tells whether a volume has a path at one of the points that count.
func (s *Selection) has(t points.Target) error {
	shown := []*points.Point{t.Point}
	switch {
	case t.HasPoint:
	case s.filter.LastGood:
		shown = inTime(t.Volume)
	case s.filter.Deleted:
		shown = t.Volume.Snapshots()
	case s.filter.AsOf != "":
		var err error
		if shown, err = t.Volume.AsOf(s.filter.AsOf); err != nil {
			return err
		}
	}
	err := error(points.ErrNoPoint)
	for i, p := range shown {
		t.Point = p
		err2 := points.AtPoint(t)
		if err2 == nil {
			return nil
		}
		if i == 0 || points.Absent(err) {
			err = err2
		}
	}
	return err
}

// chooseOn is chooseAll for one of the volumes: some says that the location names something there, or may. With it, and
// where there are no other volumes, an error ends the search.
func (s *Selection) chooseOn(ctx context.Context, t points.Target, several bool, l location) (some bool, err error) {
	inner, t, err := s.enter(l.set, t)
	if err != nil {
		return true, err
	}
	if t.Point == nil {
		return true, noVolume(inner, l.text)
	}
	under := ""
	if several {
		under = t.Volume.Name
	}
	err = s.chooseIn(ctx, t, under, l.text)
	switch {
	case err == nil, ctx.Err() != nil:
		return true, err
	case !several:
		return false, err
	case errors.Is(err, points.ErrNoPoint):
		s.note("%s", report.OneLine(err)) // the others may have one
		return false, err
	case points.Absent(err):
		return false, err
	}
	s.loseAll(l, err)
	return true, nil
}

// ranges reports whether a location that leaves the volume open is about all that there are: it has no path, or what it
// names is looked for at several points.
func (s *Selection) ranges(targets []points.Target) bool {
	f := &s.filter
	return len(targets) > 0 && !targets[0].HasVolume && (targets[0].Path == "" || f.Deleted || f.LastGood || f.AsOf != "" || f.ChangedSince != "")
}

// loseAll takes note of a volume, or points of one, that a location is about and that cannot be looked at.
func (s *Selection) loseAll(l location, err error) {
	s.Lost = append(s.Lost, restore.Result{Path: l.text, Origin: l.img.Path, Err: err})
}

// chooseIn finds what a location names on one volume.
func (s *Selection) chooseIn(ctx context.Context, t points.Target, under, location string) error {
	switch {
	case s.filter.LastGood:
		return s.chooseLastGood(ctx, t, under, location)
	case s.filter.Deleted:
		return s.chooseGone(ctx, t, under, location)
	case s.filter.AsOf != "" && !t.HasPoint:
		return s.chooseAsOf(ctx, t, under, location)
	}
	c, err := look(ctx, t.Point, t.Path)
	if points.Absent(err) && under == "" {
		return missAt(s.Sets[0].Context(), location, t, err)
	}
	if err != nil {
		return err
	}
	s.doubt(location, t.Point, t.Doubt)
	s.add(c, under, location)
	return nil
}

// doubt takes note that a point may be another one in truth.
func (s *Selection) doubt(location string, p *points.Point, err error) {
	if err != nil {
		s.lose(location, p, err)
	}
}

// chooseAsOf takes a location from the newest point that has it, of those that count.
func (s *Selection) chooseAsOf(ctx context.Context, t points.Target, under, location string) error {
	shown, err := t.Volume.AsOf(s.filter.AsOf)
	if err != nil {
		return err
	}
	s.doubt(location, shown[0], t.Volume.Missing())
	for i, p := range shown {
		c, err2 := look(ctx, p, t.Path)
		if err2 == nil {
			if i > 0 {
				s.note("%s: not at %s; taken from %s", location, shown[0].Name, p.Name)
			}
			s.add(c, under, location)
			return nil
		}
		if err = cmp.Or(err, err2); !points.Absent(err2) {
			return err2 // it may be there
		}
	}
	return err
}

// add takes what a location named.
func (s *Selection) add(c *chosen, under, location string) {
	if s.filter.ByPath {
		under, c.name = c.point.Volume.OwnName(), points.ShownPath(c.path)
	}
	c.location, c.name, c.origin = location, path.Join(under, c.name), report.Location(c.point)
	s.chosen = append(s.chosen, c)
}

// look finds what a path of a point names: what is there by this name; else, where it is a pattern, the directory that
// all its matches are below.
func look(ctx context.Context, p *points.Point, name string) (*chosen, error) {
	c, err := glance(p, name)
	if errors.Is(err, fs.ErrNotExist) {
		if t, err2 := p.Files(); err2 == nil && t.TakeCensus(ctx) == nil { // what only file records tell of is there now
			return glance(p, name)
		}
	}
	return c, err
}

// glance is look, but in a large $MFT for what only a file record tells of.
func glance(p *points.Point, name string) (*chosen, error) {
	c := &chosen{point: p}
	var err error
	c.node, c.stream, err = p.Lookup(name, false)
	if slashed := strings.ReplaceAll(name, `\`, "/"); slashed != name {
		n, _, err2 := p.Lookup(slashed, false)
		if err != nil || err2 == nil && n.Ref == c.node.Ref { // no file has the backslash in its name
			name = slashed
		}
	}
	parts := points.SplitPath(name)
	first := slices.IndexFunc(parts, pattern.HasMeta)
	switch {
	case err == nil:
		err = c.named(name, parts)
	case first < 0 || !errors.Is(err, fs.ErrNotExist):
	default:
		err = c.matching(name, parts, first)
	}
	if err != nil {
		return nil, err
	}
	fold := c.node.Tree().Upper
	top, _, _ := strings.Cut(c.path, "/")
	c.all = fold(top) == fold(informationName)
	return c, nil
}

// named completes what is there as it stands.
func (c *chosen) named(name string, parts []string) error {
	c.path = pathOf(c.node, strings.Join(parts, "/"))
	if len(parts) > 0 && (!strings.HasSuffix(name, "/") || c.stream != "") {
		c.name = ownName(c.node, c.stream, parts[len(parts)-1])
	} else if c.node.Kind != ntfs.KindDir {
		return fmt.Errorf("%s: %w", name, ntfs.ErrNotDir)
	}
	return nil
}

// matching completes what is a pattern from one of its parts on.
func (c *chosen) matching(name string, parts []string, first int) error {
	below := strings.Join(parts[:first], "/")
	var err error
	if c.node, _, err = c.point.Lookup(below+"/", true); err != nil {
		return err
	}
	text := "/" + strings.Join(parts[first:], "/")
	if strings.HasSuffix(name, "/") {
		text += "/"
	}
	if c.pattern, err = pattern.Glob(text, c.node.Tree().Upper); err != nil {
		return usagef("%s: %w", name, err)
	}
	c.path = pathOf(c.node, below)
	return nil
}

// pathOf is the path of a node as the volume has it, which a link or an 8.3 name on the way may not tell: of several, the
// one that was given.
func pathOf(n *ntfs.Node, given string) string {
	paths, err := n.Tree().Paths(n)
	if err != nil || len(paths) == 0 {
		return given // what is damaged is told when it is restored
	}
	fold := n.Tree().Upper
	i := slices.IndexFunc(paths, func(p ntfs.Path) bool { return fold(p.Name) == fold(given) })
	return paths[max(i, 0)].Name
}

// ownName is the last name of a path as the volume has it, where it was given in another case, or as an 8.3 name.
func ownName(n *ntfs.Node, stream, given string) string {
	if stream != "" {
		return given
	}
	fold, long, short := n.Tree().Upper, "", points.IsRecord(given)
	names, _ := n.Names() // what is damaged is told when it is restored
	for _, x := range names {
		same := fold(x.Name) == fold(given)
		switch {
		case x.Namespace == ntfs.NamespaceDOS:
			short = short || same
		case same:
			return x.Name
		default:
			long = x.Name
		}
	}
	if short && long != "" {
		return long
	}
	return given
}
