package points

import (
	"slices"

	"snapmount/imagefmt/wintype"
)

// CopySets groups the snapshots by shadow copy set, in the order of their first points. Several images of one disk have
// the same snapshots: a set has each of them once, and those of one image together.
func (s *Set) CopySets() (out [][]*Point) {
	at := map[wintype.GUID][]int{} // where in out the groups of a set are
	for _, p := range s.points {
		if p.Snapshot == nil || p.Snapshot.SetID.IsZero() {
			continue
		}
		id := p.Snapshot.SetID
		i := groupFor(p, out, at[id])
		if i < 0 {
			i = len(out)
			at[id], out = append(at[id], i), append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

// groupFor chooses among groups of p's set: one with a point of its image, else one without a copy of p; -1 for none.
func groupFor(p *Point, groups [][]*Point, of []int) int {
	free := -1
	for _, i := range of {
		if slices.ContainsFunc(groups[i], func(q *Point) bool { return q.Volume.Image == p.Volume.Image }) {
			return i
		}
		if free < 0 && !slices.ContainsFunc(groups[i], func(q *Point) bool { return q.Snapshot.CopyID == p.Snapshot.CopyID }) {
			free = i
		}
	}
	return free
}
