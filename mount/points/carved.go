package points

import (
	"fmt"
	"slices"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// Carve says how deleted snapshots are looked for.
type Carve uint8

const (
	CarveOff      Carve = iota
	CarveRemnants       // by what file systems still have of their store files: fast
	CarveScan           // and by one pass over the volumes
)

// Carving says how deleted snapshots were looked for, the last class of their bytes that is shown (0 for Agreed), and the
// file that keeps what was found, if any.
func (s *Set) Carving() (how Carve, show Trust, from string) {
	return s.opts.Carve, s.opts.CarveShow, s.opts.CarveFrom
}

// findCarved adds the snapshots that were deleted, of which stores are found on the volume or where its diff area is.
func (v *Volume) findCarved(s *Set) error {
	if s.opts.Carve == CarveOff || v.Filesystem != "ntfs" || v.Locked() != nil {
		return nil
	}
	o := carve.Options{
		Volume:    v.Block,
		Witness:   v.witnessAt,
		Recognize: v.recognize,
		Show:      s.opts.CarveShow,
		Whole:     v.Damage == nil,
		Warn:      func(err error) { s.warn(fmt.Errorf("%s: %w", v.Name, err)) },
		Progress:  s.opts.Progress.Of(v.Name),
		Context:   s.ctx,
		Taken:     func(x diffstore.Store) bool { return v.taken(s, x) },
	}
	for _, c := range s.holders(v) {
		o.Places = append(o.Places, c.place())
	}
	for _, p := range v.Snapshots() {
		if !p.Snapshot.Recovered {
			o.Live = append(o.Live, p.Snapshot)
		} else if len(s.captured) > 0 { // it may be of a file alone, and stay
			o.First = max(o.First, p.Snapshot.Index)
		}
	}
	stacks, err := carve.Open(o)
	if err != nil {
		return err
	}
	v.addCarved(s, stacks)
	return nil
}

// holders are the volumes that may hold stores of v.
func (s *Set) holders(v *Volume) []*Volume {
	if c := s.storageOf(v); c != nil {
		return []*Volume{v, c}
	}
	return []*Volume{v}
}

// place tells what a volume has of deleted stores.
func (v *Volume) place() *carve.Place {
	p := &carve.Place{Volume: v.Block, Remnants: v.remnants(), Witness: v.witness}
	if v.set.opts.Carve == CarveScan {
		for _, h := range v.hits() {
			if p.Has(h) { // the hits may be from a file
				p.Hits = append(p.Hits, h)
			}
		}
	}
	return p
}

// witnessAt tells what the file system of the volume says of its clusters in one of its states.
func (v *Volume) witnessAt(at layer.Mapper) (*carve.Witness, error) {
	if at == v.Block {
		return v.witness()
	}
	t, err := ntfs.Open(at, ntfs.Options{Cache: v.set.cache})
	if err != nil {
		return nil, err
	}
	return witnessOf(t)
}

// taken reports whether a store is of another volume by a catalog.
func (v *Volume) taken(s *Set, x diffstore.Store) bool {
	for _, o := range s.Volumes {
		if o == v || o.header == nil {
			continue
		}
		for _, p := range o.Snapshots() {
			if p.Snapshot.Keeps(x) {
				return true
			}
		}
	}
	return x.ID != wintype.GUID{} && s.claimed(v, x.ID)
}

// addCarved puts the deleted snapshots where they belong among the others, the oldest first; what has no place comes before
// all. What was recovered of the same stores, without knowing when copying ended, is left out.
func (v *Volume) addCarved(s *Set, stacks []*carve.Stack) {
	taken := map[string]int{}
	var first []*Point
	for _, stack := range stacks {
		for _, c := range stack.Points() {
			v.dropRecovered(s, c.Snapshot())
			p := s.addPoint(v, carvedName(c, taken), c.Snapshot())
			p.Carved, p.Blocks = c, func() (layer.Mapper, error) { return c, nil }
			if !c.Ordered() {
				first = append(first, p)
				continue
			}
			at := 1
			for i, q := range v.Points {
				if i > 0 && (q.Carved != nil || c.Follows(q.Snapshot)) {
					at = i + 1
				}
			}
			v.Points = slices.Insert(v.Points, at, p)
		}
	}
	v.Points = slices.Insert(v.Points, 1, first...)
}

// dropRecovered takes away the point that a store has already which no catalog has.
func (v *Volume) dropRecovered(s *Set, store *diffstore.Snapshot) {
	same := func(p *Point) bool {
		return p.Snapshot != nil && p.Carved == nil && p.Snapshot.Recovered && !store.CopyID.IsZero() && p.Snapshot.CopyID == store.CopyID
	}
	v.Points = slices.DeleteFunc(v.Points, same)
	s.points = slices.DeleteFunc(s.points, func(p *Point) bool { return p.Volume == v && same(p) })
	for i, p := range s.points {
		p.Number = i
	}
}

// carvedName is the time of a deleted snapshot where that is known, else what it was made after; with a number where that
// is not enough.
func carvedName(c *carve.View, taken map[string]int) string {
	name, at := "unknown-time", c.Snapshot().Created
	if after := c.NotBefore(); !at.IsZero() {
		name = at.UTC().Format("2006-01-02T150405Z")
	} else if !after.IsZero() {
		name = "after-" + after.UTC().Format("2006-01-02T1504Z")
	}
	if taken[name]++; taken[name] > 1 {
		name += fmt.Sprintf("-%d", taken[name])
	}
	return name + "-carved"
}
