package diffstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	entrySize = 0x80
	// maxCatalog bounds a catalog in blocks: 260,096 snapshots, where Windows makes at most 512.
	maxCatalog = 4096
)

// The catalog entry types.
const (
	entryUnused   = 0
	entryFree     = 1
	entrySnapshot = 2
	entryStore    = 3
)

// snapshotEntry is catalog entry type 2, 0x80 bytes.
type snapshotEntry struct {
	priority uint8
	size     uint64 // bytes of the volume at the time
	store    wintype.GUID
	position uint64
	flags    StoreFlags
	created  wintype.Filetime
}

func decodeSnapshotEntry(b []byte) snapshotEntry {
	le := binary.LittleEndian
	return snapshotEntry{
		priority: b[0x04],
		size:     le.Uint64(b[0x08:]),
		store:    wintype.GUID(b[0x10:]),
		position: le.Uint64(b[0x20:]),
		flags:    StoreFlags(le.Uint64(b[0x28:])),
		created:  wintype.Filetime(le.Uint64(b[0x30:])),
	}
}

// storeEntry is catalog entry type 3, 0x80 bytes. All offsets are bytes on the volume whose catalog has the entry.
type storeEntry struct {
	list      uint64
	store     wintype.GUID
	header    uint64
	ranges    uint64
	current   uint64 // bitmap
	file      uint64 // NTFS file reference of the store file
	allocated uint64 // bytes, mostly 0
	previous  uint64 // bitmap, 0 for none
	older     uint32 // snapshots in sight when it was made
}

func decodeStoreEntry(b []byte) storeEntry {
	le := binary.LittleEndian
	return storeEntry{
		list:      le.Uint64(b[0x08:]),
		store:     wintype.GUID(b[0x10:]),
		header:    le.Uint64(b[0x20:]),
		ranges:    le.Uint64(b[0x28:]),
		current:   le.Uint64(b[0x30:]),
		file:      le.Uint64(b[0x38:]),
		allocated: le.Uint64(b[0x40:]),
		previous:  le.Uint64(b[0x48:]),
		older:     le.Uint32(b[0x50:]),
	}
}

// catalog holds the entries of one volume in the order found.
type catalog struct {
	snapshots []snapshotEntry
	stores    []storeEntry
	full      bool // the last block read has no unused entry: more would follow it
	strange   []strangeEntry
	holes     int // slots that were never used, before others that are: entries were there
}

// strangeEntry is a slot that is not empty, and has no type that says what is in it: perhaps a snapshot.
type strangeEntry struct {
	snapshotEntry
	off  int64
	kind uint32
}

// lost returns the snapshots whose entry is damaged, by the store entry that they still have, perhaps in the catalog of
// another volume. Windows fills the slots of what it deletes with zeros.
func (c *catalog) lost(elsewhere func(wintype.GUID) bool) (entries []strangeEntry) {
	for _, e := range c.strange {
		if !e.store.IsZero() && !c.has(e.store) && (slices.ContainsFunc(c.stores, func(s storeEntry) bool { return s.store == e.store }) || elsewhere(e.store)) {
			entries = append(entries, e)
		}
	}
	return entries
}

// traces counts what tells that entries are lost: slots never used before others that are, or of no type, of which nothing
// else is known, and what cannot be read. local says that each snapshot has its store entry there.
func (c *catalog) traces(local bool, damage error) int {
	n := c.holes
	stored := func(id wintype.GUID) bool {
		return slices.ContainsFunc(c.stores, func(e storeEntry) bool { return e.store == id })
	}
	for _, e := range c.strange {
		if e.kind > entryStore && !stored(e.store) {
			n++
		}
	}
	for _, e := range c.snapshots {
		if local && !stored(e.store) {
			n--
		}
	}
	if damage != nil {
		n = max(n, 0) + 1
	}
	return n
}

// readCatalog returns what it can read; an error says that there may have been more.
func readCatalog(ctx context.Context, a area, first uint64, warn func(error)) (catalog, error) {
	var c catalog
	ch := chain{area: a, name: "catalog block", kind: typeCatalog, warn: warn, ahead: catalogAhead}
	n := 0
	var odd error
	err := ch.each(ctx, first, maxCatalog+1, func(off uint64, r record, payload []byte) bool {
		if n++; n > maxCatalog {
			return false
		}
		if want := uint64(n-1) * BlockSize; r.relative != want {
			odd = errors.Join(odd, layer.Corrupt(ch.name, int64(off), "its offset in the catalog is 0x%x, want 0x%x", r.relative, want))
		}
		c.add(off+recordSize, payload, warn)
		return true
	})
	if err = errors.Join(odd, err); err == nil && n > maxCatalog {
		err = layer.Corrupt("catalog block", int64(first), "chain does not end after %d blocks", maxCatalog)
	}
	return c, err
}

// add takes the entries of one block; off is where its payload starts.
func (c *catalog) add(off uint64, payload []byte, warn func(error)) {
	c.full = true
	unused := 0
	for i := 0; i+entrySize <= len(payload); i += entrySize {
		b := payload[i : i+entrySize]
		kind := binary.LittleEndian.Uint32(b)
		if kind != entryUnused {
			c.holes, unused = c.holes+unused, 0
		}
		switch kind {
		case entryUnused, entryFree:
			if kind == entryUnused {
				c.full, unused = false, unused+1
			}
			c.strangeAt(b, int64(off)+int64(i))
		case entrySnapshot:
			c.snapshots = append(c.snapshots, decodeSnapshotEntry(b))
		case entryStore:
			e := decodeStoreEntry(b)
			c.stores = append(c.stores, e)
			if e.header == 0 || e.header%BlockSize != 0 { // no store is there
				c.strangeAt(b, int64(off)+int64(i))
			}
		default:
			warn(layer.Corrupt("catalog entry", int64(off)+int64(i), "type %d, want 0 to 3; skipped", kind))
			c.strangeAt(b, int64(off)+int64(i))
		}
	}
}

// Catalog returns the stores that the catalog of a volume with header h has snapshot entries of, and those that it has
// store entries of, as far as it can be read.
func Catalog(ctx context.Context, base layer.Source, h Header) (snapshots, stores []wintype.GUID) {
	if h.Catalog == 0 {
		return nil, nil
	}
	c, _ := readCatalog(ctx, area{src: base}, h.Catalog, func(error) {}) // told of by Open
	for _, e := range c.snapshots {
		snapshots = append(snapshots, e.store)
	}
	for _, e := range c.stores {
		stores = append(stores, e.store)
	}
	return snapshots, stores
}

// Stores returns the stores that the catalog of the volume has entries of: of its own snapshots, and of those of other
// volumes that it holds the diff area of.
func (v *Volume) Stores() []wintype.GUID { return slices.Clone(v.stores) }

// strangeAt notes an entry whose type does not say that it is in use.
func (c *catalog) strangeAt(b []byte, off int64) {
	if len(bytes.Trim(b[4:], "\x00")) > 0 {
		c.strange = append(c.strange, strangeEntry{decodeSnapshotEntry(b), off, binary.LittleEndian.Uint32(b)})
	}
}

// index returns the first valid store entry of each GUID (rule 2), or the first when none is valid.
func (c *catalog) index(a area, warn func(error)) map[wintype.GUID]storeEntry {
	m := make(map[wintype.GUID]storeEntry, len(c.stores))
	for _, e := range c.stores {
		old, dup := m[e.store]
		if dup {
			warn(layer.Corrupt("catalog", int64(e.list), "second store entry of %v", e.store))
		}
		if !dup || !a.valid(old) && a.valid(e) {
			m[e.store] = e
		}
	}
	return m
}
