package diffstore

import (
	"bytes"
	"cmp"
	"context"
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
	// Files are store and catalog files of System Volume Information, copied out at the time of the image or as the
	// volume's own NTFS lists them, in any order. They are used where the volume lacks a store or its catalog.
	Files []File
	// Unchanged tells what has not changed on base since a snapshot whose store is damaged, that no catalog has, or that was
	// deleted. Without it all that no store keeps is layer.Unknown there.
	Unchanged UnchangedFunc
	// Claimed reports whether another volume has the snapshot of a store; nil says that none has.
	Claimed func(store wintype.GUID) bool
	// Recognize tells by its content whether what a store keeps of the block at an offset is of base: by more than 0 that it
	// is, by less that it is of another volume. nil tells nothing.
	Recognize func(off int64, b []byte) int
	// Warn is told repair choices and oddities, from any goroutine; nil drops them.
	Warn func(error)
	// Progress is told how many of the block lists are read; nil drops it.
	Progress layer.Progress
	// Context ends the reading of lists and bitmaps, by Open and at any time later, with its cause. nil never does.
	Context context.Context
}

// Volume is a volume with its stack of snapshots.
type Volume struct {
	base      layer.Source
	header    Header
	snapshots []*Snapshot // of one stack
	others    []*Volume   // stacks that are not part of it: deleted ones and recovered ones
	first     int         // snapshots of the stacks before
	damage    error
	span      int64 // blocks of the largest of all sizes: descriptors past it mean nothing
	least     int64 // bytes of the smallest snapshot
	stores    []wintype.GUID
	warn      func(error)
	unchanged UnchangedFunc
	progress  layer.Progress
	ctx       context.Context
	index     func() *index
	partly    sync.Once // see checkSuccessor
}

// Open reads the headers and the catalog of base, and of the volume that holds its diff area, but no block lists
// (except those of stores that no catalog has). It returns ErrNoSnapshots when there are none.
func Open(base layer.Source, opts Options) (*Volume, error) {
	warn := opts.Warn
	if warn == nil {
		warn = func(error) {}
	}
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	files := openFiles(opts.Context, opts.Files, warn)
	h, err := ReadHeader(base)
	if err == nil && h.Catalog == 0 {
		err = ErrNoSnapshots
	}
	if err != nil && files.none() {
		return nil, withFiles(err, files)
	}
	if base.Size() > maxVolume {
		return nil, fmt.Errorf("shadow copies of a volume of 0x%x bytes, more than 64 TiB: %w", base.Size(), layer.ErrUnsupported)
	}
	if err := h.oddities(); err != nil && h != (Header{}) {
		warn(err)
	}
	v := &Volume{base: base, header: h, warn: warn, unchanged: opts.Unchanged, progress: opts.Progress, ctx: opts.Context}
	if err != nil && !errors.Is(err, ErrNoSnapshots) {
		v.damage = err // told below
	}
	own := v.ownCatalog()
	for _, e := range own.stores {
		v.stores = append(v.stores, e.store)
	}
	v.join(own, files, opts)
	if opts.Context.Err() != nil {
		return nil, context.Cause(opts.Context)
	}
	if len(v.snapshots) == 0 {
		return nil, withFiles(cmp.Or(v.damage, ErrNoSnapshots), files)
	}
	return v, nil
}

// ownCatalog reads the catalog, where the header names one, and warns of what is wrong with either.
func (v *Volume) ownCatalog() (own catalog) {
	if first := v.header.Catalog; first != 0 {
		own, v.damage = readCatalog(v.ctx, area{src: v.base}, first, v.warn)
		if v.damage != nil && zeros(v.base, first) {
			v.damage = fmt.Errorf("%w; it is all zeros, as in the block image of the newest snapshot", v.damage)
		}
	}
	if v.damage != nil {
		v.warn(v.damage)
	}
	return own
}

// zeros reports whether the block at off is all zeros.
func zeros(base layer.Source, off uint64) bool {
	var b [BlockSize]byte
	return off < uint64(maxVolume) && layer.ReadFull(base, b[:], int64(off)) == nil && len(bytes.Trim(b[:], "\x00")) == 0
}

// withFiles adds what was wrong with files to err.
func withFiles(err error, files *captured) error {
	if bad := files.errs(wintype.GUID{}); bad != nil {
		return fmt.Errorf("%w; %w", err, bad)
	}
	return err
}

// Snapshots returns all snapshots, the oldest first; then those beside the stack, which were deleted or recovered.
func (v *Volume) Snapshots() []*Snapshot {
	all := slices.Clone(v.snapshots)
	for _, o := range v.others {
		all = append(all, o.snapshots...)
	}
	return all
}

// Header returns the VSS volume header; it is zero when the volume has none.
func (v *Volume) Header() Header { return v.header }

// Damage says why there may be more snapshots than Snapshots gives; nil when the catalog is whole.
func (v *Volume) Damage() error { return v.damage }

// beside returns a new stack of the same volume.
func (v *Volume) beside() *Volume {
	o := &Volume{base: v.base, header: v.header, warn: v.warn, unchanged: v.unchanged, progress: v.progress, ctx: v.ctx, first: len(v.Snapshots())}
	v.others = append(v.others, o)
	return o
}

