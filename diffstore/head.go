package diffstore

import (
	"context"

	"snapmount/imagefmt/layer"
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
