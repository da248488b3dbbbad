package selection

import (
	"context"
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
	List []*Scope
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
		some, err := m.scopesOf(l)
		if err != nil {
			m.Close()
			return nil, err
		}
		out.List = append(out.List, some...)
	}
	return out, nil
}

func (m *Images) scopesOf(l location) ([]*Scope, error) {
	if l.rest == "" {
		return allOf(l.set, l.img)
	}
	t, err := l.set.Resolve(l.img, l.rest)
	if err != nil {
		return nil, err
	}
	s, t, err := m.enter(l.set, t)
	switch {
	case err != nil:
		return nil, err
	case t.Volume == nil:
		return allOf(s, s.Images[0])
	case points.IsRecord(t.Path): // what is below a record that no directory leads to has no path
		return nil, fmt.Errorf("%s: what is searched is below a path, not a file record: %w", t.Path, layer.ErrUnsupported)
	}
	if points.IsRecord(t.Path) { // the files below a record that no directory leads to have no path
		return nil, fmt.Errorf("%s: what is searched is below a path, not a file record: %w", t.Path, layer.ErrUnsupported)
	}
	one := &Scope{Volume: t.Volume, Points: inTime(t.Volume), Below: t.Path}
	if t.HasPoint {
		one.Points = []*points.Point{t.Point}
	}
	return []*Scope{one}, nil
}

// allOf gives a scope for each NTFS volume of an image.
func allOf(s *points.Set, img *points.Image) (out []*Scope, err error) {
	all, err := s.NTFS()
	for _, v := range all {
		if v.Image == img {
			out = append(out, &Scope{Volume: v, Points: inTime(v)})
		}
	}
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%s: %w", img.Path, points.ErrNoNTFS)
	}
	return out, err
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

// At says at which points of a scope something could not be read.
func (sc *Scope) At(first, last int, err error) error {
	from, to := sc.Points[first], sc.Points[last]
	names := from.Name
	if first != last {
		names = strings.Join([]string{from.Name, to.Name}, " to ")
	}
	return fmt.Errorf("%s@%s: %w", sc.Volume.Name, names, from.Because(err))
}
