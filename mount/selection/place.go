package selection

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// A Place is what one LOCATION names.
type Place struct {
	points.Target
	Location string
	Set      *points.Set // that Target is of: the innermost one
}

// Place opens the image of a location and resolves the rest.
func (open Opener) Place(ctx context.Context, text string) (*Place, error) {
	m, locations, err := open.open(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	l := locations[0]
	p := &Place{Location: text, Set: l.set}
	if p.Target, err = l.set.Resolve(l.img, l.rest); err == nil {
		p.Set, p.Target, err = m.enter(l.set, p.Target)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	return p, nil
}

// Close closes the images.
func (p *Place) Close() { p.Set.Close() } // it closes those around it

// Volumed is an error that says why the location names no volume, or nil.
func (p *Place) Volumed() error {
	if p.Point == nil {
		return noVolume(p.Set, p.Location)
	}
	return nil
}

// Lost tells what of the image, and of the points of its volume, the location may mean as well and cannot be looked at.
// all says that it is about all points.
func (p *Place) Lost(all bool) (lost []error) {
	if p.Volume != nil && !p.HasVolume {
		lost, _ = searched(p.Set, p.Volume.Image)
	}
	missing := p.Doubt
	if all && p.Volume != nil {
		missing = p.Volume.Missing()
	}
	if missing != nil {
		lost = append(lost, missing)
	}
	return lost
}

// Node finds the file or directory, and the stream of it, that the location names. follow goes through a link that is
// its last name.
func (p *Place) Node(follow bool) (*ntfs.Node, string, error) {
	if err := p.Volumed(); err != nil {
		return nil, "", err
	}
	return p.Point.Lookup(p.Path, follow)
}

// FullPath is the path from the root of the volume on.
func (p *Place) FullPath() string { return "/" + strings.Trim(p.Path, "/") }

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
	return compare.History(ctx, moments, compare.HistoryOptions{Path: p.Path, First: slices.Index(shown, p.Point), Every: every, System: system,
		Hide: func(e ntfs.Entry) bool { return compare.IsStore(e.Name) }})
}

// A Pair is two Places whose volumes are compared. They may be of one image, which is opened once.
type Pair struct {
	A, B    *Place
	closers []*points.Set
}

// Pair opens two locations that name volumes; the second may be @POINT alone, of the volume of the first.
func (open Opener) Pair(ctx context.Context, first, second string) (*Pair, error) {
	a, err := open.Place(ctx, first)
	if err != nil {
		return nil, err
	}
	p := &Pair{A: a, closers: []*points.Set{a.Set}}
	if err = open.second(ctx, p, second); err == nil {
		err = cmp.Or(p.A.Volumed(), p.B.Volumed())
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// second opens the second location.
func (open Opener) second(ctx context.Context, p *Pair, text string) error {
	a := p.A
	img, rest := a.Set.Images[0], ""
	loc, err := points.SplitLocation(text, exists)
	switch {
	case strings.HasPrefix(text, "@") && !exists(text):
		if err := a.Volumed(); err != nil {
			return err
		}
		img, rest = a.Volume.Image, ":"+a.Volume.Name+text
	case err == nil && img.Path == loc.WithLayer().Image:
		rest = loc.WithLayer().Rest
	default:
		if p.B, err = open.Place(ctx, text); err == nil {
			p.closers = append(p.closers, p.B.Set)
		}
		return err
	}
	p.B = &Place{Location: text, Set: a.Set}
	if p.B.Target, err = a.Set.Resolve(img, rest); err == nil && p.B.HasPath {
		p.B.Set, p.B.Target, err = a.Set.Enter(p.B.Target)
		p.closers[0] = p.B.Set // which closes that of A
	}
	return err
}

// Lost tells what the locations may mean as well and cannot be looked at, each once.
func (p *Pair) Lost() (lost []error) {
	told := map[string]bool{}
	for _, err := range append(p.A.Lost(false), p.B.Lost(false)...) {
		if !told[err.Error()] {
			told[err.Error()], lost = true, append(lost, err)
		}
	}
	return lost
}

// LeftOut reports whether all of a file that could not be compared is what Windows leaves out of snapshots on purpose, and
// the file is none of those that were asked for.
func (p *Pair) LeftOut(path string, asked []string, err error) bool {
	for _, x := range []*Place{p.A, p.B} {
		t, err2 := x.Point.Files()
		if err2 != nil || slices.ContainsFunc(asked, func(one string) bool { return t.Upper(strings.Trim(one, "/")) == t.Upper(path) }) {
			return false
		}
		switch n, err2 := t.Lookup(path); {
		case points.Absent(err2):
		case err2 != nil:
			return false
		case points.NodeLeftOut(n, err):
			return true
		}
	}
	return false
}

// Paths are those that the locations have.
func (p *Pair) Paths() (paths []string) {
	for _, x := range []*Place{p.A, p.B} {
		if x.HasPath && strings.Trim(x.Path, "/") != "" {
			paths = append(paths, x.Path)
		}
	}
	return paths
}

// Close closes the images.
func (p *Pair) Close() {
	for _, s := range p.closers {
		s.Close() // of files that were read only
	}
}
