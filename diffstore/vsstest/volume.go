package vsstest

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"time"

	"snapmount/imagefmt/wintype"
)

// Config says how a simulated volume is laid out.
type Config struct {
	Volume  Image    // the protected volume; keeps its content
	Storage Image    // holds the diff area; nil for the volume itself
	Area    []Blocks // what the diff area may use, on the storage volume. It must be no block of a file that matters
	Catalog []Blocks // what the catalog of Volume may use when Storage is another one; nil with local storage
	Extra   [][]byte // catalog entries to put before the own ones, in the catalog that has the store entries
	Scatter uint64   // seed by which catalog entries are reordered; 0 for the order of Windows

	VolumeGUID, StorageGUID wintype.GUID // zero for fixed ones
	PadPrevious             bool         // previous bitmaps are zero, not one, where no older snapshot reaches
	NoTruth                 bool         // do not remember what snapshots read as
}

// Options of a snapshot; the zero value is an ordinary one of all blocks.
type Options struct {
	Created    time.Time // zero: a minute after the one before
	Attributes uint32    // zero: 0x0002001d, client accessible
	Context    uint32    // zero: the low bits of Attributes
	Flags      uint64    // catalog flags beside 0x40
	Free       func(b uint32) bool
	CopyID     wintype.GUID // zero: from the stack position
	SetID      wintype.GUID
	Machine    string // zero: "VSSTEST"
}

// Volume simulates the driver on one volume.
type Volume struct {
	cfg       Config
	live      Image
	storage   Image
	area      *area
	own       *area // for the catalog of live
	catalog   []Place
	foreign   []Place // the catalog of the storage volume
	snapshots []*Snapshot
	made      uint64
	before    map[uint32][]byte // what blocks held before they were first touched
	now       map[uint32][]byte // what touched blocks hold
}

