package diffstore

import (
	"context"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// The kinds of records that a store or a catalog has.
const (
	CatalogRecord = typeCatalog
	ListRecord    = typeList
	StoreRecord   = typeStore
	RangesRecord  = typeRanges
	BitmapRecord  = typeBitmap
)

// HeadSize is the size of a Head, in bytes.
const HeadSize = recordSize

// Head is what every metadata block of a store or a catalog begins with.
type Head struct {
	Kind     uint32 // CatalogRecord to BitmapRecord
	Relative uint64 // bytes, in the store file
	Current  uint64 // bytes, on the volume that holds it
	Next     uint64 // the same, of the next block of its list; 0 for none
}

// DecodeHead reports false for what does not begin a metadata block. b has HeadSize bytes or more.
func DecodeHead(b []byte) (Head, bool) {
	r, ok := decodeRecord(b)
	return Head{r.kind, r.relative, r.current, r.next}, ok && r.version == 1 && r.kind >= typeCatalog && r.kind <= typeBitmap
}

// Piece is a run of a store file.
type Piece struct {
	At  int64 // bytes, in the file
	Off int64 // bytes, on the volume
	Len int64
}

// Ranges reads the range list of a store, whose first block is at a place of src; nil where it cannot be read whole.
func Ranges(ctx context.Context, src layer.Source, first uint64) (pieces []Piece) {
	ch := chain{area: area{src: src}, name: "range list", kind: typeRanges, warn: func(error) {}}
	p := &placement{}
	err := ch.each(ctx, first, maxRanges, func(_ uint64, _ record, payload []byte) bool {
		for i := 0; i+rangeSize <= len(payload); i += rangeSize {
			if r := decodeRange(payload[i:]); r.valid(uint64(src.Size())) {
				p.ranges = append(p.ranges, r)
			}
		}
		return true
	})
	if err != nil {
		return nil
	}
	p.settle()
	for _, r := range p.ranges {
		pieces = append(pieces, Piece{int64(r.rel), int64(r.off), int64(r.len)})
	}
	return pieces
}

// Entry is what a catalog says of a snapshot and of its store.
type Entry struct {
	Store    wintype.GUID
	Position uint64
	Created  time.Time
	Flags    StoreFlags
	Size     uint64 // bytes of the volume; 0 where the snapshot's own entry is lost
	Header   uint64 // bytes; 0 where the store's own entry is lost
}

// Entries reads one block of a catalog, wherever it is left over.
func Entries(src layer.Source, off int64) (list []Entry) {
	var b [BlockSize]byte
	if layer.ReadFull(src, b[:], off) != nil {
		return nil
	}
	var c catalog
	c.add(uint64(off)+recordSize, b[recordSize:], func(error) {})
	headers := map[wintype.GUID]uint64{}
	for _, e := range c.stores {
		headers[e.store] = e.header
	}
	for _, e := range c.snapshots {
		list = append(list, Entry{e.store, e.position, e.created.Time(), e.flags, e.size, headers[e.store]})
		delete(headers, e.store)
	}
	for id, header := range headers {
		list = append(list, Entry{Store: id, Header: header})
	}
	return list
}
