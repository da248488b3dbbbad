package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// A chosen is one source of a restore.
type chosen struct {
	location string
	origin   string // IMAGE:VOLUME@POINT
	point    *points.Point
	node     *ntfs.Node
	stream   string
	name     string     // as restore.Source has it
	path     string     // of node, from the volume's root, as the volume has it
	pattern  glob       // of what is wanted below node, or nil
	all      bool       // a location that names System Volume Information, or what is in it
	old      *ntfs.Tree // that files have to differ from, or nil
	gone     *goneSet   // what files have to be among, or nil

	matched atomic.Bool // something was found that the pattern matches
}

// choose opens the images of all locations and finds what they name. An image is opened once.
func (r *restorer) choose(ctx context.Context, locations []string) error {
	var images, rest []string
	at := make([]int, len(locations))
	for i, a := range locations {
		loc, err := points.SplitLocation(a, func(p string) bool { _, err := os.Stat(p); return err == nil })
		if err != nil {
			return err
		}
		loc = loc.WithLayer()
		if at[i] = slices.Index(images, loc.Image); at[i] < 0 {
			at[i], images = len(images), append(images, loc.Image)
		}
		rest = append(rest, loc.Rest)
	}
	s, err := r.open.open(ctx, images)
	if err != nil {
		return err
	}
	r.sets = append(r.sets, s)
	for i, text := range rest {
		if err := r.chooseAll(ctx, s, s.Images[at[i]], text, locations[i]); err != nil {
			return err
		}
	}
	return r.settle()
}

// settle completes what was chosen, once all of it is known.
func (r *restorer) settle() error {
	names := map[string]string{} // of locations
	for _, c := range r.chosen {
		r.points[c.node.Tree()], r.origins[c.origin] = c.point, c.point
		if other, ok := names[c.name]; ok && c.name != "" && other != c.location {
			return usageError{fmt.Errorf("%s and %s are both called %s: restore one of them elsewhere", other, c.location, printable(c.name))}
		}
		names[c.name] = c.location
		if r.since == "" {
			continue
		}
		p, err := c.point.Volume.PointNamed(r.since)
		if err == nil {
			c.old, err = p.Files()
		}
		if err != nil {
			return fmt.Errorf("%s: --changed-since: %w", c.point.Volume.Name, err)
		}
	}
	return nil
}

// chooseAll finds what one location names on its volume, or its volumes.
func (r *restorer) chooseAll(ctx context.Context, s *points.Set, img *points.Image, rest, location string) error {
	targets, err := s.ResolveAll(img, rest)
	if err != nil {
		return err
	}
	found, miss := 0, error(nil)
	for _, t := range targets {
		inner, t, err := s.Enter(t)
		if inner != s {
			r.sets = append(r.sets, inner)
		}
		if err != nil {
			return err
		}
		if t.Point == nil {
			_, err = inner.Resolve(inner.Images[0], "@current")
			return fmt.Errorf("%s: %w", location, err)
		}
		under := ""
		if len(targets) > 1 {
			under = t.Volume.Name
		}
		err = r.chooseIn(ctx, t, under, location)
		switch {
		case err == nil:
			found++
		case len(targets) == 1 || !points.Absent(err):
			return err
		case errors.Is(err, points.ErrNoPoint):
			r.note("%s", printable(oneLine(err))) // the others may have one
			miss = err
		default:
			miss = cmp.Or(miss, err)
		}
	}
	if found == 0 {
		return fmt.Errorf("%s: on none of the volumes: %w", location, miss)
	}
	return nil
}

// chooseIn finds what a location names on one volume.
func (r *restorer) chooseIn(ctx context.Context, t points.Target, under, location string) error {
	switch {
	case r.deleted:
		return r.chooseGone(ctx, t, under, location)
	case r.asOf != "" && !t.HasPoint:
		return r.chooseAsOf(t, under, location)
	}
	c, err := lookChosen(t.Point, t.Path)
	if err != nil {
		return err
	}
	r.add(c, under, location)
	return nil
}

