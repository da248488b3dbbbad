package ntfs

import (
	"context"
	"slices"

	"snapmount/imagefmt/layer"
)

// SameIn reports whether all of a node that its file records tell is the same in t, another point in time of the
// volume, because the records lie in the same places there: names, attributes, times, and where streams have their
// clusters. What is in the clusters of streams is not looked at. False proves nothing. Hardly any data is read.
func (n *Node) SameIn(t *Tree) bool {
	return n.sameIn(t, func(typ uint32) bool { return typ != typeData && typ != typeIndexAllocation && typ != typeBitmap })
}

// SameContentIn is SameIn, and that all streams, and the index of a directory, have their clusters in the same places
// of the image: then nothing of the node has changed. It holds where the content itself is refused, as that of encrypted files.
func (n *Node) SameContentIn(t *Tree) bool {
	return n.sameIn(t, func(uint32) bool { return true })
}

// sameIn compares the places of the records, and of the clusters of attributes whose type counts.
func (n *Node) sameIn(t *Tree, counts func(typ uint32) bool) bool {
	o := n.tree
	if t == o {
		return true
	}
	if t.geo != o.geo || n.Damage != nil || !sameRecord(o, t, n.Ref.Record) {
		return false
	}
	list, err := n.attributes()
	if err != nil || n.doubtful || slices.ContainsFunc(n.extensions, func(number uint64) bool { return !sameRecord(o, t, number) }) {
		return false
	}
	for i := range list {
		if counts(list[i].typ) && !sameClusters(o, t, &list[i]) {
			return false
		}
	}
	return true
}

// sameRecord reports whether the record of that number lies in the same place in both. What $MFTMirr may have helped
// with is not proven so.
func sameRecord(o, t *Tree, number uint64) bool {
	if number < mirrored || number >= min(o.records, t.records) {
		return false
	}
	size := int64(o.geo.record)
	return samePlaces(o.mft, t.mft, int64(number)*size, size)
}

// sameClusters reports whether the clusters of an attribute, if it has any, lie in the same places.
func sameClusters(o, t *Tree, a *attribute) bool {
	if a.err != nil || a.resident {
		return a.err == nil
	}
	unit := int64(o.geo.cluster)
	for n, lcn := range pairs(a.pairs, int64(a.high+1)-int64(a.low)) {
		if lcn != hole && (checkRun(lcn, n, o.geo.clusters) != nil || !samePlaces(o.src, t.src, lcn*unit, n*unit)) {
			return false
		}
	}
	return true
}

// samePlaces reports whether the places where their bytes lie prove a range to be the same in both.
func samePlaces(a, b layer.Source, off, n int64) bool {
	for range layer.Differ(context.Background(), a, b, off, n, nil) {
		return false
	}
	return off+n <= min(a.Size(), b.Size())
}

// SameClustersIn reports whether all that a node has in clusters, but for the index of a directory, lies in the same
// places of the image in trees, where its records say the same: then nothing of it was changed in place. False proves
// nothing.
func (n *Node) SameClustersIn(trees ...*Tree) bool {
	list, err := n.attributes()
	for i := range list {
		a := &list[i]
		if n.dir && (a.is(typeIndexAllocation, "$I30") || a.is(typeBitmap, "$I30")) {
			continue
		}
		for _, t := range trees {
			if t.geo != n.tree.geo || !sameClusters(n.tree, t, a) {
				return false
			}
		}
	}
	return err == nil
}
