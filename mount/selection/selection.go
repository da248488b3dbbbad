// Package selection turns what users write into what the engines work on: LOCATIONs into places, pairs, scopes and the
// sources of a restore; filters and the words of a query into those of packages restore and timeline. Every command, and
// every front end that takes LOCATIONs, opens them here.
//
// An Opener opens images; each of the images of a call is opened once. What comes back has a Close, for all of them.
//
//	place.go    one LOCATION: Place, and Pair for two of one volume
//	scope.go    LOCATIONs that mean all points in time: Scopes
//	query.go    sizes, times and attributes of a search: Query
//	restore.go  LOCATIONs and a Filter to restore sources: Selection
//	attack.go   what an attack did to a volume; lastgood.go with --last-good
//	protect.go  what must not be written to; landing.go what DEST is
//	choose.go   what one LOCATION of a restore names; gone.go with --deleted; filter.go what of it is wanted
//
// Nothing here is shared: a Place, a Pair, Scopes or a Selection is for one goroutine, but for what is said to be safe.
package selection

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
	"snapmount/mount/locate"
	"snapmount/mount/points"
)

// UsageError is a mistake in what was asked for, known before anything is done.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the mistake.
func (e UsageError) Unwrap() error { return e.Err }

// usagef makes a UsageError.
func usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// An Opener opens images. The Set ends with the context.
type Opener func(ctx context.Context, images []string) (*points.Set, error)

// Images are the images of several LOCATIONs.
type Images struct {
	Sets []*points.Set // the first has those that are named; others lie in these
}

// Close closes the images.
func (m *Images) Close() {
	for _, s := range m.Sets {
		s.Close() // of files that were read only
	}
}

// A location is one whose image is open.
type location struct {
	text string
	set  *points.Set
	img  *points.Image
	rest string // what follows the image
}

// open opens the images of all locations.
func (open Opener) open(ctx context.Context, locations []string) (*Images, []location, error) {
	var images []string
	at := make([]int, len(locations))
	out := make([]location, len(locations))
	for i, text := range locations {
		loc, err := split(text)
		if err != nil {
			return nil, nil, err
		}
		if at[i] = slices.Index(images, loc.Image); at[i] < 0 {
			at[i], images = len(images), append(images, loc.Image)
		}
		out[i] = location{text: text, rest: loc.Rest}
	}
	s, err := open(ctx, images)
	if err != nil {
		return nil, nil, err
	}
	for i := range out {
		out[i].set, out[i].img = s, s.Images[at[i]]
	}
	return &Images{[]*points.Set{s}}, out, nil
}

// enter goes into the images that lie on the way of a target.
func (m *Images) enter(s *points.Set, t points.Target) (*points.Set, points.Target, error) {
	inner, t, err := s.Enter(t)
	if inner != s {
		m.Sets = append(m.Sets, inner)
	}
	return inner, t, err
}

// noVolume says why a location names no volume: there is none, or several.
func noVolume(s *points.Set, location string) error {
	all, err := s.NTFS()
	if err != nil {
		return fmt.Errorf("%s: %w", location, err)
	}
	e := &points.SeveralError{Text: location}
	for _, v := range all {
		if v.Image == s.Images[0] {
			e.Targets = append(e.Targets, points.Target{Volume: v, Point: v.Current()})
		}
	}
	if len(e.Targets) == 0 {
		return fmt.Errorf("%s: %w", location, points.ErrNoNTFS)
	}
	return e
}

// searched tells what a location that leaves the volume open does not reach: volumes of its image that cannot be opened,
// and in others partitions of other kinds.
func searched(s *points.Set, img *points.Image) (lost []error, others string) {
	for _, e := range s.Unopened(img) {
		lost = append(lost, fmt.Errorf("%s: %w", img.Path, e))
	}
	if list := s.Others(img); len(list) > 0 {
		others = fmt.Sprintf("%s: not searched, as they hold no NTFS: %s", img.Path, strings.Join(list, ", "))
	}
	return lost, others
}

// Spelt gives a location as it is meant where it is spelt otherwise: a path in a mount of this program for what that shows
// there, and one in quotes that a shell has left for what is in them. All that takes a location or an image comes through
// here.
func Spelt(text string) string {
	loc, err := points.SplitLocation(text, exists)
	if err != nil {
		if n := len(text) - 1; n > 1 && text[0] == text[n] && (text[0] == '\'' || text[0] == '"') {
			return Spelt(text[1:n])
		}
		loc = points.Location{Image: text}
	}
	if at, ok := locate.Path(loc.Image); ok {
		return at + loc.Rest
	}
	return text
}

// split finds the image of a location.
func split(text string) (points.Location, error) {
	loc, err := points.SplitLocation(Spelt(text), exists)
	return loc.WithLayer(), err
}

func exists(path string) bool { return device.Exists(path) }
