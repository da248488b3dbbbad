package selection

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// Scopes are what LOCATIONs mean to commands on all points in time.
type Scopes struct {
	*Images
	List   []*Scope
	Lost   []error  // volumes and points that may have what is looked for, and cannot be looked at
	Others []string // lines that name partitions of other kinds
}

// A Scope is the points of one volume, oldest first.
type Scope struct {
	Volume *points.Volume
	Points []*points.Point // the current state last
	Below  string          // path; empty for all
}

// Scopes opens locations. One without a volume means all NTFS volumes, one without a point all points.
func (open Opener) Scopes(ctx context.Context, locations []string) (*Scopes, error) {
	m, list, err := open.open(ctx, locations)
	if err != nil {
		return nil, err
	}
	out := &Scopes{Images: m}
	for _, l := range list {
		if err := out.add(l); err != nil {
			m.Close()
			return nil, err
		}
	}
	return out, nil
}

// add adds what a location means.
func (m *Scopes) add(l location) error {
	if l.rest == "" {
		return m.all(l.set, l.img)
	}
	found, lost, err := l.set.ResolveAll(l.img, l.rest, func(t points.Target) error {
		if t.HasPoint {
			return points.AtPoint(t)
		}
		return points.AtAnyPoint(t)
	})
	var miss *points.MissError
	if errors.As(err, &miss) && !errors.Is(err, points.ErrNoPoint) { // records of deleted files may be below it all the same
		found, lost, err = l.set.ResolveAll(l.img, l.rest, points.Anywhere)
	}
	if err != nil {
		return err
	}
	m.Lost = append(m.Lost, lost...)
	for i, t := range found {
		if err := m.addOne(l, t, i == 0); err != nil {
			return err
		}
	}
	return nil
}

// addOne adds one of what a location means; first is told of the first.
func (m *Scopes) addOne(l location, t points.Target, first bool) error {
	s, t, err := m.enter(l.set, t)
	switch {
	case err != nil:
		return err
	case t.Volume == nil:
		return m.all(s, s.Images[0])
	case points.IsRecord(t.Path): // the files below a record that no directory leads to have no path
		return fmt.Errorf("%s: what is searched is below a path, not a file record: %w", t.Path, layer.ErrUnsupported)
	}
	if !t.HasVolume && first {
		m.unreached(s, t.Volume.Image)
	}
	if t.Note != "" {
		m.Others = append(m.Others, t.Note)
	}
	one := &Scope{Volume: t.Volume, Points: inTime(t.Volume)}
	one.Below = slashed(t.Path, one.Points)
	if t.HasPoint {
		one.Points = []*points.Point{t.Point}
		m.lose(t.Doubt)
	} else {
		m.lose(t.Volume.Missing())
	}
	m.List = append(m.List, one)
	return nil
}

// all adds a scope for each NTFS volume of an image.
func (m *Scopes) all(s *points.Set, img *points.Image) error {
	found := false
	all, err := s.NTFS()
	for _, v := range all {
		if v.Image == img {
			found = true
			m.List = append(m.List, &Scope{Volume: v, Points: inTime(v)})
			m.lose(v.Missing())
		}
	}
	if lost := m.unreached(s, img); found || lost {
		return nil
	}
	return cmp.Or(err, fmt.Errorf("%s: %w", img.Path, points.ErrNoNTFS))
}

// unreached notes what of an image is not searched, and reports whether volumes are lost.
func (m *Scopes) unreached(s *points.Set, img *points.Image) bool {
	lost, others := searched(s, img)
	m.Lost = append(m.Lost, lost...)
	if others != "" {
		m.Others = append(m.Others, others)
	}
	return len(lost) > 0
}

func (m *Scopes) lose(err error) {
	if err != nil {
		m.Lost = append(m.Lost, err)
	}
}

// inTime gives the points of a volume, oldest first.
func inTime(v *points.Volume) []*points.Point {
	return append(append([]*points.Point{}, v.Snapshots()...), v.Current())
}

// Timeline opens the file systems of all points. Those that cannot be opened are told, and nil.
func (sc *Scope) Timeline(name string, fail func(error)) *timeline.Volume {
	v := &timeline.Volume{Name: name}
	for _, p := range sc.Points {
		t, err := p.Files()
		if err != nil {
			fail(p.Because(err))
		}
		v.Points = append(v.Points, timeline.Point{Name: p.Name, Time: p.Created(), Tree: t})
	}
	return v
}

// Trees opens the file systems of all points. Those that cannot be opened are told, and nil. upper is the case table of
// the newest that can; nil when there is none.
func (sc *Scope) Trees(fail func(error)) (trees []*ntfs.Tree, upper func(string) string) {
	for _, p := range sc.Timeline("", fail).Points {
		if trees = append(trees, p.Tree); p.Tree != nil {
			upper = p.Tree.Upper
		}
	}
	return trees, upper
}

// LeftOut reports whether all that could not be searched of a file is what Windows leaves out of snapshots on purpose, and
// the file is not the one that was asked for.
func (sc *Scope) LeftOut(h *timeline.Hit) bool {
	t, err := sc.Points[h.First].Files()
	if err != nil || sc.Below != "" && t.Upper(strings.Trim(sc.Below, "/")) == t.Upper(strings.Trim(h.Path, "/")) {
		return false
	}
	n, err := t.Node(h.Ref)
	return err == nil && points.NodeLeftOut(h.Err, n)
}

// At says at which points of a scope something could not be read.
func (sc *Scope) At(first, last int, err error) error {
	from, to := sc.Points[first], sc.Points[last]
	names := from.Name
	if first != last {
		names = strings.Join([]string{from.Name, to.Name}, " to ")
	}
	return fmt.Errorf("%s@%s: %w", sc.Volume.Name, names, from.Because(err))
}