// join makes the snapshots of catalog entries (rules 1 to 3) and files.
func (v *Volume) join(own catalog, files *captured, opts Options) {
	local := own.index(area{src: v.base}, v.warn)
	foreign := sync.OnceValues(func() (storage, error) { return v.openStorage(opts) })
	stack, deleted, whole := files.points(v, own)
	intact := v.damage == nil && len(own.snapshots) > 0
	settle := func(c *captured, s *Snapshot, p point) { c.settle(s, p, !intact && !p.orphan, local, foreign) }
	o := v.newOrphans(files, settle, opts)
	o.lost = own.traces(v.header.Local(), v.damage)
	known := append(slices.Clone(stack), deleted...)
	stack, left, newer := o.complete(stack, v.orphanEntries(own, known, foreign, opts.Claimed), files, func(f *storeFile) bool {
		return files.known(f, known) || slices.ContainsFunc(own.stores, f.is) || v.keptElsewhere(f, foreign)
	})
	if len(stack) > 0 {
		v.assemble(stack, func(s *Snapshot, p point) {
			if settle(files, s, p); p.orphan {
				s.orphaned(p, "its place is that of its bitmaps")
			}
		})
		v.gaps()
		v.markLost(own, foreign)
		if v.damage != nil && own.full && !whole { // Windows fills the slots from the front
			v.snapshots[len(v.snapshots)-1].gap = v.damage
		}
		v.markOrphans(left, newer, own)
		v.endDeleted(false)
	}
	if len(deleted) > 0 {
		o := v.beside()
		o.assemble(deleted, func(s *Snapshot, p point) { files.settle(s, p, false, local, foreign) })
		o.gaps()
		o.endDeleted(true)
	}
	v.addRecovered(files, own, o, settle, slices.DeleteFunc(left, func(p point) bool { return p.files != nil }))
	if len(v.snapshots) == 0 && own.holes > 0 && v.damage == nil {
		v.damage = fmt.Errorf("catalog: %d slots before others in use are empty, of which the entries are lost: %w", own.holes, layer.ErrCorrupt)
		v.warn(v.damage)
	}
}

// assemble makes the snapshots of one stack; settle finds their stores.
func (v *Volume) assemble(points []point, settle func(s *Snapshot, p point)) {
	seen := map[wintype.GUID]bool{}
	for _, p := range v.ordered(points) {
		if seen[p.store] && p.files == nil {
			v.warn(fmt.Errorf("catalog: second snapshot entry of store %v dropped", p.store))
			continue
		}
		seen[p.store] = true
		s := &Snapshot{vol: v, at: len(v.snapshots), Index: v.first + len(v.snapshots) + 1, strange: p.strange, orphan: p.orphan}
		s.describe(p.snapshotEntry)
		settle(s, p)
		v.snapshots = append(v.snapshots, s)
	}
	v.settleSizes()
	parallel(len(v.snapshots), func(i int) { v.snapshots[i].readStore() })
	v.index = sync.OnceValue(v.build)
}

// settleSizes makes what depends on the sizes of all snapshots of the stack.
func (v *Volume) settleSizes() {
	v.span, v.least = blocks(v.base.Size()), v.base.Size()
	var largest int64
	for _, s := range v.snapshots {
		if err := s.fixSize(); err != nil && !s.Recovered {
			v.warn(err)
		}
		v.span, v.least = max(v.span, blocks(s.Size)), min(v.least, s.Size)
		s.older, largest = largest, max(largest, blocks(s.Size))
		s.bitmaps, s.marks, s.proof = sync.OnceValue(s.openBitmaps), sync.OnceValue(s.newMarks), s.provenSince()
	}
}

// ordered returns entries by stack position; Windows makes neither ties nor positions against the clock.
func (v *Volume) ordered(entries []point) []point {
	slices.SortStableFunc(entries, func(a, b point) int {
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
		} else if a.created > b.created && b.created > 0 && b.files == nil {
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

// markLost marks the newest snapshot when the entry of a newer one is damaged, and the volume that one is missing.
func (v *Volume) markLost(own catalog, foreign func() (storage, error)) {
	lost := own.lost(func(store wintype.GUID) bool {
		if v.header.Local() {
			return false
		}
		s, err := foreign()
		_, ok := s.stores[store]
		return ok && err == nil
	})
	last := v.snapshots[len(v.snapshots)-1]
	for _, e := range lost {
		if slices.ContainsFunc(v.snapshots, func(s *Snapshot) bool { return s.StoreID == e.store }) {
			continue // told with the snapshot
		}
		v.damage = errors.Join(v.damage, layer.Corrupt("catalog entry", e.off, "type %d, but store %v has an entry: the snapshot of stack position %d is lost", e.kind, e.store, e.position))
		if e.position > last.Position && last.gap == nil {
			last.gap = fmt.Errorf("catalog: the entry of stack position %d, after %d, is damaged", e.position, last.Position)
			v.warn(last.gap)
		}
	}
}

// storage is the volume that holds the diff area of another one.
type storage struct {
	src     layer.Source
	catalog catalog
	stores  map[wintype.GUID]storeEntry
	damage  error
}

// openStorage finds the foreign diff area and makes sure that it is the right volume.
func (v *Volume) openStorage(opts Options) (storage, error) {
	guid := v.header.StorageGUID
	if opts.Storage == nil {
		return storage{}, notAvailable(guid, nil)
	}
	src, err := opts.Storage(guid)
	if err != nil || src == nil {
		return storage{}, notAvailable(guid, err)
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
	c, damage := readCatalog(v.ctx, area{src: src}, h.Catalog, v.warn)
	return storage{src, c, c.index(area{src: src}, v.warn), damage}, nil
}

// notAvailable says what to do when the storage volume was not given.
func notAvailable(guid wintype.GUID, err error) error {
	const advice = "add the image that holds it, or pass its captured store files"
	if err == nil {
		return fmt.Errorf("storage volume %v not available: %s", guid, advice)
	}
	return fmt.Errorf("storage volume %v not available: %w; %s", guid, err, advice)
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
