package diffstore

import (
	"fmt"
	"iter"

	"snapmount/imagefmt/layer"
)

// Reason says why an extent of a View is where it is.
type Reason uint8

// The reasons.
const (
	Unchanged   Reason = iota // no store has it: it is as it was on the live volume (rule 10)
	Kept                      // a store kept a copy (rule 7)
	Overlaid                  // written into the snapshot itself (rule 9)
	Moved                     // the live volume has it at another place (rule 6)
	Unprotected               // no store has it, and none was bound to keep it (rule 11)
	Incomplete                // it may be in the lost part of a damaged store (rule 12)
)

// Origin is where an extent of a View comes from.
type Origin struct {
	Reason Reason
	Store  int // Snapshot.Index of the store, 0 for none
}

func (o Origin) String() string {
	switch o.Reason {
	case Kept:
		return fmt.Sprintf("kept by store %d", o.Store)
	case Overlaid:
		return fmt.Sprintf("written into the snapshot, in store %d", o.Store)
	case Moved:
		return "moved since, on the live volume"
	case Unprotected:
		return "not kept: the snapshot did not need the block"
	case Incomplete:
		return "not known: a store on the way is damaged"
	}
	return "unchanged since, on the live volume"
}

// Explained is an extent of a View and its reason; with Err, what is wrong with its range.
type Explained struct {
	layer.Extent
	Origin
	Err error
}

// Explain is Extents with the reason of each extent. Neighbours are not joined.
func (v *View) Explain(off, n int64) iter.Seq[Explained] {
	return func(yield func(Explained) bool) {
		r := &run{}
		r.yield = func(e layer.Extent, err error) bool { return yield(Explained{e, r.why, err}) }
		if n := layer.Clip(v.Size(), off, n); n > 0 {
			v.walk(r, off, off+n)
		}
	}
}
