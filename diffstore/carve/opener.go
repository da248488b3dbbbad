package carve

import (
	"iter"
	"slices"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// opener looks at the stores of one volume.
type opener struct {
	Options
	now  *Witness
	runs []recordRun
}

// live makes stores of the snapshots that the catalog has.
func (o *opener) live() (list []*found) {
	for _, s := range o.Live {
		f := &found{snap: s, position: s.Position}
		f.Live, f.ID, f.Created, f.Index = s, s.StoreID, s.Created, s.Index
		f.link, f.linkErr = s.Link()
		list = append(list, f)
	}
	return list
}

// look tells of a store alone what its order depends on, and reports whether it may be of the volume.
func (o *opener) look(f *found) bool {
	vss, err := diffstore.OpenStack(o.Volume, []diffstore.Store{f.Store}, diffstore.Options{Context: o.Context})
	if err != nil {
		return false
	}
	f.snap = vss.Snapshots()[0]
	if votes, err := f.snap.Owner(o.Recognize); err != nil && f.List != 0 || votes < 0 {
		return false
	}
	f.link, f.linkErr = f.snap.Link()
	return true
}

// share notes which blocks several stores have, of which one at least was deleted before another was made.
func share(all []*found) {
	type place struct {
		on  layer.Source
		off int64
	}
	by := map[place][]*found{}
	for _, f := range all {
		for off := range f.blocks() {
			p := place{f.On, off}
			if l := by[p]; len(l) == 0 || l[len(l)-1] != f {
				by[p] = append(l, f)
			}
		}
	}
	for p, list := range by {
		if len(list) == 1 {
			continue
		}
		for _, f := range list {
			if f.shared == nil {
				f.shared = map[int64][]*found{}
			}
			f.shared[p.off] = slices.DeleteFunc(slices.Clone(list), func(o *found) bool { return o == f })
		}
	}
}

// blocks yields where on its volume a deleted store has metadata and copies.
func (f *found) blocks() iter.Seq[int64] {
	return func(yield func(int64) bool) {
		if !f.deleted() {
			return // $Bitmap has what is live
		}
		for _, h := range f.heads {
			if !yield(h.Off) {
				return
			}
		}
		v, err := f.snap.Bare()
		if err != nil {
			return
		}
		for x := range v.Explain(0, v.Size()) {
			if x.Err == nil && x.Base == f.On && (x.Place == diffstore.Kept || x.Place == diffstore.Overlaid) {
				first := x.BaseOff &^ (diffstore.BlockSize - 1)
				for off := first; off < x.BaseOff+x.Len; off += diffstore.BlockSize {
					if !yield(off) {
						return
					}
				}
			}
		}
	}
}

// age reads the file records that a store keeps.
func (o *opener) age(f *found) {
	v, err := f.snap.Bare()
	if err != nil {
		return
	}
	newest := uint64(0)
	for _, r := range o.runs {
		for x := range v.Explain(r.Off, r.Len) {
			if x.Err != nil || x.Kind != layer.Data || x.Place != diffstore.Kept || x.Store != f.snap.Index || !f.sound(&x.Extent) {
				continue
			}
			eachRecord(x.Extent, r, func(b []byte, lsn uint64) {
				if t := changeTime(b); lsn > newest && !t.IsZero() {
					newest, f.changed = lsn, t
				}
				f.made = max(f.made, lsn)
			})
		}
	}
}

// sound reports whether nothing else has the blocks of an extent that the store keeps.
func (f *found) sound(x *layer.Extent) bool {
	for off := x.BaseOff &^ (diffstore.BlockSize - 1); f.deleted() && off < x.BaseOff+x.Len; off += diffstore.BlockSize {
		if len(f.shared[off]) > 0 || f.taken(off) == Lost {
			return false
		}
	}
	return true
}

// eachRecord calls f with the whole file records in an extent of a run, and the numbers of their last changes.
func eachRecord(x layer.Extent, r recordRun, f func(b []byte, lsn uint64)) {
	b := make([]byte, r.size)
	first := x.Off + (r.size-(x.Off-r.Off)%r.size)%r.size
	for off := first; off+r.size <= x.Off+x.Len; off += r.size {
		if layer.ReadFull(x.Base, b, x.BaseOff+off-x.Off) != nil {
			continue
		}
		if lsn, ok := lsnOf(b, r.number(off)); ok {
			f(b, lsn)
		}
	}
}

// before compares two stores by one kind of evidence.
func (o *opener) before(a, b *found, e Evidence) int {
	switch e {
	case ByCatalog:
		return byKnown(a.position, b.position)
	case ByBitmaps:
		switch {
		case a.linkErr != nil || b.linkErr != nil:
		case b.link.Follows(a.link) && !a.link.Follows(b.link):
			return -1
		case a.link.Follows(b.link) && !b.link.Follows(a.link):
			return 1
		}
	case ByLSN:
		return byKnown(a.made, b.made)
	case ByFile:
		if !a.Created.IsZero() && !b.Created.IsZero() {
			return a.Created.Compare(b.Created)
		}
	case ByGUID:
		return byKnown(diffstore.UUIDTime(a.ID), diffstore.UUIDTime(b.ID))
	}
	return 0
}

// byKnown compares numbers that are 0 where they are not known.
func byKnown(a, b uint64) int {
	switch {
	case a == 0 || b == 0 || a == b:
		return 0
	case a < b:
		return -1
	}
	return 1
}
