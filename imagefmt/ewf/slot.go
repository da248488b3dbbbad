package ewf

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

// kind is how a chunk is stored.
type kind uint8

const (
	kindPlain   kind = iota // as it is
	kindZlib                //
	kindBzip2               //
	kindPattern             // as 8 bytes that are repeated
)

// slot is where a chunk is.
type slot struct {
	src     layer.Source
	segment int
	off, n  int64 // what is stored, in src; for a pattern off is the pattern
	kind    kind
	sum     bool // an Adler-32 follows the data
	exact   bool // n is what the writer says, not what is left up to the next chunk
}

// Bits of the flags of an entry in version 2.
const (
	flagCompressed = 1 << 0
	flagChecksum   = 1 << 1
	flagPattern    = 1 << 2
)

// slot says where chunk c is.
func (d *Disk) slot(c int64) (slot, error) {
	t, i := d.find(c)
	if t == nil {
		return slot{}, fmt.Errorf("chunk %d: not in the image: %w", c, layer.ErrCorrupt)
	}
	p, err := d.entries(t, i)
	if err != nil {
		return slot{}, fmt.Errorf("chunk %d: %w", c, err)
	}
	s := slot{src: t.src, segment: t.segment}
	if t.version == 1 {
		err = s.decode1(t, p, i)
		if plain := s.n == d.chunkSize+4 || s.n == d.chunkLen(c)+4; i >= t.overflow && plain {
			s.kind = kindPlain
		}
	} else {
		err = s.decode2(t, p, i)
	}
	if err == nil && s.kind != kindPattern && (s.n <= 0 || layer.Clip(t.src.Size(), s.off, 1) == 0) {
		err = layer.Corrupt("table entry", t.at+i*t.entryLen(), "0x%x bytes at 0x%x of a file of 0x%x", s.n, s.off, t.src.Size())
	}
	if err != nil {
		return s, fmt.Errorf("segment %d: chunk %d: %w", t.segment, c, err)
	}
	return s, nil
}

// decode1 decodes an entry of version 1: the chunk's offset, the top bit for a packed one. Its end is the offset of the
// next. Behind an overflow the top bit says nothing: all count as packed but those of just the length of a plain one.
func (s *slot) decode1(t *table, p *page, i int64) error {
	off, packed := t.offset(p, i)
	end := t.high
	if i+1 < t.count {
		end, _ = t.offset(p, i+1)
	}
	ordered := off >= t.low && off < t.high && end > off && end <= t.high
	if ordered && t.unprotected && i > 0 {
		before, _ := t.offset(p, i-1)
		ordered = before < off
	}
	if !ordered && (t.unprotected || off >= t.high || off < t.low) {
		return layer.Corrupt("table entry", t.at+4*i, "offset 0x%x, the next is 0x%x, want them in order from 0x%x to 0x%x", off, end, t.low, t.high)
	}
	if !ordered {
		end = t.high
	}
	s.off, s.n, s.sum = off, end-off, true
	if packed {
		s.kind = kindZlib
	}
	return nil
}

// offset is where the chunk of entry i begins, and whether it is packed.
func (t *table) offset(p *page, i int64) (int64, bool) {
	raw := int64(binary.LittleEndian.Uint32(p.b[4*(i-p.start):]))
	if i >= t.overflow {
		return t.base + raw, true
	}
	return t.base + raw&^topBit, raw&topBit != 0
}

// decode2 decodes an entry of version 2: offset or pattern, length with the checksum, flags.
func (s *slot) decode2(t *table, p *page, i int64) error {
	le := binary.LittleEndian
	b := p.b[16*(i-p.start):]
	off, n, flags := le.Uint64(b[0:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	s.off, s.n, s.exact, s.sum = int64(off), int64(n), true, flags&flagChecksum != 0
	switch {
	case flags&flagCompressed == 0:
	case flags&flagPattern != 0:
		s.kind = kindPattern
		return nil
	case t.method == methodZlib:
		s.kind = kindZlib
	case t.method == methodBzip2:
		s.kind = kindBzip2
	default:
		return fmt.Errorf("packed by method %d: %w", t.method, layer.ErrUnsupported)
	}
	if off > 1<<62 {
		return layer.Corrupt("table entry", t.at+16*i, "offset 0x%x", off)
	}
	return nil
}

// isPacked reports whether chunk c is given by unpacking it.
func (d *Disk) isPacked(c int64) bool {
	if c*d.chunkSize >= d.size {
		return false
	}
	s, err := d.slot(c)
	return err == nil && s.kind != kindPlain && (s.kind != kindPattern || s.off != 0)
}
