package diffstore

import (
	"context"
	"encoding/binary"

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
}

// readCatalog returns what it can read; an error says that there may have been more.
func readCatalog(ctx context.Context, a area, first uint64, warn func(error)) (catalog, error) {
	var c catalog
	ch := chain{area: a, name: "catalog block", kind: typeCatalog, warn: warn}
	n := 0
	err := ch.each(ctx, first, maxCatalog+1, func(off uint64, payload []byte) bool {
		if n++; n > maxCatalog {
			return false
		}
		c.add(off+recordSize, payload, warn)
		return true
	})
	if err == nil && n > maxCatalog {
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
		case entryUnused:
			c.full = false
		case entryFree:
		case entrySnapshot:
			c.snapshots = append(c.snapshots, decodeSnapshotEntry(b))
		case entryStore:
			c.stores = append(c.stores, decodeStoreEntry(b))
		default:
			warn(layer.Corrupt("catalog entry", int64(off)+int64(i), "type %d, want 0 to 3; skipped", kind))
		}
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
