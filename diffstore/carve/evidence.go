package carve

import (
	"time"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// Facts are what is known of a deleted snapshot, and how.
type Facts struct {
	Found string // "record" of its file, "header", "table" or "range list"
	Store int64  // bytes, where the first that is left of the store is on the volume that holds it
	// Order is what tells that it is newer than the one before it in the stack; 0 for the oldest, and where its place is not
	// known.
	Order Evidence
	Alone bool // its place among other snapshots is not known: it is read by itself
	// Copies were made up to a log sequence number, for certain and by all that tells, and not known after that; Time is that
	// of the store's file, zero when not known, and From what tells it.
	LSN, AgreedLSN uint64
	Time           time.Time
	From           string
	Listed         bool   // its file is not deleted: only the catalog has lost it
	Gap            bool   // copies may be missing before the next snapshot, or up to now
	Damage         error  // why the list of its blocks may not be whole
	Rows           int    // blocks that it kept
	Overwritten    int    // of them, as something else has their place now
	Shares         Shares // of what the snapshot needs
}

// Shares are bytes by class.
type Shares [Lost + 1]int64

// Shown is the part of them that a class and all better ones have.
func (s Shares) Shown(last Trust) float64 {
	var all, shown int64
	for t, n := range s {
		if all += n; Trust(t) <= last {
			shown += n
		}
	}
	if all == 0 {
		return 0
	}
	return float64(shown) / float64(all)
}

// Facts looks at all blocks of the snapshot, by tables alone: whether a block that was deleted is zeros is found where it is
// read.
func (v *View) Facts() Facts {
	s, f := v.stack, v.stack.stores[v.at]
	end := until{from: "what newer snapshots keep"}
	if next := s.next[v.at]; next < len(s.ends) {
		end = s.ends[next]
	}
	r := Facts{Found: f.how, Store: int64(firstOf(f.Header, f.List, f.Ranges, f.Current)), Order: f.by, Alone: !s.ordered, LSN: end.lsn,
		AgreedLSN: end.agreed, Time: end.time, From: end.from, Gap: f.Gap != nil, Damage: s.damaged[v.at],
		Listed: f.remnant != nil && f.remnant.InUse}
	quick := &View{stack: s, at: v.at, show: Agreed, quick: true}
	for j := range quick.Explain(0, v.Size()) {
		if j.Store == f.Index && j.Place == diffstore.Kept {
			r.Rows++
			if j.Trust == Lost {
				r.Overwritten++
			}
		}
		if j.Why != layer.Unprotected || f.Current == 0 { // without its bitmap nothing tells what it did not need
			r.Shares[j.Trust] += j.Len
		}
	}
	return r
}

// firstOf is the first that is not 0.
func firstOf(list ...uint64) uint64 {
	for _, off := range list {
		if off > 0 {
			return off
		}
	}
	return 0
}
