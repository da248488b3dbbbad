package points

import (
	"errors"
)

// Readable is nil where something of the volumes can be shown: files of the current state, or a snapshot. Else it is
// ErrNoNTFS, or why the first volume cannot be opened.
func (s *Set) Readable() error {
	var first error
	for _, v := range s.Volumes {
		err := v.opens()
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if _, err := s.NTFS(); err != nil && (first == nil || errors.Is(first, ErrNoNTFS)) {
		return err
	}
	return first
}

// opens is nil where a point of a volume can be shown.
func (v *Volume) opens() error {
	err := v.Locked()
	if err == nil && v.Filesystem != "ntfs" {
		err = ErrNoNTFS
	}
	if err == nil {
		if _, err = v.Current().Files(); err == nil {
			return nil
		}
	}
	for _, p := range v.Snapshots() {
		if _, failed := p.Blocks(); failed == nil {
			return nil
		}
	}
	return err
}
