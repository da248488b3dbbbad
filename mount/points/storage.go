package points

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// holder finds the volume with a VSS volume GUID, for v: in v's own image first, since copies of one disk carry the same
// GUIDs; else in the only other image that has it.
func (s *Set) holder(v *Volume, guid wintype.GUID) (*Volume, error) {
	var other *Volume
	ambiguous := error(nil)
	for _, c := range s.Volumes {
		switch {
		case c == v || c.header == nil || c.header.VolumeGUID != guid:
		case c.Image == v.Image:
			return c, nil
		case other == nil:
			other = c
		case other.Image != c.Image:
			ambiguous = fmt.Errorf("in two of the images given, %s and %s", other.Image.Path, c.Image.Path)
		}
	}
	if ambiguous != nil {
		return nil, ambiguous
	}
	if other == nil {
		return nil, s.notGiven()
	}
	return other, nil
}

// notGiven says that a volume is not there. A locked one may be it: what VSS calls that is encrypted, too.
func (s *Set) notGiven() error {
	var list []error
	var names []string
	for _, v := range s.Volumes {
		if err := v.Locked(); err != nil {
			list, names = append(list, err), append(names, v.Name)
		}
	}
	if locked := errors.Join(list...); locked != nil {
		return &perhapsLocked{names, locked}
	}
	return errors.New("not in the images given")
}

// perhapsLocked names the volumes that one may be which is not there, and wraps what opens them.
type perhapsLocked struct {
	names []string
	error
}

func (p *perhapsLocked) Error() string {
	return "it may be " + strings.Join(p.names, " or ") + ", locked by BitLocker"
}

func (p *perhapsLocked) Unwrap() error { return p.error }

// storage gives the volume with a VSS volume GUID for a diff area of v.
func (s *Set) storage(v *Volume, guid wintype.GUID) (layer.Source, error) {
	c, err := s.holder(v, guid)
	if err != nil {
		return nil, err
	}
	return c.Block, nil
}

// DiffArea says where the snapshot's store is: "local", or the volume that holds it.
func (s *Set) DiffArea(p *Point) string {
	h := p.Volume.header
	if h == nil || h.Local() {
		return "local"
	}
	where := fmt.Sprintf("volume {%s}", h.StorageGUID)
	c, err := s.holder(p.Volume, h.StorageGUID)
	if _, locked := errors.AsType[*VolumeError](err); locked {
		return where + " locked or not given"
	}
	if err != nil {
		return where + " not given"
	}
	return where + " " + c.Name
}
