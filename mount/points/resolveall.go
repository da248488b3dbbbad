package points

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// severalError says that a location could be about several volumes.
type severalError struct{ error }

// ResolveAll is Resolve for locations that may be about all NTFS volumes of an image: the image alone, or one with a
// point and no volume. The latter means the volumes that have the point, as those of a shadow copy set do.
func (s *Set) ResolveAll(img *Image, rest string) ([]Target, error) {
	t, err := s.Resolve(img, rest)
	var several severalError
	switch {
	case err == nil && t.Volume != nil:
		return []Target{t}, nil
	case err == nil:
		if _, err = s.onlyVolume(img); !errors.As(err, &several) {
			return nil, err
		}
	case !errors.As(err, &several) || !t.HasPoint:
		return nil, err
	}
	var out []Target
	for _, v := range s.Volumes {
		if v.Image != img || v.Filesystem != "ntfs" {
			continue
		}
		t, err2 := s.Resolve(img, ":"+v.Name+rest)
		switch {
		case err2 == nil:
			out = append(out, t)
		case errors.Is(err2, fs.ErrNotExist):
			err = err2
		default:
			return nil, err2
		}
	}
	if len(out) == 0 {
		return nil, err
	}
	return out, nil
}

// AsOf gives the snapshots that were not taken after a time, of which a day or a minute counts to its end, the newest
// first. There is one at least, or the error says that there is none.
func (v *Volume) AsOf(text string) ([]*Point, error) {
	_, to, err := ParseTime(text)
	if err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Clone(v.Snapshots()), func(p *Point) bool { return p.Created().IsZero() })
	slices.Reverse(known)
	slices.SortStableFunc(known, func(a, b *Point) int { return b.Created().Compare(a.Created()) })
	out := slices.DeleteFunc(slices.Clone(known), func(p *Point) bool { return !p.Created().Before(to) })
	switch {
	case len(out) > 0:
		return out, nil
	case v.Damage != nil || len(known) == 0:
		return nil, fmt.Errorf("%s: as of %s: %w", v.Name, text, v.noPoint())
	}
	return nil, fmt.Errorf("%s: as of %s: the oldest is %s: %w", v.Name, text, known[len(known)-1].Name, ErrNoPoint)
}