// chooseAsOf takes a location from the newest point that has it, of those that count.
func (r *restorer) chooseAsOf(t points.Target, under, location string) error {
	shown, err := t.Volume.AsOf(r.asOf)
	if err != nil {
		return err
	}
	for i, p := range shown {
		c, err2 := lookChosen(p, t.Path)
		if err2 == nil {
			if i > 0 {
				r.note("%s: not at %s; taken from %s", printable(location), shown[0].Name, p.Name)
			}
			r.add(c, under, location)
			return nil
		}
		if err = cmp.Or(err, err2); !points.Absent(err2) {
			return err2 // it may be there
		}
	}
	return err
}

// add takes what a location named.
func (r *restorer) add(c *chosen, under, location string) {
	c.location, c.name, c.origin = location, path.Join(under, c.name), originOf(c.point)
	r.chosen = append(r.chosen, c)
}

func originOf(p *points.Point) string {
	return fmt.Sprintf("%s:%s@%s", p.Volume.Image.Path, p.Volume.Name, p.Name)
}

// lookChosen finds what a path of a point names: what is there by this name; else, where it is a pattern, the directory
// that all its matches are below.
func lookChosen(p *points.Point, name string) (*chosen, error) {
	c := &chosen{point: p}
	var err error
	c.node, c.stream, err = p.Lookup(name, false)
	if slashed := strings.ReplaceAll(name, `\`, "/"); slashed != name {
		n, _, err2 := p.Lookup(slashed, false)
		if err != nil || err2 == nil && n.Ref == c.node.Ref { // no file has the backslash in its name
			name = slashed
		}
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	first := slices.IndexFunc(parts, hasMeta)
	switch {
	case err == nil:
		c.path = pathOf(c.node, strings.Join(parts, "/"))
		if len(parts) > 0 && (!strings.HasSuffix(name, "/") || c.stream != "") {
			c.name = ownName(c.node, c.stream, parts[len(parts)-1])
		} else if c.node.Kind != ntfs.KindDir {
			return nil, fmt.Errorf("%s: %w", name, ntfs.ErrNotDir)
		}
	case first < 0 || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		if c.pattern, err = newGlob(strings.Join(parts[first:], "/")); err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", name, err)}
		}
		below := strings.Join(parts[:first], "/")
		if c.node, _, err = p.Lookup(below+"/", true); err != nil {
			return nil, err
		}
		c.path = pathOf(c.node, below)
	}
	top := pathWords(c.path)
	c.all = len(top) > 0 && top[0] == strings.ToUpper(informationName)
	return c, nil
}

// pathOf is the path of a node as the volume has it, which a link or an 8.3 name on the way may not tell: of several, the
// one that was given.
func pathOf(n *ntfs.Node, given string) string {
	paths, err := n.Tree().Paths(n)
	if err != nil || len(paths) == 0 {
		return given // what is damaged is told when it is restored
	}
	i := slices.IndexFunc(paths, func(p ntfs.Path) bool { return strings.EqualFold(p.Name, given) })
	return paths[max(i, 0)].Name
}

// ownName is the last name of a path as the volume has it, where it was given in another case, or as an 8.3 name.
func ownName(n *ntfs.Node, stream, given string) string {
	if stream != "" {
		return given
	}
	long := ""
	names, _ := n.Names() // what is damaged is told when it is restored
	for _, x := range names {
		if x.Namespace == ntfs.NamespaceDOS {
			continue
		}
		if strings.EqualFold(x.Name, given) {
			return x.Name
		}
		long = x.Name
	}
	for _, x := range names {
		if x.Namespace == ntfs.NamespaceDOS && strings.EqualFold(x.Name, given) && long != "" {
			return long
		}
	}
	return given
}

// sources gives what was chosen. It can be gone through more than once, at the same time. A source has to be done with
// before the next one is asked for.
func (r *restorer) sources(ctx context.Context) iter.Seq2[restore.Source, error] {
	return func(yield func(restore.Source, error) bool) {
		for _, c := range r.chosen {
			f := &filter{ctx: ctx, r: r, c: c, met: map[goneKey]bool{}}
			if !yield(restore.Source{Node: c.node, Stream: c.stream, Name: c.name, Origin: c.origin, Choose: f.choose}, nil) {
				return
			}
			for s := range f.missed() {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}
