package diffstore

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Range is a run of bytes of a volume.
type Range struct{ Off, Len int64 }

// UnchangedFunc returns what has not changed on the live volume since the snapshot of last was made, in any order. Last
// has of the live volume nothing for certain, and is to be asked for what its own store keeps.
type UnchangedFunc func(last *View) ([]Range, error)

// end marks s as the last of a stack whose copies go to no proven end: what changed on the volume since it was made may
// have been overwritten without a copy (rule 18).
func (s *Snapshot) end(why error) {
	s.gap, s.ended = why, true
}

// provenSince finds what has not changed on the live volume since s was made, which no store need have kept.
func (s *Snapshot) provenSince() func() []Range {
	return sync.OnceValue(func() []Range {
		if s.vol.unchanged == nil {
			return nil
		}
		v, err := s.Open()
		if err != nil {
			return nil
		}
		v.proof = nil
		known, err := s.vol.unchanged(v)
		if err != nil {
			s.warn(fmt.Errorf("what has not changed since: %w", err))
		}
		return joined(known)
	})
}

// joined sorts ranges and joins those that touch.
func joined(ranges []Range) []Range {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Compare(a.Off, b.Off) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && r.Off <= out[n-1].Off+out[n-1].Len {
			out[n-1].Len = max(out[n-1].Len, r.Off+r.Len-out[n-1].Off)
		} else if r.Len > 0 {
			out = append(out, r)
		}
	}
	return out
}

// unchanged reports whether x, which is on the live volume, is proven not to have changed, and cuts it to where that ends.
func (v *View) unchanged(x *Explained) bool {
	if v.proof == nil {
		return false
	}
	known, off := v.proof(), x.BaseOff
	i, found := slices.BinarySearchFunc(known, off, func(r Range, off int64) int { return cmp.Compare(r.Off, off) })
	if !found && i > 0 && off < known[i-1].Off+known[i-1].Len {
		i--
	}
	if i == len(known) {
		return false
	}
	if n := known[i].Off - off; n > 0 {
		x.Len = min(x.Len, n)
		return false
	}
	x.Len = min(x.Len, known[i].Off+known[i].Len-off)
	return true
}
