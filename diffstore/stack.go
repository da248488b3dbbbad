package diffstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A Store says where the records of a store are that no catalog has, in bytes of the volume that holds it; 0 is not known.
type Store struct {
	Index   int          // of its snapshot
	ID      wintype.GUID // by the name of its file; zero when nothing tells
	Created time.Time    // of its file; zero when nothing tells
	On      layer.Source // the volume that holds it
	File    uint64       // NTFS file reference of its file on that volume

	Header, List, Ranges, Current, Previous uint64
	// Pieces are those of its file as its MFT record has them, the second address of each block (rule 16); without them
	// those of its range list are taken.
	Pieces []Piece

	// Live is a snapshot of an open Volume that stands at this place of the stack, instead of all the above but Index.
	Live *Snapshot
	// Gap says that copies may have ended before the snapshot of the next store was made, or before now; nil that they did
	// not.
	Gap error
}

// OpenStack presents stores that are given in their order, the oldest first, as the stack of base (rule 15). What they
// leave unprotected counts in all older ones, since the snapshots that were there when they were made need not be those.
func OpenStack(base layer.Source, stores []Store, opts Options) (*Volume, error) {
	if len(stores) == 0 || len(stores) > maxStores {
		return nil, fmt.Errorf("%d stores: %w", len(stores), ErrNoSnapshots)
	}
	if base.Size() > maxVolume {
		return nil, fmt.Errorf("shadow copies of a volume of 0x%x bytes, more than 64 TiB: %w", base.Size(), layer.ErrUnsupported)
	}
	warn := opts.Warn
	if warn == nil {
		warn = func(error) {}
	}
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	v := &Volume{base: base, warn: warn, progress: opts.Progress, ctx: opts.Context}
	v.header, _ = ReadHeader(base) // it may be erased
	for i, x := range stores {
		s := x.snapshot()
		s.vol, s.at, s.Index, s.strict, s.gap = v, i, x.Index, true, x.Gap
		s.Position = uint64(i + 1)
		v.snapshots = append(v.snapshots, s)
	}
	v.settleSizes()
	parallel(len(v.snapshots), func(i int) {
		if s := v.snapshots[i]; s.Recovered {
			s.readStore()
		}
	})
	v.index = sync.OnceValue(v.build)
	return v, nil
}

// snapshot makes the snapshot of a store, which belongs to no stack yet.
func (x *Store) snapshot() *Snapshot {
	if l := x.Live; l != nil {
		return &Snapshot{CopyID: l.CopyID, SetID: l.SetID, StoreID: l.StoreID, Format: l.Format, Created: l.Created, Size: l.Size,
			Attributes: l.Attributes, Context: l.Context, SetCount: l.SetCount, Flags: l.Flags, Offline: l.Offline, Machine: l.Machine,
			ServiceMachine: l.ServiceMachine, StorageGUID: l.StorageGUID, StoreFile: l.StoreFile, Damage: l.Damage,
			entry: l.entry, storage: l.storage, areas: slices.Clone(l.areas), lost: l.lost}
	}
	s := &Snapshot{StoreID: x.ID, Created: x.Created, StoreFile: x.File, Recovered: true, Size: -1, storage: x.On, orphan: true,
		entry: storeEntry{list: x.List, store: x.ID, header: x.Header, ranges: x.Ranges, current: x.Current, file: x.File, previous: x.Previous}}
	if in := (area{src: x.On}); in.valid(s.entry) {
		s.areas = []area{in}
	} else {
		s.lost = errors.New("its block list is not found")
	}
	if p := x.placement(); p != nil {
		s.placed.by = map[int]*placement{0: p}
	}
	return s
}

func (x *Store) placement() *placement {
	p := &placement{}
	for _, r := range x.Pieces {
		if f := (fileRange{uint64(r.Off), uint64(r.At), uint64(r.Len)}); r.Off > 0 && f.valid(uint64(x.On.Size())) {
			p.ranges = append(p.ranges, f)
		}
	}
	if p.settle(); len(p.ranges) == 0 {
		return nil
	}
	return p
}

// Bare returns the volume as it was, as if all block lists were whole and copies had been made without a gap up to now.
// What that is worth is for the caller to judge, by the place of each extent (Explain) and by ListDamage.
func (s *Snapshot) Bare() (*View, error) {
	x, n := s.vol.index(), len(s.vol.snapshots)
	v := &View{snap: s, index: x, marks: s.marks(), first: s.at, end: n, damaged: n, newest: s.at == n-1, damage: func() error { return nil }}
	if ctx := s.vol.ctx; ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return v, nil
}

// ListDamage says why the block list of s may have had more blocks than are known, nil when it is whole: rows that are not of
// the store stand where its own have been. It reads the block lists of all stores.
func (s *Snapshot) ListDamage() error {
	x := s.vol.index()
	return errors.Join(s.lost, x.damage[s.at], x.doubts[s.at])
}

// Gap says why copies may have ended before the next newer snapshot of the stack was made, or before now; nil when they
// did not.
func (s *Snapshot) Gap() error { return s.gap }

// Ordinal counts s in the order of its stack, from 0, whatever its Index.
func (s *Snapshot) Ordinal() int { return s.at }

// A Link is what the bitmaps of a store say of its neighbours in the stack (rule 21).
type Link struct{ l link }

// Link reads the bitmaps and the block list of the store of s. With an error, what can be told is there.
func (s *Snapshot) Link() (Link, error) {
	k, err := linkOf(s)
	return Link{k}, err
}

// Follows reports whether the bitmaps prove that the snapshot of l was made right after that of before.
func (l Link) Follows(before Link) bool {
	return l.l.known && before.l.whole && slices.Contains(before.l.next[:], l.l.previous)
}

// First reports whether there was no snapshot older than that of l when it was made, or none that Windows kept a bitmap of.
func (l Link) First() bool { return l.l.first }

// Owner reports an error when the bitmap of the store of s shows that it is not of base, and how many of its copies
// recognize tells to be of base, less those of another volume.
func (s *Snapshot) Owner(recognize func(off int64, b []byte) int) (votes int, err error) {
	o := &orphans{vol: s.vol, recognize: recognize}
	if len(s.areas) == 0 {
		return 0, s.lost
	}
	return o.votes(s), s.vol.owns(s.areas[0], s.entry)
}

// Keeps reports whether the store of s is x, by where its header or its block list is.
func (s *Snapshot) Keeps(x Store) bool {
	e := s.entry
	return s.storage == x.On && (e.header != 0 && e.header == x.Header || e.list != 0 && e.list == x.List || e.current != 0 && e.current == x.Current)
}
