package diffstore

import (
	"fmt"
	"iter"

	"snapmount/imagefmt/layer"
)

// Place says what keeps an extent of a View.
type Place uint8

// The places.
const (
	Unchanged Place = iota // no store has it: it is as it is on the live volume (rule 10)
	Kept                   // a store kept a copy (rule 7)
	Overlaid               // written into the snapshot itself (rule 9)
	Moved                  // the live volume has it at another place (rule 6)
)

// Explained is an extent of a View and where it comes from; with Err, what is wrong with its range.
type Explained struct {
	layer.Extent
	Place Place
	Store int // Snapshot.Index of the store that keeps it, 0 for none
	Err   error
}

// Origin says in words where the extent comes from, or why that is unknown.
func (x Explained) Origin() string {
	switch {
	case x.Kind == layer.Unknown && x.Why == layer.Unprotected:
		return "not kept: the snapshot did not need the block"
	case x.Kind == layer.Unknown:
		return "not known: a store on the way is damaged"
	case x.Place == Kept:
		return fmt.Sprintf("kept by store %d", x.Store)
	case x.Place == Overlaid:
		return fmt.Sprintf("written into the snapshot, in store %d", x.Store)
	case x.Place == Moved:
		return "moved since, on the live volume"
	}
	return "unchanged since, on the live volume"
}

// Explain yields the extents of [off, off+n) with their origins. Neighbours are not joined.
func (v *View) Explain(off, n int64) iter.Seq[Explained] {
	return func(yield func(Explained) bool) {
		for end := off + layer.Clip(v.Size(), off, n); off < end; {
			x := Explained{Extent: layer.Extent{Off: off, Len: end - off}}
			v.explain(&x)
			if !yield(x) {
				return
			}
			off += x.Len
		}
	}
}
