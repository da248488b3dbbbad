package diffstore

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"snapmount/imagefmt/layer"
)

// BlockSize is the unit of copy-on-write in bytes, whatever the cluster size.
const BlockSize = 1 << blockBits

const (
	blockBits   = 14
	sectorSize  = 512
	sectors     = BlockSize / sectorSize
	recordSize  = 0x80 // header of every metadata block
	payloadSize = BlockSize - recordSize
	// maxVolume is what 32-bit block numbers reach, and the largest volume that VSS supports.
	maxVolume = int64(math.MaxUint32) << blockBits
)

// identifier is the GUID {3808876b-c176-4e48-b7ae-04046e6cc752} as stored, the start of every VSS record.
const identifier = "\x6b\x87\x08\x38\x76\xc1\x48\x4e\xb7\xae\x04\x04\x6e\x6c\xc7\x52"

// block numbers a 16 KiB block of a volume.
type block uint32

func (b block) off() int64 { return int64(b) << blockBits }

// blockOf wants an offset below maxVolume.
func blockOf(off int64) block { return block(off >> blockBits) }

// blocks returns how many blocks n bytes take, the last one possibly partial.
func blocks(n int64) int64 { return (n-1)>>blockBits + 1 }

// The record types.
const (
	typeVolume  = 1
	typeCatalog = 2
	typeList    = 3
	typeStore   = 4
	typeRanges  = 5
	typeBitmap  = 6
)

// record is the header of a metadata block, 0x80 bytes.
type record struct {
	version, kind           uint32
	relative, current, next uint64 // bytes; the first in the store file, the others on the volume
	info                    uint64 // bytes of application information, type 4 only
}

func decodeRecord(b []byte) (record, bool) {
	le := binary.LittleEndian
	return record{
		version:  le.Uint32(b[0x10:]),
		kind:     le.Uint32(b[0x14:]),
		relative: le.Uint64(b[0x18:]),
		current:  le.Uint64(b[0x20:]),
		next:     le.Uint64(b[0x28:]),
		info:     le.Uint64(b[0x30:]),
	}, string(b[:0x10]) == identifier
}

// chain walks the metadata blocks of one list (rule 4). Neighbours are mostly the next in a chain, so that more and more
// is read at once while that guess holds.
type chain struct {
	area
	name   string // the format's noun, for errors
	kind   uint32
	warn   func(error)
	places *placement // where the records of the store file are to be, or nil
	ahead  int        // bytes to read first; 0 for one block
	seen   map[uint64]bool
	gulp
}

// gulp is what was read last, from an offset of the area on.
type gulp struct {
	buf []byte
	at  int64
}

// maxAhead bounds what is read at once, and catalogAhead is how much Windows gives to a catalog at first.
const (
	maxAhead     = 1 << 20
	catalogAhead = 4 * BlockSize
)

// block returns the block at an offset of the area, valid until the next call.
func (c *chain) block(at int64) ([]byte, error) {
	if in := at - c.at; in >= 0 && in+BlockSize <= int64(len(c.buf)) {
		return c.buf[in:][:BlockSize], nil
	}
	n := max(c.ahead, BlockSize)
	if len(c.buf) > 0 {
		if n = BlockSize; at == c.at+int64(len(c.buf)) {
			n = min(4*len(c.buf), maxAhead)
		}
	}
	n = int(layer.Clip(c.src.Size(), at, int64(n))) &^ (BlockSize - 1)
	c.buf, c.at = slices.Grow(c.buf[:0], max(n, BlockSize))[:max(n, BlockSize)], at
	err := layer.ReadFull(c.src, c.buf, at)
	if err != nil && n > BlockSize { // a neighbour may be what cannot be read
		c.buf = c.buf[:BlockSize]
		err = layer.ReadFull(c.src, c.buf, at)
	}
	if err != nil {
		c.buf = c.buf[:0]
	}
	return c.buf[:min(len(c.buf), BlockSize)], err
}

// read returns the header and payload of the block at off; the payload is valid until the next call.
func (c *chain) read(off uint64) (record, []byte, error) {
	at, err := c.place(c.name, off)
	if err != nil {
		return record{}, nil, err
	}
	b, err := c.block(at)
	if err != nil {
		return record{}, nil, &layer.CorruptError{Struct: c.name, Off: at, Err: err}
	}
	r, err := c.header(b, off)
	return r, b[recordSize:], err
}

// header returns the header of the block at off, checked.
func (c *chain) header(b []byte, off uint64) (record, error) {
	r, ok := decodeRecord(b)
	switch {
	case !ok:
		return r, layer.Corrupt(c.name, int64(off), "no VSS identifier")
	case r.kind != c.kind:
		return r, layer.Corrupt(c.name, int64(off), "type %d, want %d", r.kind, c.kind)
	case r.current != off:
		return r, layer.Corrupt(c.name, int64(off), "its own offset is 0x%x", r.current)
	}
	if want, ok := c.places.offset(r.relative); ok && want != off {
		return r, layer.Corrupt(c.name, int64(off), "its offset in the store file, 0x%x, is 0x%x of the volume", r.relative, want)
	}
	if r.version != 1 {
		c.warn(layer.Corrupt(c.name, int64(off), "version %d, want 1; read all the same", r.version))
	}
	return r, nil
}

// each calls f with every block from first on, until f gives false, limit blocks are read or ctx ends.
func (c *chain) each(ctx context.Context, first uint64, limit int, f func(off uint64, r record, payload []byte) bool) error {
	if c.seen == nil {
		c.seen = map[uint64]bool{}
	}
	for off := first; off != 0 && len(c.seen) < limit; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.seen[off] {
			return layer.Corrupt(c.name, int64(off), "chain returns to a block already read")
		}
		c.seen[off] = true
		r, payload, err := c.read(off)
		if err != nil {
			return err
		}
		if !f(off, r, payload) {
			return nil
		}
		off = r.next
	}
	return nil
}
