package tree

import (
	"slices"

	"snapmount/mount/points"
)

// Use gives the tree that is served at the time, and what is to be called when nothing of it is needed any more.
type Use func() (files *FS, done func())

// Continues reports whether all numbers of the tree before mean the same node in f, or none, where both are of the same images: it
// does unless volumes that were unlocked meanwhile have moved others.
func (f *FS) Continues(before *FS) bool {
	if f.opts.View != before.opts.View || f.opts.System != before.opts.System || !slices.Equal(f.set.HostFiles(), before.set.HostFiles()) {
		return false
	}
	for id, p := range before.points.point {
		if q := f.points.point[id]; q == nil || !sameVolume(p.Volume, q.Volume) || p.Name != q.Name || !p.Created().Equal(q.Created()) {
			return false
		}
	}
	for id, i := range before.layout.items {
		k := f.layout.items[id]
		if k != nil && (i.path() != k.path() || !sameVolume(i.volume, k.volume)) {
			return false
		}
	}
	return true
}

// sameVolume reports whether two volumes, of sets of the same images, lie at the same place.
func sameVolume(a, b *points.Volume) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Image.Path == b.Image.Path && a.Partition.Off == b.Partition.Off && a.Partition.Number == b.Partition.Number
}
