package diskfile

import (
	"context"
	"iter"

	"snapmount/imagefmt/layer"
)

const (
	clusterBits = 14 // blocks of VSS: what differs is written, and nothing beside it
	cluster     = 1 << clusterBits
)

// clusters is a range of whole clusters; the last may reach over the end of the disk.
type clusters struct {
	off, n int64
	zero   bool // all of it is holes
}

// clusters lists what has to be written: where the disk is no hole or, with a backing disk, where it is not proven to be the
// same as that one; holes too, then.
func (w *writer) clusters(backing layer.Mapper) (list []clusters, err error) {
	for off, n := range w.differing(backing) {
		if err := w.add(&list, off, n, backing != nil); err != nil {
			return nil, err
		}
	}
	if w.ctx.Err() != nil {
		return nil, context.Cause(w.ctx)
	}
	for _, c := range list {
		if !c.zero {
			w.total += c.n
		}
	}
	for e, err := range layer.Resolve(w.disk, 0, w.disk.Size()) {
		if w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
		if err == nil && leftOut(e) {
			w.result.LeftOut += e.Len
		}
	}
	return list, nil
}

// differing yields the ranges of the disk that are to be looked at, in order.
func (w *writer) differing(backing layer.Mapper) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		size := w.disk.Size()
		if backing == nil {
			yield(0, size)
			return
		}
		shared := min(size, backing.Size())
		for off, n := range layer.Differ(w.ctx, live{w.disk}, backing, 0, shared, nil) {
			if !yield(off, n) {
				return
			}
		}
		if shared < size {
			yield(shared, size-shared)
		}
	}
}

// add appends the clusters of a range behind those that are there already. holes says whether those without content are
// needed.
func (w *writer) add(list *[]clusters, off, n int64, holes bool) error {
	end := (off + n + cluster - 1) &^ (cluster - 1)
	off &^= cluster - 1
	if k := len(*list); k > 0 {
		off = max(off, (*list)[k-1].off+(*list)[k-1].n)
	}
	for off < end {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		c := clusters{off: off, n: cluster}
		if hole := layer.Holes(w.disk, off, min(end, w.disk.Size())-off); hole >= cluster || off+hole == w.disk.Size() {
			c.zero, c.n = true, max(hole&^(cluster-1), cluster)
		} else {
			c.n = w.solid(off, end)
		}
		if off += c.n; !c.zero || holes {
			join(list, c)
		}
	}
	return nil
}

// leftOut reports whether an extent is one that Windows left out of a snapshot, and for which there is what is live now.
func leftOut(e layer.Extent) bool { return e.Kind == layer.Unknown && e.Why == layer.Unprotected }

// live is a disk on which what was left out of a snapshot is what it is now, as it is written.
type live struct{ layer.Mapper }

// At resolves: the layer that knows of what was left out may be any below.
func (l live) At(off, n int64) (layer.Extent, error) {
	e, err := layer.Leaf(l.Mapper, off, n)
	if leftOut(e) {
		e.Kind, e.Why = layer.Data, 0
		if e.Base == nil {
			e.Kind = layer.Zero
		}
	}
	return e, err
}

// solid is how far from off the clusters have content that lies together, up to end.
func (w *writer) solid(off, end int64) int64 {
	e, err := layer.Leaf(w.disk, off, min(end, w.disk.Size())-off)
	if err == nil && e.Kind == layer.Zero {
		return cluster // there is something behind the hole
	}
	return max(e.Len&^(cluster-1), cluster)
}

func join(list *[]clusters, c clusters) {
	if k := len(*list); k > 0 {
		if last := &(*list)[k-1]; last.zero == c.zero && last.off+last.n == c.off {
			last.n += c.n
			return
		}
	}
	*list = append(*list, c)
}
