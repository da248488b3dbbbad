package diffstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// maxStores bounds a stack; Windows makes at most 512.
const maxStores = 4096

// Options adjust Open; the zero value works.
type Options struct {
	// Storage finds the volume that holds a diff area by its volume GUID. Without it, or when it fails, the snapshots
	// kept there have Damage.
	Storage func(volume wintype.GUID) (layer.Source, error)
	// Warn is told repair choices and oddities, from any goroutine; nil drops them.
	Warn func(error)
}

// Volume is a volume with its stack of snapshots.
type Volume struct {
	base      layer.Source
	header    Header
	snapshots []*Snapshot
	damage    error
	span      int64 // blocks of the largest of all sizes: descriptors past it mean nothing
	least     int64 // bytes of the smallest snapshot
	warn      func(error)
	index     func() *index
}

// Open reads the headers and the catalog of base, and of the volume that holds its diff area, but no block lists. It
// returns ErrNoSnapshots when there are none.
func Open(base layer.Source, opts Options) (*Volume, error) {
	warn := opts.Warn
	if warn == nil {
		warn = func(error) {}
	}
	h, err := ReadHeader(base)
	if err != nil {
		return nil, err
	}
	if err := h.oddities(); err != nil {
		warn(err)
	}
	if h.Catalog == 0 {
		return nil, ErrNoSnapshots
	}
	if base.Size() > maxVolume {
		return nil, fmt.Errorf("shadow copies of a volume of 0x%x bytes, more than 64 TiB: %w", base.Size(), layer.ErrUnsupported)
	}
	c, damage := readCatalog(base, h.Catalog, warn)
	v := &Volume{base: base, header: h, damage: damage, warn: warn}
	if len(c.snapshots) == 0 {
		return nil, cmp.Or(damage, ErrNoSnapshots)
	}
	if damage != nil {
		warn(damage)
	}
	v.join(c, opts)
	v.index = sync.OnceValue(v.build)
	return v, nil
}

// Snapshots returns all snapshots, the oldest first.
func (v *Volume) Snapshots() []*Snapshot { return slices.Clone(v.snapshots) }

// Header returns the VSS volume header.
func (v *Volume) Header() Header { return v.header }

// Damage says why there may be more snapshots than Snapshots gives; nil when the catalog is whole.
func (v *Volume) Damage() error { return v.damage }

// join makes the snapshots of the catalog entries (rules 1 to 3).
func (v *Volume) join(c catalog, opts Options) {
	local := c.index(v.base.Size(), v.warn)
	foreign := sync.OnceValues(func() (storage, error) { return v.openStorage(opts) })
	seen := map[wintype.GUID]bool{}
	for _, e := range v.ordered(c.snapshots) {
		if seen[e.store] {
			v.warn(fmt.Errorf("catalog: second snapshot entry of store %v dropped", e.store))
			continue
		}
		seen[e.store] = true
		s := &Snapshot{vol: v, at: len(v.snapshots), Index: len(v.snapshots) + 1}
		s.describe(e)
		s.entry, s.storage, s.lost = v.locate(e.store, local, foreign)
		v.snapshots = append(v.snapshots, s)
	}
	v.span, v.least = blocks(v.base.Size()), v.base.Size()
	var largest int64
	for _, s := range v.snapshots {
		if err := s.fixSize(); err != nil {
			v.warn(err)
		}
		v.span, v.least = max(v.span, blocks(s.Size)), min(v.least, s.Size)
		s.older, largest = largest, max(largest, blocks(s.Size))
		s.readStore()
		s.marks = sync.OnceValue(s.readMarks)
	}
	v.gaps()
	if v.damage != nil && c.full { // Windows fills the slots from the front
		v.snapshots[len(v.snapshots)-1].gap = v.damage
	}
}

// ordered returns entries by stack position; Windows makes neither ties nor positions against the clock.
func (v *Volume) ordered(entries []snapshotEntry) []snapshotEntry {
	slices.SortStableFunc(entries, func(a, b snapshotEntry) int {
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.created, b.created))
	})
	if len(entries) > maxStores {
		v.damage = errors.Join(v.damage, fmt.Errorf("catalog: %d snapshots, more than %d: %w", len(entries), maxStores, layer.ErrUnsupported))
		entries = entries[len(entries)-maxStores:]
	}
	for i := 1; i < len(entries); i++ {
		a, b := entries[i-1], entries[i]
		if a.store != b.store && a.position == b.position {
			v.warn(fmt.Errorf("catalog: stores %v and %v both have stack position %d", a.store, b.store, a.position))
		} else if a.created > b.created {
			v.warn(fmt.Errorf("catalog: store %v is above %v but older", b.store, a.store))
		}
	}
	return entries
}

// gaps marks snapshots whose next newer one is missing (rule 1).
func (v *Volume) gaps() {
	for i, s := range v.snapshots[:len(v.snapshots)-1] {
		if next := v.snapshots[i+1]; next.Position-s.Position > 1 {
			s.gap = fmt.Errorf("catalog: no snapshot between stack positions %d and %d", s.Position, next.Position)
			v.warn(s.gap)
		}
	}
}

// storage is the volume that holds the diff area of another one.
type storage struct {
	src    layer.Source
	stores map[wintype.GUID]storeEntry
	damage error
}

// openStorage finds the foreign diff area and makes sure that it is the right volume.
func (v *Volume) openStorage(opts Options) (storage, error) {
	guid := v.header.StorageGUID
	if opts.Storage == nil {
		return storage{}, fmt.Errorf("storage volume %v not available", guid)
	}
	src, err := opts.Storage(guid)
	if err != nil || src == nil {
		return storage{}, fmt.Errorf("storage volume %v not available: %w", guid, cmp.Or(err, layer.ErrUnknown))
	}
	h, err := ReadHeader(src)
	if err != nil {
		return storage{}, fmt.Errorf("storage volume %v: %w", guid, err)
	}
	if h.VolumeGUID != guid {
		return storage{}, fmt.Errorf("storage volume: found %v, want %v", h.VolumeGUID, guid)
	}
	if src.Size() > maxVolume {
		return storage{}, fmt.Errorf("storage volume of 0x%x bytes, more than 64 TiB: %w", src.Size(), layer.ErrUnsupported)
	}
	c, damage := readCatalog(src, h.Catalog, v.warn)
	return storage{src, c.index(src.Size(), v.warn), damage}, nil
}

// locate finds the store entry of a snapshot and the volume that its offsets count on.
func (v *Volume) locate(guid wintype.GUID, local map[wintype.GUID]storeEntry, foreign func() (storage, error)) (storeEntry, layer.Source, error) {
	if e, ok := local[guid]; ok {
		return e, v.base, nil
	}
	if v.header.Local() {
		return storeEntry{}, nil, errors.Join(fmt.Errorf("catalog: no store entry of %v", guid), v.damage)
	}
	s, err := foreign()
	if err != nil {
		return storeEntry{}, nil, err
	}
	if e, ok := s.stores[guid]; ok {
		return e, s.src, nil
	}
	return storeEntry{}, nil, errors.Join(fmt.Errorf("catalog of storage volume %v: no store entry of %v", v.header.StorageGUID, guid), s.damage)
}
