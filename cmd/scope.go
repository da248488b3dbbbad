package cmd

import (
	"context"
	"fmt"
	"io"
	"os"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// A scope is what a location means to commands on all points in time: the points of one volume, oldest first.
type scope struct {
	volume *points.Volume
	points []*points.Point // the current state last
	below  string          // path; empty for all
}

// scopes opens the images of all locations and resolves the rest. A location without a volume means all NTFS volumes,
// one without a point all points. The caller closes the set.
func (o *openFlags) scopes(ctx context.Context, locations []string) (*points.Set, []scope, error) {
	var images, rest []string
	for _, a := range locations {
		loc, err := points.SplitLocation(a, func(p string) bool { _, err := os.Stat(p); return err == nil })
		if err != nil {
			return nil, nil, err
		}
		loc = loc.WithLayer()
		images, rest = append(images, loc.Image), append(rest, loc.Rest)
	}
	s, err := o.open(ctx, images)
	if err != nil {
		return nil, nil, err
	}
	var out []scope
	for i := range rest {
		some, err := scopesIn(s, s.Images[i], rest[i])
		if err != nil {
			s.Close()
			return nil, nil, err
		}
		out = append(out, some...)
	}
	return s, out, nil
}

func scopesIn(s *points.Set, img *points.Image, rest string) ([]scope, error) {
	if rest == "" {
		var out []scope
		all, err := s.NTFS()
		for _, v := range all {
			if v.Image == img {
				out = append(out, scope{volume: v, points: inTime(v)})
			}
		}
		if err == nil && len(out) == 0 {
			err = fmt.Errorf("%s: %w", img.Path, points.ErrNoNTFS)
		}
		return out, err
	}
	t, err := s.Resolve(img, rest)
	if err != nil {
		return nil, err
	}
	if points.IsRecord(t.Path) { // the files below a record that no directory leads to have no path
		return nil, fmt.Errorf("%s: what is searched is below a path, not a file record: %w", t.Path, layer.ErrUnsupported)
	}
	sc := scope{volume: t.Volume, points: inTime(t.Volume), below: t.Path}
	if t.HasPoint {
		sc.points = []*points.Point{t.Point}
	}
	return []scope{sc}, nil
}

// inTime gives the points of a volume, oldest first.
func inTime(v *points.Volume) []*points.Point {
	return append(append([]*points.Point{}, v.Snapshots()...), v.Current())
}

// timeline opens the file systems of all points. Those that cannot be opened are told, and nil.
func (sc *scope) timeline(name string, fail func(error)) *timeline.Volume {
	v := &timeline.Volume{Name: name}
	for _, p := range sc.points {
		t, err := p.Files()
		if err != nil {
			fail(p.Because(err))
		}
		v.Points = append(v.Points, timeline.Point{Name: p.Name, Time: p.Created(), Tree: t})
	}
	return v
}

// failures tells what could not be read, but not without end.
type failures struct {
	out io.Writer
	n   int
}

func (f *failures) tell(err error) {
	const most = 1000
	switch f.n++; {
	case f.n < most:
		fmt.Fprintf(f.out, "snapmount: %s\n", printable(oneLine(err)))
	case f.n == most:
		fmt.Fprintln(f.out, "snapmount: more could not be read, which is not told one by one")
	}
}

// at says at which points of a scope something could not be read.
func (sc *scope) at(first, last int, err error) error {
	from, to := sc.points[first], sc.points[last]
	if first == last {
		return fmt.Errorf("%s@%s: %w", sc.volume.Name, from.Name, from.Because(err))
	}
	return fmt.Errorf("%s@%s to %s: %w", sc.volume.Name, from.Name, to.Name, from.Because(err))
}

func (f *failures) err() error {
	if f.n > 0 {
		return errPartial
	}
	return nil
}

func trees(v *timeline.Volume) []*ntfs.Tree {
	out := make([]*ntfs.Tree, len(v.Points))
	for i := range v.Points {
		out[i] = v.Points[i].Tree
	}
	return out
}
