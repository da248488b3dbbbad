package points

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"snapmount/imagefmt/layer"
)

// severalError says that a location could be about several volumes.
type severalError struct{ error }

// ResolveAll is Resolve for locations that may be about all NTFS volumes of an image: the image alone, or one with a
// point and no volume. The latter means the volumes that have the point, as those of a shadow copy set do. Of which volumes
// it is not known whether they do is told in lost.
func (s *Set) ResolveAll(img *Image, rest string) (found []Target, lost []error, err error) {
	t, err := s.Resolve(img, rest)
	var several severalError
	switch {
	case err == nil && t.Volume != nil:
		return []Target{t}, nil, nil
	case err == nil:
		if _, err = s.onlyVolume(img); !errors.As(err, &several) {
			return nil, nil, err
		}
	case !errors.As(err, &several) || !t.HasPoint:
		return nil, nil, err
	}
	for _, v := range s.Volumes {
		if v.Image != img || v.Filesystem != "ntfs" {
			continue
		}
		t, err2 := s.Resolve(img, ":"+v.Name+rest)
		t.HasVolume = false
		switch {
		case err2 == nil:
			found = append(found, t)
		case errors.Is(err2, fs.ErrNotExist):
			err = err2
		case errors.Is(err2, layer.ErrCorrupt), errors.Is(err2, layer.ErrUnknown):
			lost = append(lost, err2)
		default:
			return nil, nil, err2
		}
	}
	if len(found)+len(lost) == 0 {
		return nil, nil, err
	}
	return found, lost, nil
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
