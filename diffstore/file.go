package diffstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// File is a store or catalog file of System Volume Information, taken out of its volume. Which one it is, and of which
// snapshot, is told by its content.
type File struct {
	Name    string       // "{store GUID}{3808876b-c176-4e48-b7ae-04046e6cc752}" when it was not renamed; a hint
	Data    layer.Source // the whole file. Its NTFS initialized size is 0: what honours that copies zeros
	Created time.Time    // of the file, zero when unknown; a hint for dating
	Listed  bool         // by the file system of the volume as it is now, which lists none that were deleted
}

// area is where the records of a store or catalog are read: a volume, or a file with its own offsets.
type area struct {
	src  layer.Source
	file *storeFile // nil for a volume
}

// place returns where in the area the record is that says to be at off of the volume.
func (a area) place(name string, off uint64) (int64, error) {
	if a.file != nil {
		at, ok := a.file.scan().at[off]
		if !ok || at < 0 {
			return 0, layer.Corrupt(name, int64(min(off, math.MaxInt64)), "not in file %q", a.file.Name)
		}
		return at, nil
	}
	if off%BlockSize != 0 || off > uint64(maxVolume) || int64(off)+BlockSize > a.src.Size() {
		return 0, layer.Corrupt(name, int64(min(off, math.MaxInt64)), "outside of the volume (0x%x bytes) or not aligned", a.src.Size())
	}
	return int64(off), nil
}

// valid reports whether the block list of e may be where it says.
func (a area) valid(e storeEntry) bool {
	_, err := a.place("block list", e.list)
	return e.list != 0 && err == nil
}

// storeFile is a File that holds records.
type storeFile struct {
	File
	ctx   context.Context // that ends scan
	store wintype.GUID    // by its name; zero when renamed
	first record          // header of its first record
	scan  func() fileRecords
}

// fileRecords are the headers of all records of a file.
type fileRecords struct {
	all []record         // in the order of the file
	at  map[uint64]int64 // offsets in the file, by those on the volume; -1 for a claim made twice
}

// newStoreFile tells by its first two blocks what f is.
func newStoreFile(ctx context.Context, f File) (*storeFile, error) {
	s := &storeFile{File: f, ctx: ctx, store: StoreOf(f.Name)}
	s.scan = sync.OnceValue(s.readRecords)
	var head [2 * BlockSize]byte
	b := head[:min(int64(len(head)), f.Data.Size())]
	if err := layer.ReadFull(f.Data, b, 0); err != nil {
		return s, fmt.Errorf("file %q: %w", f.Name, err)
	}
	for off := 0; off+BlockSize <= len(b); off += BlockSize {
		r, ok := decodeRecord(b[off:])
		first := off == 0 && (r.kind == typeCatalog || r.kind == typeStore)
		if ok && r.placed(uint64(off)) && (first || off > 0 && r.kind == typeList) {
			s.first = r
			return s, nil
		}
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return s, fmt.Errorf("file %q holds only zeros: copied by a tool that honours the initialized size of NTFS, which is 0; copy it by its clusters: %w",
			f.Name, layer.ErrUnknown)
	}
	return s, fmt.Errorf("file %q is neither a catalog nor a store: %w", f.Name, layer.ErrFormat)
}

// placed reports whether r may be of the record at off of a file.
func (r record) placed(off uint64) bool {
	return r.relative == off && r.current%BlockSize == 0 && r.current < uint64(maxVolume)
}

// StoreOf returns the store GUID of a file name, zero when it has none.
func StoreOf(name string) wintype.GUID {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	if len(name) < 38 {
		return wintype.GUID{}
	}
	g, err := wintype.ParseGUID(name[:38])
	if err != nil || string(g[:]) == identifier {
		return wintype.GUID{}
	}
	return g
}

// readRecords looks at the start of every block that is not known to be zeros: a file may claim any size. A block of data
// may by chance be a record of some other file. Where the context ends, who asks for the records finds that too.
func (f *storeFile) readRecords() fileRecords {
	r := fileRecords{at: map[uint64]int64{}}
	next := int64(0) // block not looked at yet
	for e, err := range layer.Resolve(f.Data, 0, f.Data.Size()) {
		if err != nil || e.Base == nil {
			continue // what cannot be read is missed by the chain that needs it
		}
		next = max(next, (e.Off+BlockSize-1)/BlockSize)
		for ; next*BlockSize < e.Off+e.Len && (next+1)*BlockSize <= f.Data.Size() && f.ctx.Err() == nil; next++ {
			f.readRecord(&r, next*BlockSize)
		}
	}
	return r
}

// readRecord adds what is at off, if it is a record.
func (f *storeFile) readRecord(r *fileRecords, off int64) {
	var b [recordSize]byte
	if layer.ReadFull(f.Data, b[:], off) != nil {
		return
	}
	h, ok := decodeRecord(b[:])
	if !ok || h.kind < typeCatalog || h.kind > typeBitmap || !h.placed(uint64(off)) {
		return
	}
	r.all = append(r.all, h)
	if _, twice := r.at[h.current]; twice {
		off = -1
	}
	r.at[h.current] = off
}

// entry returns what a catalog would say of the store in f; the list offset is 0 when it is lost.
func (f *storeFile) entry() storeEntry {
	e := storeEntry{store: f.store}
	followed := map[uint64]bool{}
	records := f.scan().all
	for _, r := range records {
		followed[r.next] = true
	}
	for _, r := range records {
		switch {
		case r.kind == typeStore && r.relative == 0:
			e.header = r.current
		case r.kind == typeList && r.relative == BlockSize:
			e.list = r.current
		case r.kind == typeRanges && e.ranges == 0:
			e.ranges = r.current
		case r.kind == typeBitmap && !followed[r.current] && e.current == 0:
			e.current = r.current
		case r.kind == typeBitmap && !followed[r.current] && e.previous == 0:
			e.previous = r.current
		}
	}
	return e
}

// UUIDTime returns the time of a version 1 UUID in ticks of 100 ns, 0 for another. Store GUIDs of one boot share it but for
// what counts them.
func UUIDTime(g wintype.GUID) uint64 { return uuidTime(g) }

// uuidTime returns the time of a version 1 UUID in ticks, 0 for another. Those of one boot count up (RFC 9562, 5.1).
func uuidTime(g wintype.GUID) uint64 {
	le := binary.LittleEndian
	if g[7]>>4 != 1 {
		return 0
	}
	return uint64(le.Uint16(g[6:])&0xfff)<<48 | uint64(le.Uint16(g[4:]))<<32 | uint64(le.Uint32(g[0:]))
}
