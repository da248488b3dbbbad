package selection

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"snapmount/mount/points"
)

// A Pair is two Places whose volumes are compared. They may be of one image, which is opened once.
type Pair struct {
	A, B  *Place
	Asked []string // paths beside those of the locations

	closers []*points.Set
}

// pairWords are the arguments of a comparison: a location; the words of the points that it and the second have, of the same
// volume; or the second location; and paths.
type pairWords struct {
	first  string
	point  string // of the first; none is that which it has
	same   bool   // the second is a point of the volume of the first
	second string // the word of the point, or a location
	paths  []string
}

// pairOf understands A B [PATH...], A @POINT, IMAGE @POINT @POINT, and A alone, which is compared with the current state.
func pairOf(args []string) (w pairWords) {
	point := func(i int) bool { return len(args) > i && strings.HasPrefix(args[i], "@") && !exists(args[i]) }
	w.first = args[0]
	switch {
	case point(1) && point(2):
		w.point, w.second, w.same, w.paths = args[1][1:], args[2][1:], true, args[3:]
	case point(1):
		w.second, w.same, w.paths = args[1][1:], true, args[2:]
	case len(args) > 1 && !strings.HasPrefix(args[1], "/") && !strings.HasPrefix(args[1], `\`) || len(args) > 1 && isLocation(args[1]):
		w.second, w.paths = args[1], args[2:]
	default:
		w.second, w.same, w.paths = "current", true, args[1:]
	}
	return w
}

// isLocation reports whether an argument begins with an image.
func isLocation(text string) bool {
	_, err := split(text)
	return err == nil
}

// Pair opens what is to be compared: A B, where B may be @POINT alone, of the volume of A; IMAGE @POINT @POINT; or A, and
// its volume as it is now. Paths may follow. Without a volume, it is the one that has the points, and the path at one of
// them.
func (open Opener) Pair(ctx context.Context, args []string) (*Pair, error) {
	w := pairOf(args)
	m, list, err := open.open(ctx, []string{w.first})
	if err != nil {
		return nil, err
	}
	p := &Pair{Asked: w.paths, closers: m.Sets}
	if w.same {
		err = p.points(list[0], w)
	} else {
		err = p.locations(ctx, open, list[0], w.second)
	}
	if err == nil {
		err = cmp.Or(p.A.Volumed(), p.B.Volumed())
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// points finds two points of one volume.
func (p *Pair) points(l location, w pairWords) error {
	two := func(t points.Target) (a, b points.Target, err error) {
		if a = t; w.point != "" && t.HasPoint {
			return a, b, usagef("%s: names a point already: want IMAGE @POINT @POINT", l.text)
		}
		if w.point != "" {
			if a, err = t.Named(w.point); err != nil {
				return a, b, err
			}
		}
		b, err = t.Named(w.second)
		return a, b, err
	}
	set := l.set
	t, err := set.ResolveOne(l.img, l.rest, func(t points.Target) error {
		if t.Nested() {
			return nil // the points are of what is in there
		}
		a, b, err := two(t)
		if err != nil {
			return err
		}
		return atEither(a, b, append([]string{t.Path}, w.paths...))
	})
	if err == nil {
		set, t, err = p.enter(set, t)
	}
	if err == nil && t.Volume == nil {
		err = noVolume(set, l.text)
	}
	if err != nil {
		return err
	}
	p.A, p.B = &Place{Location: l.text, Set: set}, &Place{Location: l.text, Set: set}
	p.A.Target, p.B.Target, err = two(t)
	return err
}

// atEither is nil if one of two points has one of the paths.
func atEither(a, b points.Target, paths []string) (err error) {
	for _, name := range paths {
		a.Path, b.Path = name, name
		if err = points.AtPoint(a); err != nil {
			err = points.AtPoint(b)
		}
		if err == nil {
			break
		}
	}
	return err
}

// locations finds what two locations name.
func (p *Pair) locations(ctx context.Context, open Opener, l location, second string) (err error) {
	p.A = &Place{Location: l.text, Set: l.set}
	if p.A.Target, err = l.set.Resolve(l.img, l.rest); err == nil {
		p.A.Set, p.A.Target, err = p.enter(l.set, p.A.Target)
	}
	if err != nil {
		return err
	}
	loc, err := split(second)
	if err != nil || p.A.Set.Images[0].Path != loc.Image {
		if p.B, err = open.Place(ctx, second); err == nil {
			p.closers = append(p.closers, p.B.images.Sets...)
		}
		return err
	}
	p.B = &Place{Location: second, Set: p.A.Set}
	if p.B.Target, err = p.A.Set.Resolve(p.A.Set.Images[0], loc.Rest); err == nil {
		p.B.Set, p.B.Target, err = p.enter(p.A.Set, p.B.Target)
	}
	return err
}

// enter goes into the images that a target leads through.
func (p *Pair) enter(s *points.Set, t points.Target) (*points.Set, points.Target, error) {
	inner, t, err := s.Enter(t)
	if inner != s {
		p.closers = append(p.closers, inner)
	}
	return inner, t, err
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
		case points.NodeLeftOut(err, n):
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
