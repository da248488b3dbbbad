package points

import "snapmount/imagefmt/wintype"

// CopySets groups the snapshots by shadow copy set, in the order of their first points.
func (s *Set) CopySets() [][]*Point {
	var out [][]*Point
	at := map[wintype.GUID]int{}
	for _, p := range s.points {
		if p.Snapshot == nil || p.Snapshot.SetID.IsZero() {
			continue
		}
		id := p.Snapshot.SetID
		i, ok := at[id]
		if !ok {
			i = len(out)
			at[id], out = i, append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}
