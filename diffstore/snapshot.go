package diffstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Snapshot is one point in time. Its fields are data: looking at them reads nothing.
type Snapshot struct {
	Index    int    // 1 is the oldest; offline ones count
	Position uint64 // in the driver's stack
	CopyID   wintype.GUID
	SetID    wintype.GUID // the same on several volumes for points taken together
	StoreID  wintype.GUID
	Format   wintype.GUID // layout of the store information; the kind of snapshot
	Created  time.Time    // UTC, with 100 ns
	Size     int64        // bytes of the volume at the time

	Attributes     Attributes
	Context        Context
	SetCount       uint32 // snapshots in the set when it was made
	Flags          StoreFlags
	Offline        bool
	Machine        string       // that had the volume
	ServiceMachine string       // that ran VSS
	StorageGUID    wintype.GUID // the volume that should hold the store
	StoreFile      uint64       // NTFS file reference of the store file on that volume, 0 when unknown
	Recovered      bool         // made of a store file that no catalog has: order, time and size are inferred; see Damage

	// Damage is what Open found wrong: the store is not there, or its header is lost (the identifiers are zero, yet all
	// content is readable). Check finds more.
	Damage error

	vol     *Volume
	at      int   // in vol.snapshots
	older   int64 // blocks of the largest older snapshot
	entry   storeEntry
	storage layer.Source // the volume that entry counts on; nil when not there
	areas   []area       // where the store may be read, the best first; none when lost
	lost    error
	strange bool  // not in the catalog that the volume has now
	orphan  bool  // no catalog has its snapshot entry
	strict  bool  // what it leaves unprotected counts in all older ones: see OpenStack
	gap     error // the next newer snapshot is missing
	ended   bool  // gap is because copies may have ended: see end
	proof   func() []Range
	placed  placements
	bitmaps func() *own
	marks   func() *marks
}

// describe takes what the catalog says.
func (s *Snapshot) describe(e snapshotEntry) {
	s.Position, s.StoreID, s.Created = e.position, e.store, e.created.Time()
	s.Flags, s.Offline = e.flags, e.flags&OfflineFlag != 0
	s.StorageGUID = s.vol.header.StorageGUID
	s.Size = -1
	if e.size <= uint64(maxVolume) && e.size > 0 {
		s.Size = int64(e.size)
	}
}

// fixSize replaces a size that cannot be, by that of the live volume.
func (s *Snapshot) fixSize() error {
	if s.Size > 0 {
		return nil
	}
	s.Size = s.vol.base.Size()
	return fmt.Errorf("snapshot %d: impossible volume size, taken as 0x%x", s.Index, s.Size)
}

// readStore reads the store header and keeps what is wrong as Damage.
func (s *Snapshot) readStore() {
	s.Damage = errors.Join(s.Damage, s.lost)
	s.StoreFile = s.entry.file
	if s.lost == nil || s.storage != nil {
		s.Damage = errors.Join(s.Damage, s.readInformation())
	}
}

func (s *Snapshot) warn(err error) { s.vol.warn(fmt.Errorf("snapshot %d: %w", s.Index, err)) }

// TaintError says that a snapshot is read through a newer store that is damaged or missing.
type TaintError struct {
	Index int // of the snapshot whose store it is, or after which one is missing
	Err   error
}

func (e *TaintError) Error() string { return fmt.Sprintf("reads through store %d: %v", e.Index, e.Err) }

// Unwrap gives the damage of that store.
func (e *TaintError) Unwrap() error { return e.Err }

// Check reads the block lists of all stores and the ends of the bitmaps of s, and returns what makes s doubtful: own is
// damage of its own store, through joins a *TaintError for each newer store that s is read through. No data is read.
// What else is wrong with bitmaps is told to Options.Warn when they are read.
// Where Options.Context has ended, own is its cause, and nothing is known.
func (s *Snapshot) Check() (own, through error) {
	x := s.vol.index()
	own = errors.Join(s.Damage, s.checkBitmaps())
	if ctx := s.vol.ctx; ctx.Err() != nil {
		return context.Cause(ctx), nil
	}
	if s.lost == nil {
		own = errors.Join(own, x.damage[s.at], x.doubts[s.at], x.after[s.at]())
	}
	var taints []error
	if err := x.newerThanImage(s); err != nil {
		taints = append(taints, err)
	}
	for _, n := range s.vol.snapshots[s.at:] {
		if n.at == s.at {
			// its own was told above
		} else if d := errors.Join(x.damage[n.at], x.doubts[n.at], x.after[n.at]()); d != nil {
			taints = append(taints, &TaintError{n.Index, d})
		}
		if n.gap != nil {
			taints = append(taints, &TaintError{n.Index, n.gap})
			break
		}
	}
	return own, errors.Join(taints...)
}
