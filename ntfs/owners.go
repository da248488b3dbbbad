package ntfs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sort"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// Volume is what the tree was opened on: the volume's bytes at that time.
func (t *Tree) Volume() layer.Source { return t.src }

// Places yields where on the volume the clusters of the node lie, in bytes: those of all its attributes, of indexes and
// attribute lists too, whether they ever were initialized or not. What is damaged is left out.
func (n *Node) Places() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		_ = n.each(func(a *attribute) bool { // damage is told with the node
			return a.err != nil || a.resident || n.tree.clustersOf(a, yield)
		})
	}
}

// clustersOf yields the ranges of the volume that an attribute record maps, and reports whether to go on.
func (t *Tree) clustersOf(a *attribute, yield func(Range) bool) bool {
	unit := int64(t.geo.cluster)
	for n, lcn := range pairs(a.pairs, int64(a.high+1)-int64(a.low)) {
		if lcn >= 0 && checkRun(lcn, n, t.geo.clusters) == nil && !yield(Range{lcn * unit, n * unit}) {
			return false
		}
	}
	return true
}

// Used returns a function that tells by $Bitmap whether the cluster at off of the volume is in use, and how many of the
// n bytes from off on are so for sure: 1 at least. It is for one goroutine, and fast for rising offsets.
func (t *Tree) Used() (func(off, n int64) (used bool, same int64, err error), error) {
	b, err := t.openBitmap()
	if err != nil {
		return nil, err
	}
	return func(off, n int64) (bool, int64, error) {
		in := off % b.cluster
		used, clusters, err := b.run(off/b.cluster, (in+n-1)/b.cluster+1)
		return used, min(clusters*b.cluster-in, n), err
	}, nil
}

// Owners yields the references of the files that have content or metadata in any of the ranges of the volume, which are
// in order and do not overlap; perhaps more than once. Indexes of directories do not count. It reads the $MFT once, and
// nothing else. A record that is damaged is an error beside a reference that has no more than its number; the cause of the
// end of ctx is one beside none, and the last.
func (t *Tree) Owners(ctx context.Context, ranges []Range) iter.Seq2[Ref, error] {
	return func(yield func(Ref, error) bool) {
		for w := range t.windows(func(w *window) { w.findOwners(ranges) }) {
			if ctx.Err() != nil {
				yield(Ref{}, context.Cause(ctx))
				return
			}
			for i := range w.nodes {
				if r := w.nodes[i].Ref; !yield(r, w.errs[r.Record]) {
					return
				}
			}
		}
	}
}

// findOwners finds the base records of those in use that map any of the ranges.
func (w *window) findOwners(ranges []Range) {
	var r fileRecord
	for at := range uint64(len(w.data) / w.t.geo.record) {
		number := w.first + at
		err := w.record(w.t, number, at, &r)
		if err != nil && isZero(w.raw(at)) {
			err = w.t.zeroRecord(number)
		}
		if err == nil && r.flags&layout.RecordInUse == 0 {
			continue // never used, or not now
		}
		found, ref := false, r.ref
		if err == nil {
			found, err = w.owns(&r, ranges)
		}
		if r.base != (Ref{}) {
			ref = r.base
		}
		if err != nil {
			if w.errs == nil {
				w.errs = map[uint64]error{}
			}
			ref = Ref{Record: number}
			w.errs[number] = fmt.Errorf("record %d: %w", number, err)
		}
		if found || err != nil {
			w.nodes = append(w.nodes, Node{Ref: ref})
		}
	}
}

// owns reports whether r maps any of the ranges.
func (w *window) owns(r *fileRecord, ranges []Range) (found bool, err error) {
	c := r.cursor()
	for c.next() && !found {
		index := c.is(typeIndexAllocation, "$I30") || c.is(typeBitmap, "$I30")
		if err = errors.Join(err, c.attribute.err); c.attribute.err != nil || c.resident || index {
			continue
		}
		w.t.clustersOf(&c.attribute, func(x Range) bool {
			i := sort.Search(len(ranges), func(i int) bool { return ranges[i].Off+ranges[i].Len > x.Off })
			found = i < len(ranges) && ranges[i].Off < x.Off+x.Len
			return !found
		})
	}
	return found, errors.Join(err, c.err)
}

// Stored opens a stream as Stream does; where that is refused because what the volume keeps is not the content, it gives
// what the volume keeps.
func (n *Node) Stored(name string) (layer.Mapper, error) {
	m, err := n.Stream(name)
	if !errors.Is(err, layer.ErrUnsupported) {
		return m, err
	}
	list, damage := n.attributes()
	extents := n.tree.pickStream(list, name)
	switch {
	case len(extents) == 0:
		return nil, errors.Join(err, damage)
	case extents[0].resident:
		return resident(extents[0].value), extents[0].err
	}
	s, err := n.tree.newStream(extents, n.Ref.String)
	if err != nil {
		return nil, err
	}
	if extents[0].flags&layout.Encrypted != 0 {
		return s.ciphertext(), nil
	}
	return s, nil
}
