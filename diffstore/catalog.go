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
}

// strangeEntry is a slot that is not empty, and has no type that says what is in it: perhaps a snapshot.
type strangeEntry struct {
	snapshotEntry
	off  int64
	kind uint32
}

// lost returns the snapshots whose entry is damaged, by the store entry that they still have, perhaps in the catalog of
// another volume, and an error for each. Windows fills the slots of what it deletes with zeros.
func (c *catalog) lost(elsewhere func(wintype.GUID) bool) (entries []snapshotEntry, err error) {
	for _, e := range c.strange {
		if !e.store.IsZero() && !c.has(e.store) && (slices.ContainsFunc(c.stores, func(s storeEntry) bool { return s.store == e.store }) || elsewhere(e.store)) {
			entries = append(entries, e.snapshotEntry)
			err = errors.Join(err, layer.Corrupt("catalog entry", e.off, "type %d, but store %v has an entry: the snapshot of stack position %d is lost", e.kind, e.store, e.position))
		}
	}
	return entries, err
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
	for i := 0; i+entrySize <= len(payload); i += entrySize {
		b := payload[i : i+entrySize]
		switch kind := binary.LittleEndian.Uint32(b); kind {
		case entryUnused, entryFree:
			c.full = c.full && kind != entryUnused
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

// Stores returns the stores that the catalog of the volume has entries of: of its own snapshots, and of those of other
// volumes that it holds the diff area of.
func (v *Volume) Stores() []wintype.GUID { return v.stores }

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
