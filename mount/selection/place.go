package selection

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// A Place is what one LOCATION names, on one volume.
type Place struct {
	points.Target
	Location string
	Set      *points.Set // that Target is of: the innermost one

	images *Images
}

// Places are all that one LOCATION names.
type Places struct {
	*Images
	List []*Place // one at least
}

// Places opens the image of a location and resolves the rest: without a volume to all that have the path, as has tells. An
// image of several volumes alone is one Place without a volume. What is on none of them is a Miss.
func (open Opener) Places(ctx context.Context, text string, has points.Has) (*Places, error) {
	m, locations, err := open.open(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	p := &Places{Images: m}
	if err := p.find(ctx, locations[0], has); err != nil {
		m.Close()
		return nil, err
	}
	return p, nil
}

// find finds all that a location names.
func (m *Places) find(ctx context.Context, l location, has points.Has) error {
	found, lost, err := []points.Target{}, []error(nil), error(nil)
	if l.rest != "" {
		found, lost, err = l.set.ResolveAll(l.img, l.rest, has)
	} else if t, err2 := l.set.Resolve(l.img, ""); true {
		found, err = append(found, t), err2
	}
	switch {
	case err != nil:
		return missOf(ctx, l.text, err)
	case len(found) == 0:
		return errors.Join(lost...)
	}
	found[0].Lost = lost
	for _, t := range found {
		p := &Place{Location: l.text, images: m.Images}
		if p.Set, p.Target, err = m.enter(l.set, t); err != nil {
			return missOf(ctx, l.text, err)
		}
		m.List = append(m.List, p)
	}
	return nil
}

// Place is Places for a location that has to name one thing: more are a SeveralError.
func (open Opener) Place(ctx context.Context, text string) (*Place, error) {
	m, err := open.Places(ctx, text, points.AtPoint)
	if err != nil {
		return nil, err
	}
	p, err := m.One()
	if err != nil {
		m.Close()
		return nil, err
	}
	return p, nil
}

// Disks opens images for what is told of them as a whole. One alone may be followed by a volume, which is only then; or be a
// file in another image.
func (open Opener) Disks(ctx context.Context, images []string) (s *points.Set, only *points.Volume, err error) {
	if len(images) > 1 || exists(Spelt(images[0])) {
		s, err = open(ctx, images)
		return s, nil, err
	}
	p, err := open.Place(ctx, images[0])
	if err != nil {
		return nil, nil, err
	}
	if !p.HasPath && p.Volume != nil {
		return p.Set, p.Volume, nil
	}
	p.Close()
	s, err = open(ctx, images)
	return s, nil, err
}

// One gives what a location names, where that has to be one thing.
func (m *Places) One() (*Place, error) {
	if len(m.List) == 1 {
		return m.List[0], nil
	}
	e := &points.SeveralError{Text: m.List[0].Location}
	for _, p := range m.List {
		e.Targets = append(e.Targets, p.Target)
	}
	return nil, e
}

// Close closes the images.
func (p *Place) Close() { p.images.Close() }

// Volumed is an error that says why the location names no volume, or nil.
func (p *Place) Volumed() error {
	if p.Point == nil {
		return noVolume(p.Set, p.Location)
	}
	return nil
}

// Lost tells what of the image, and of the points of its volume, the location may mean as well and cannot be looked at,
// beside Target.Lost. all says that it is about all points.
func (p *Place) Lost(all bool) (lost []error) {
	lost = p.Apart()
	missing := p.Doubt
	if all && p.Volume != nil {
		missing = p.Volume.Missing()
	}
	if missing != nil {
		lost = append(lost, missing)
	}
	return lost
}

// Apart tells which volumes of the image cannot be opened, where the location names none, and may mean one of them as well.
func (p *Place) Apart() (lost []error) {
	if p.Volume != nil && !p.HasVolume {
		lost, _ = searched(p.Set, p.Volume.Image)
	}
	return lost
}

// Closed tells what of the image is no volume whose files can be shown: those that cannot be opened, and the others.
func (p *Place) Closed() (lost []error, others []string) {
	lost, line := searched(p.Set, p.Set.Images[0])
	if line != "" {
		others = append(others, line)
	}
	return lost, others
}

// Node finds the file or directory, and the stream of it, that the location names. follow goes through a link that is
// its last name.
func (p *Place) Node(follow bool) (*ntfs.Node, string, error) {
	if err := p.Volumed(); err != nil {
		return nil, "", err
	}
	n, stream, err := p.Point.Find(p.Set.Context(), p.Path, follow)
	if points.Absent(err) {
		err = missAt(p.Set.Context(), p.Location, p.Target, err)
	}
	return n, stream, err
}

// FullPath is the path from the root of the volume on, with slashes.
func (p *Place) FullPath() string {
	return "/" + strings.Trim(slashed(p.Path, []*points.Point{p.Point}), "/")
}

// slashed is a path with slashes for its backslashes, unless one of the points has it as it stands.
func slashed(name string, shown []*points.Point) string {
	if !strings.Contains(name, `\`) || slices.ContainsFunc(shown, func(p *points.Point) bool { _, err := p.Walk(name, false); return err == nil }) {
		return name
	}
	return strings.ReplaceAll(name, `\`, "/")
}

// InTime are the points of the volume, oldest first, the current state last.
func (p *Place) InTime() []*points.Point { return inTime(p.Volume) }

// History gives the versions of what is at the place, over the points of InTime.
func (p *Place) History(ctx context.Context, every, system bool) (iter.Seq2[compare.Version, error], error) {
	if err := p.Volumed(); err != nil {
		return nil, err
	}
	shown := p.InTime()
	moments := make([]compare.Moment, len(shown))
	for i, at := range shown {
		moments[i] = compare.Moment{Tree: at.Files, Find: func() (*ntfs.Node, string, error) { return at.Lookup(p.Path, false) }}
	}
	opts := compare.HistoryOptions{Path: p.Path, First: slices.Index(shown, p.Point), Every: every, System: system,
		Hide: func(e ntfs.Entry) bool { return compare.IsStore(e.Name) }}
	rows, err := compare.History(ctx, moments, opts)
	if errors.Is(err, fs.ErrNotExist) {
		if _, _, err2 := p.Point.Find(ctx, p.Path, false); err2 == nil { // now its directory has it
			return compare.History(ctx, moments, opts)
		}
	}
	if points.Absent(err) {
		err = missAt(ctx, p.Location, p.Target, err)
	}
	return rows, err
}

// LeftOut reports whether all that is not known of a version, or whether it is the one before, is what Windows leaves out
// of snapshots on purpose, and the file is not the one that was asked for.
func (p *Place) LeftOut(v compare.Version, err error) bool {
	if !points.LeftOut(err) {
		return false
	}
	shown := p.InTime()
	var at []*ntfs.Node
	for i := v.First; i >= 0 && len(at) < 2; i-- {
		t, err := shown[i].Files()
		if err != nil {
			continue
		}
		if t.Upper(strings.Trim(p.Path, "/")) == t.Upper(strings.Trim(v.Path, "/")) {
			return false
		}
		if n, err := t.Node(v.Ref); err == nil {
			at = append(at, n)
		}
	}
	return points.NodeLeftOut(err, at...)
}
