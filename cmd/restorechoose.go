package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"snapmount/mount/tree"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// A chosen is one source of a restore.
type chosen struct {
	location string
	origin   string // IMAGE:VOLUME@POINT
	point    *tree.Point
	node     *ntfs.Node
	stream   string
	name     string // as restore.Source has it
	path     string // of node, from the volume's root
	pattern  glob   // of what is wanted below node, or nil
	all      bool   // a location that names System Volume Information, or what is in it

	matched atomic.Bool // something was found that the pattern matches
}

// choose opens the images of all locations and finds what they name. An image is opened once.
func (r *restorer) choose(locations []string) error {
	var images, rest []string
	at := make([]int, len(locations))
	for i, a := range locations {
		loc, err := tree.SplitLocation(a, func(p string) bool { _, err := os.Stat(p); return err == nil })
		if err != nil {
			return err
		}
		loc = loc.WithLayer()
		if at[i] = slices.Index(images, loc.Image); at[i] < 0 {
			at[i], images = len(images), append(images, loc.Image)
		}
		rest = append(rest, loc.Rest)
	}
	s, err := r.open.open(images)
	if err != nil {
		return err
	}
	r.sets = append(r.sets, s)
	for i, text := range rest {
		if err := r.chooseAll(s, s.Images[at[i]], text, locations[i]); err != nil {
			return err
		}
	}
	for _, c := range r.chosen {
		r.points[c.node.Tree()], r.origins[c.origin] = c.point, c.point
	}
	return nil
}

// chooseAll finds what one location names on its volume, or its volumes.
func (r *restorer) chooseAll(s *tree.Set, img *tree.Image, rest, location string) error {
	targets, err := s.ResolveAll(img, rest)
	if err != nil {
		return err
	}
	found := 0
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
		err = r.chooseIn(t, under, location)
		if err == nil {
			found++
		} else if len(targets) == 1 || !errors.Is(err, fs.ErrNotExist) || errors.Is(err, tree.ErrNoPoint) {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("%s: %w", location, fs.ErrNotExist)
	}
	return nil
}

// chooseIn finds what a location names on one volume: at its point, or at all that may keep deleted files.
func (r *restorer) chooseIn(t tree.Target, under, location string) (err error) {
	points := []*tree.Point{t.Point}
	switch {
	case t.HasPoint:
	case r.asOf != "":
		if points[0], err = t.Volume.AsOf(r.asOf); err != nil {
			return err
		}
	case r.deleted:
		points = slices.Clone(t.Volume.Snapshots())
		slices.Reverse(points)
	}
	found := false
	err = fmt.Errorf("%s: %w", location, tree.ErrNoPoint) // where there are no points
	for _, p := range points {
		c, err2 := lookChosen(p, t.Path)
		if err2 != nil {
			if err = err2; r.deleted && errors.Is(err, fs.ErrNotExist) {
				continue // it was not there then
			}
			return err
		}
		found = true
		c.location, c.name = location, path.Join(under, c.name)
		c.origin = fmt.Sprintf("%s:%s@%s", t.Volume.Image.Path, t.Volume.Name, p.Name)
		r.chosen = append(r.chosen, c)
	}
	if !found {
		return err
	}
	return nil
}

// lookChosen finds what a path of a point names: what is there by this name; else, where it is a pattern, the directory
// that all its matches are below.
func lookChosen(p *tree.Point, name string) (*chosen, error) {
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
		c.path = strings.Join(parts, "/")
		if len(parts) > 0 && (!strings.HasSuffix(name, "/") || c.stream != "") {
			c.name = ownName(c.node, c.stream, parts[len(parts)-1])
		} else if c.node.Kind != ntfs.KindDir {
			return nil, fmt.Errorf("%s: %w", name, ntfs.ErrNotDir)
		}
	case first < 0 || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		c.path = strings.Join(parts[:first], "/")
		if c.pattern, err = newGlob(strings.Join(parts[first:], "/")); err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", name, err)}
		}
		if c.node, _, err = p.Lookup(c.path+"/", true); err != nil {
			return nil, err
		}
	}
	top := pathWords(c.path)
	c.all = len(top) > 0 && top[0] == strings.ToUpper(informationName)
	return c, nil
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

// sources gives what was chosen. It can be gone through more than once, at the same time.
func (r *restorer) sources() iter.Seq2[restore.Source, error] {
	return func(yield func(restore.Source, error) bool) {
		gone := map[*tree.Volume]*goneFiles{}
		for _, c := range r.chosen {
			f, err := r.filter(c, gone)
			s := restore.Source{Node: c.node, Stream: c.stream, Name: c.name, Origin: c.origin, Choose: f.choose}
			if !yield(s, err) {
				return
			}
		}
	}
}