// New writes the volume headers and an empty catalog.
func New(cfg Config) (*Volume, error) {
	cfg.VolumeGUID = cmp.Or(cfg.VolumeGUID, mustGUID("11111111-2222-11e3-9d6c-005056c00001"))
	v := &Volume{cfg: cfg, live: cfg.Volume, storage: cfg.Volume, area: newArea(cfg.Area),
		before: map[uint32][]byte{}, now: map[uint32][]byte{}}
	v.own = v.area
	storage := cfg.VolumeGUID
	if cfg.Storage != nil {
		v.storage, v.own = cfg.Storage, newArea(cfg.Catalog)
		storage = cmp.Or(cfg.StorageGUID, mustGUID("11111111-2222-11e3-9d6c-005056c00002"))
	}
	if err := v.Flush(); err != nil {
		return nil, err
	}
	h := Header{Version: 1, Catalog: v.catalog[0].Offset, Volume: cfg.VolumeGUID, Storage: storage}
	if _, err := v.live.WriteAt(h.Bytes(), HeaderOffset); err != nil {
		return nil, err
	}
	if cfg.Storage != nil {
		h = Header{Version: 1, Catalog: v.foreign[0].Offset, Volume: storage, Storage: storage}
		if _, err := v.storage.WriteAt(h.Bytes(), HeaderOffset); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Snapshots returns those that are left, the oldest first.
func (v *Volume) Snapshots() []*Snapshot { return v.snapshots }

// GUIDs returns those of the volume and of the one that holds its diff area.
func (v *Volume) GUIDs() (volume, storage wintype.GUID) {
	storage = v.cfg.VolumeGUID
	if v.cfg.Storage != nil {
		storage = cmp.Or(v.cfg.StorageGUID, mustGUID("11111111-2222-11e3-9d6c-005056c00002"))
	}
	return v.cfg.VolumeGUID, storage
}

func (v *Volume) newest() *Snapshot {
	if len(v.snapshots) == 0 {
		return nil
	}
	return v.snapshots[len(v.snapshots)-1]
}

func blocksOf(n int64) int64 { return (n + BlockSize - 1) / BlockSize }

// Reserved reports whether b is for the catalog or the diff area.
func (v *Volume) Reserved(b uint32) bool {
	for _, r := range v.own.all {
		if b >= r.First && b-r.First < r.Count {
			return true
		}
	}
	return false
}

// read returns block b of the live volume, padded with zeros.
func (v *Volume) read(b uint32) ([]byte, error) {
	p := make([]byte, BlockSize)
	_, err := v.live.ReadAt(p, int64(b)*BlockSize)
	if err == io.EOF {
		err = nil
	}
	return p, err
}

// Snapshot makes a snapshot of the volume as it is. The catalog has it after the next Flush.
func (v *Volume) Snapshot(o Options) (*Snapshot, error) {
	n := blocksOf(v.live.Size())
	s := v.describe(o)
	s.ignored, s.need = newBitset(n), newBitset(n)
	for b := range uint32(n) {
		if o.Free != nil && o.Free(b) || v.Reserved(b) {
			s.ignored.set(b)
		} else {
			s.need.set(b)
		}
	}
	var previous bitset
	if old := v.newest(); old != nil {
		if err := old.flush(); err != nil {
			return nil, err
		}
		previous = newBitset(n)
		for i := range previous {
			previous[i] = ^uint64(0)
		}
		older := old.stillNeeded()
		for b := range uint32(n) {
			if older.has(b) {
				previous.clear(b)
				s.need.set(b)
			}
		}
		s.Entry.Older = uint32(len(v.snapshots))
	}
	if err := s.create(n, previous); err != nil {
		return nil, err
	}
	if !v.cfg.NoTruth {
		s.truth = maps.Clone(v.now)
	}
	v.snapshots = append(v.snapshots, s)
	return s, nil
}

// describe makes the identity of the next snapshot.
func (v *Volume) describe(o Options) *Snapshot {
	v.made++
	id := func(first byte) wintype.GUID {
		g := wintype.GUID{first, 0, 0, 0, 0, 0, 0xe3, 0x11, 0x9d, 0x6c}
		copy(g[10:14], v.cfg.VolumeGUID[:4]) // stores of two volumes may lie in one diff area
		le.PutUint16(g[14:], uint16(v.made))
		return g
	}
	if o.Created.IsZero() {
		o.Created = time.Date(2026, 10, 28, 3, 15, 2, 0, time.UTC).Add(time.Duration(v.made-1) * time.Minute)
		if s := v.newest(); s != nil {
			o.Created = s.Created().Add(time.Minute)
		}
	}
	attributes := cmp.Or(o.Attributes, 0x0002001d)
	context := cmp.Or(o.Context, attributes&0x1f)
	machine := cmp.Or(o.Machine, "VSSTEST")
	return &Snapshot{
		vol:   v,
		Entry: StoreEntry{Store: id(0x57), File: 1<<48 | (40 + v.made)},
		Point: SnapshotEntry{Size: uint64(v.live.Size()), Store: id(0x57), Position: v.made, Flags: 0x40 | o.Flags, Created: wintype.FiletimeOf(o.Created)},
		Info: Information{Format: formatOf(context, false), Copy: cmp.Or(o.CopyID, id(0xc0)), Set: cmp.Or(o.SetID, id(0x5e)),
			Context: context, Count: 1, Attributes: attributes, Machine: machine, Service: machine},
		regular: map[uint32]bool{}, moved: map[uint32]uint32{}, pending: map[uint32]uint32{}, overlays: map[uint32]*overlay{},
	}
}

// create takes and writes the first blocks of the store of a volume of n blocks.
func (s *Snapshot) create(n int64, previous bitset) error {
	head, err := s.takeChain(3 * Payload(TypeBitmap))
	if err != nil {
		return err
	}
	s.Entry.Header, s.Entry.List, s.Entry.Ranges = head[0].Offset, head[1].Offset, head[2].Offset
	s.Lists, s.ranges = head[1:2], head[2]
	if s.Entry.Current, err = s.writeBitmap(s.ignored.bytes(n, n)); err != nil || previous == nil {
		return err
	}
	pad := n
	if s.vol.cfg.PadPrevious {
		pad = 0
		for _, o := range s.vol.snapshots {
			pad = max(pad, blocksOf(o.Size()))
		}
	}
	s.Entry.Previous, err = s.writeBitmap(previous.bytes(n, pad))
	return err
}

// stillNeeded returns the blocks that s or an older snapshot reads from a newer store or the live volume.
func (s *Snapshot) stillNeeded() bitset {
	need := newBitset(max(int64(len(s.need))*64, blocksOf(s.vol.live.Size())))
	copy(need, s.need)
	for b := range s.regular {
		need.clear(b)
	}
	for b := range s.moved {
		need.clear(b)
	}
	for _, t := range s.moved {
		need.set(t)
	}
	return need
}

// Hide marks snapshot i (0 the oldest left) as deleted by the user; it stays in the stack.
func (v *Volume) Hide(i int) error {
	s := v.snapshots[i]
	s.Point.Flags |= 0x100
	s.Info.Format = formatOf(s.Info.Context, true)
	return s.flush()
}

// DeleteOldest frees the catalog slots of the oldest snapshot, at the next Flush. Its blocks are not wiped.
func (v *Volume) DeleteOldest() error {
	if len(v.snapshots) == 0 {
		return fmt.Errorf("no snapshot to delete")
	}
	v.snapshots = v.snapshots[1:]
	return nil
}

// Flush writes what is pending: the last block of the newest list, and the catalogs.
func (v *Volume) Flush() error {
	if s := v.newest(); s != nil {
		if err := s.flush(); err != nil {
			return err
		}
	}
	var points, stores, local [][]byte
	for range v.made - uint64(len(v.snapshots)) {
		local = append(local, freeSlot(), freeSlot())
	}
	for _, s := range v.snapshots {
		points = append(points, s.Point.Bytes())
		stores = append(stores, s.Entry.Bytes())
		local = append(local, s.Point.Bytes(), s.Entry.Bytes())
	}
	if v.cfg.Storage == nil {
		return v.writeCatalog(v.live, v.own, &v.catalog, append(v.cfg.Extra[:len(v.cfg.Extra):len(v.cfg.Extra)], local...))
	}
	if err := v.writeCatalog(v.live, v.own, &v.catalog, points); err != nil {
		return err
	}
	return v.writeCatalog(v.storage, v.area, &v.foreign, append(v.cfg.Extra[:len(v.cfg.Extra):len(v.cfg.Extra)], stores...))
}

// freeSlot is a catalog entry whose snapshot was deleted.
func freeSlot() []byte {
	b := make([]byte, 0x80)
	b[0] = 1
	return b
}

// writeCatalog writes entries over the blocks of a catalog, at least four, and takes more when they are needed.
func (v *Volume) writeCatalog(w io.WriterAt, a *area, places *[]Place, entries [][]byte) error {
	var payload []byte
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	if v.cfg.Scatter != 0 {
		order = rand.New(rand.NewPCG(v.cfg.Scatter, 1)).Perm(len(entries))
	}
	for _, i := range order {
		payload = append(payload, entries[i]...)
	}
	per := Payload(TypeCatalog)
	for len(*places) < max(4, (len(payload)+per-1)/per) {
		off, err := a.take()
		if err != nil {
			return err
		}
		*places = append(*places, Place{off, uint64(len(*places)) * BlockSize})
	}
	return WriteChain(w, TypeCatalog, *places, payload)
}
