package points

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

// Has tells whether the volume of a target has what its path names: nil, an error that is Absent, or why that cannot be
// known.
type Has func(Target) error

// AtPoint is a Has: the point of the target has its path, or that leads through a file which may be an image.
func AtPoint(t Target) error {
	if t.Path == "" {
		_, err := t.Point.Files()
		return err
	}
	_, _, err := t.Point.Lookup(t.Path, false)
	if Absent(err) && t.Nested() {
		return nil
	}
	return err
}

// AtAnyPoint is a Has: some point of the volume has the path.
func AtAnyPoint(t Target) (err error) {
	for _, p := range append([]*Point{t.Point}, t.Volume.Points...) {
		t.Point = p
		err2 := AtPoint(t)
		if err2 == nil {
			return nil
		}
		if err == nil || Absent(err) {
			err = err2
		}
	}
	return err
}

// both is a Has: a and b.
func both(a, b Has) Has {
	return func(t Target) error {
		if err := a(t); err != nil {
			return err
		}
		return b(t)
	}
}

// Anywhere is a Has: all volumes that have the point.
func Anywhere(Target) error { return nil }

// A SeveralError says that a location could be about several volumes.
type SeveralError struct {
	Text    string // the location
	Targets []Target
}

func (e *SeveralError) Error() string {
	var all []string
	for _, t := range e.Targets {
		all = append(all, t.Volume.Name)
	}
	return fmt.Sprintf("%s: %d volumes have that (%s): say which", e.Text, len(all), strings.Join(all, ", "))
}

// A MissError says that no volume that a location may be about has what it names.
type MissError struct {
	Targets []Target // where it was looked for
	Err     error
}

func (e *MissError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *MissError) Unwrap() error { return e.Err }

// Resolve finds the volume, the point and the path of a location in img. Without a volume it is the only one with NTFS
// that has the point and the path; without a point, the current state. The image alone has no Volume if it has several.
func (s *Set) Resolve(img *Image, rest string) (Target, error) {
	return s.ResolveOne(img, rest, AtPoint)
}

// ResolveOne is Resolve for a path that has to be elsewhere than at the point.
func (s *Set) ResolveOne(img *Image, rest string, has Has) (Target, error) {
	if rest == "" {
		switch found, err := s.meant(img, reading{}); {
		case err != nil, len(found) > 1:
			return Target{}, nil //nolint:nilerr // the image alone
		default:
			return Target{Volume: found[0], Point: found[0].Current()}, nil
		}
	}
	found, lost, err := s.ResolveAll(img, rest, has)
	switch {
	case err != nil:
		return Target{}, err
	case len(found) == 0:
		return Target{}, errors.Join(lost...)
	case len(found) > 1:
		return Target{}, &SeveralError{img.Path + rest, found}
	}
	found[0].Lost = lost
	return found[0], nil
}

// ResolveAll finds all that a location may be about: without a volume, those with NTFS that have the point, and the path as
// has tells. Of which volumes that is not known is told in lost. One of both has something, or the error is not nil.
func (s *Set) ResolveAll(img *Image, rest string, has Has) (found []Target, lost []error, err error) {
	all, err := s.readings(img, rest)
	if err != nil {
		return nil, nil, err
	}
	for i, r := range all {
		has := has
		if i+1 < len(all) { // the letter of a drive is likelier than a path that no point has
			has = both(AtAnyPoint, has)
		}
		some, unknown, err2 := s.resolve(img, r, has)
		if lost, err = append(lost, unknown...), err2; len(some) > 0 {
			return some, lost, nil
		}
		var miss *MissError
		if err != nil && !errors.As(err, &miss) {
			return nil, nil, err
		}
		if miss != nil && r.none != nil {
			err = &MissError{miss.Targets, r.none}
		}
	}
	if len(lost) > 0 {
		return nil, lost, nil
	}
	return nil, nil, err
}

// resolve is ResolveAll for one way to read a location. Where nothing has it, the error is a MissError, or of the point.
func (s *Set) resolve(img *Image, r reading, has Has) (found []Target, lost []error, err error) {
	volumes, err := s.meant(img, r)
	if err != nil {
		return nil, nil, err
	}
	miss := &MissError{}
	for _, v := range volumes {
		t := Target{Volume: v, Path: r.path, HasPath: r.hasPath, HasVolume: r.volume != nil, HasPoint: r.point != "", named: r.volume != nil || r.point != ""}
		t, err := t.Named(r.point)
		if err == nil && (len(volumes) > 1 || !r.sure) {
			miss.Targets = append(miss.Targets, t)
			err = has(t)
		}
		switch {
		case err == nil:
			found = append(found, t)
		case errors.Is(err, fs.ErrNotExist), Absent(err):
			if miss.Err == nil || errors.Is(miss.Err, ErrNoPoint) && !errors.Is(err, ErrNoPoint) {
				miss.Err = err
			}
		case errors.Is(err, layer.ErrCorrupt), errors.Is(err, layer.ErrUnknown), errors.Is(err, layer.ErrUnsupported):
			lost = append(lost, err)
		default:
			return nil, nil, err
		}
	}
	switch {
	case len(found) > 0:
		return r.lettered(found), lost, nil
	case len(lost) > 0:
		return nil, lost, nil
	case len(volumes) > 1 && !errors.Is(miss.Err, ErrNoPoint):
		miss.Err = fmt.Errorf("%s: none of its volumes (%s) has %s: %w", img.Path, names(volumes), r, fs.ErrNotExist)
	}
	return nil, nil, miss
}

// String gives what follows the volume.
func (r reading) String() string {
	if r.point != "" {
		return r.path + " at " + r.point
	}
	return r.path
}

// lettered takes, of the volumes that have a path on a drive, those that can have had its letter. No image tells letters
// cheaply: what has \Windows\System32 is C:, and no other.
func (r reading) lettered(found []Target) []Target {
	if r.drive == 0 {
		return found
	}
	why := "the only volume that has the path"
	sure := slices.DeleteFunc(slices.Clone(found), func(t Target) bool { return t.Point.isSystem() != (r.drive == 'C') })
	if r.drive == 'C' && len(sure) > 0 {
		found, why = sure, `which has \Windows\System32`
	} else if len(found) > 1 && len(sure) > 0 {
		found = sure
	}
	for i := range found {
		if found[i].HasVolume = r.drive == 'C' && len(sure) == 1; len(found) == 1 {
			found[i].Note = fmt.Sprintf("%c: is taken for %s, %s", r.drive, found[i].Volume.Name, why)
		}
	}
	return found
}
