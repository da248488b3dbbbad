package carve

import (
	"bytes"
	"sync"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// isZero reports whether an extent of a block at most has nothing but zeros, or cannot be read.
func isZero(x layer.Extent) bool {
	var b [diffstore.BlockSize]byte
	n, _ := layer.Read(x.Base, b[:min(x.Len, int64(len(b)))], x.BaseOff, layer.Fail)
	return int64(n) < min(x.Len, int64(len(b))) || len(bytes.Trim(b[:n], "\x00")) == 0
}

// blockStates keep what was found of blocks of stores, by place.
type blockStates struct {
	mu sync.Mutex
	by map[layer.Source]map[int64]Trust
}

// kept says what a row of a store rests on: bytes of a deleted store were kept, if nothing was written over them.
func (s *Stack) kept(store int, x *layer.Extent, quick bool) Trust {
	f := s.stores[store]
	if f.Live != nil || f.remnant != nil && f.remnant.InUse {
		return Kept
	}
	first := x.BaseOff &^ (diffstore.BlockSize - 1)
	if s.wroteOver(store, first) {
		return Lost
	}
	if quick {
		return f.overwritten(first, true)
	}
	s.blocks.mu.Lock()
	t, ok := s.blocks.by[f.On][first]
	s.blocks.mu.Unlock()
	if ok {
		return t
	}
	t = f.overwritten(first, false)
	s.blocks.mu.Lock()
	defer s.blocks.mu.Unlock()
	if s.blocks.by == nil {
		s.blocks.by = map[layer.Source]map[int64]Trust{}
	}
	if s.blocks.by[f.On] == nil {
		s.blocks.by[f.On] = map[int64]Trust{}
	}
	s.blocks.by[f.On][first] = t
	return t
}

// wroteOver reports whether a store that is not known to be older has a block of a store too: blocks of what was deleted are
// used again.
func (s *Stack) wroteOver(store int, off int64) bool {
	f := s.stores[store]
	for _, o := range f.shared[off] {
		if at, ok := s.ordinal[o.Index]; !ok || s.stores[at] != o || at > store {
			return true
		}
	}
	return false
}

// overwritten looks at the block at off of the volume that holds the store: it is lost where a file has a cluster of it, or
// had one after the store was deleted, and where it is all zeros, or a metadata block is now.
func (f *found) overwritten(off int64, quick bool) Trust {
	if t := f.taken(off); t == Lost || quick {
		return t
	}
	if _, ok := headAt(f.On, off); ok || isZero(layer.Extent{Len: diffstore.BlockSize, Base: f.On, BaseOff: off}) {
		return Lost
	}
	return Carved
}

// taken looks only at what files have, and had.
func (f *found) taken(off int64) Trust {
	w, err := f.place.Witness()
	if err != nil {
		return Lost
	}
	for o, end := off, off+diffstore.BlockSize; o < end; {
		in, n := w.used(o)
		c, free := at(w.Claims, o)
		if in || c != nil { // $Bitmap alone may be damaged
			return Lost
		}
		o += min(n, free)
	}
	var after uint64 // nothing is known of when it was deleted
	if f.remnant != nil && !f.remnant.InUse {
		after = f.remnant.LSN
	}
	for c := range w.freedIn(off, off+diffstore.BlockSize) {
		if (c.LSN > after || c.LSN == 0) && c.Number != f.File&(1<<48-1) {
			return Lost
		}
	}
	return Carved
}
