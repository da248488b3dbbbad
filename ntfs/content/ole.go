package content

import (
	"encoding/binary"
	"unicode/utf16"
)

// Special values of a file allocation table (MS-CFB 2.1); smaller ones are sectors.
const (
	oleMaxSector = 0xfffffffa
	oleDIFAT     = 0xfffffffc
	oleFAT       = 0xfffffffd
	oleEnd       = 0xfffffffe
	oleFree      = 0xffffffff
)

// oleMost bounds the table that is kept, which has 4 bytes for each sector: 64 MiB are files of 8 GiB.
const oleMost = 64 << 20

// ole is a compound file.
type ole struct {
	f      *file
	shift  uint // of the sector size
	fat    []byte
	sector int64  // number of sectors in the file, the last one cut or not
	root   []byte // the root entry
}

// checkOLE walks the directory of a compound file and the chain of each stream, and the records of the streams of Excel and
// PowerPoint.
func checkOLE(f *file) finding {
	h := f.bytes(0, 512)
	if h == nil {
		return cut("it ends within its header")
	}
	o := ole{f: f, shift: uint(le.Uint16(h[30:]))}
	if o.shift != 9 && o.shift != 12 || le.Uint16(h[28:]) != 0xfffe || le.Uint16(h[32:]) != 6 {
		return torn(24, "the header is wrong")
	}
	o.sector = (f.size + 1<<o.shift - 1) >> o.shift
	if o.sector--; o.sector*4 > oleMost {
		return unsure("it is too large for this check")
	}
	if bad := o.table(h); bad.state != Whole {
		return bad
	}
	return o.entries(h)
}

// at is the offset of a sector.
func (o *ole) at(sector uint32) int64 { return (int64(sector) + 1) << o.shift }

// read returns a sector, of which the last of a file may be cut; nil when it is not there.
func (o *ole) read(sector uint32) []byte {
	b := o.f.upTo(o.at(sector), 1<<o.shift)
	if len(b) == 0 {
		return nil
	}
	return append(b, make([]byte, 1<<o.shift-len(b))...)
}

// table reads the allocation table by its list: 109 entries in the header, the others in sectors that are chained.
func (o *ole) table(h []byte) finding {
	list, next := h[76:512], le.Uint32(h[68:])
	seen := int64(0)
	for {
		for ; len(list) >= 4; list = list[4:] {
			sector := le.Uint32(list)
			if sector >= oleMaxSector || int64(len(o.fat)) >= 4*o.sector {
				continue
			}
			b := o.f.bytes(o.at(sector), 1<<o.shift)
			if b == nil {
				return cut("the allocation table is beyond the end")
			}
			o.fat = append(o.fat, b...)
		}
		if next >= oleMaxSector {
			break
		}
		b := o.f.bytes(o.at(next), 1<<o.shift)
		if b == nil {
			return cut("the allocation table is beyond the end")
		}
		if seen++; seen > o.sector {
			return torn(o.at(next), "the list of the allocation table does not end,")
		}
		list, next = b[:len(b)-4], le.Uint32(b[len(b)-4:])
	}
	last := int64(-1)
	for i := int64(0); i < int64(len(o.fat)/4); i++ {
		v := le.Uint32(o.fat[4*i:])
		if v < oleMaxSector && int64(v) >= int64(len(o.fat)/4) || v == oleMaxSector || v == oleMaxSector+1 {
			return torn(o.at(le.Uint32(h[76:])), "the allocation table is wrong")
		}
		if v != oleFree {
			last = i
		}
	}
	if last >= o.sector {
		return cut("its last sector is beyond the end")
	}
	return sound(false, "")
}

// next returns the sector after another.
func next(table []byte, sector uint32) uint32 {
	if int64(sector)*4+4 > int64(len(table)) {
		return oleFree
	}
	return le.Uint32(table[4*int64(sector):])
}

// entries walks the directory, whose chain is bounded by the number of sectors.
func (o *ole) entries(h []byte) finding {
	dir := le.Uint32(h[48:])
	n := int64(0)
	steps := int64(0) // of all chains: each sector belongs to one
	for sector := dir; sector != oleEnd; sector = next(o.fat, sector) {
		b := o.read(sector)
		if b == nil || sector >= oleMaxSector || n > o.sector {
			return torn(o.at(min(sector, uint32(o.sector))), "the chain of the directory is wrong")
		}
		n++
		for ; len(b) >= 128; b = b[128:] {
			if bad := o.entry(b[:128], h, &steps); bad.state != Whole {
				bad.off = max(bad.off, o.at(sector))
				return bad
			}
		}
	}
	if o.root == nil {
		return torn(o.at(dir), "the directory has no root,")
	}
	return sound(false, "directory and chains are right")
}

// entry checks one entry: its fields, and the chain of its stream.
func (o *ole) entry(e, h []byte, steps *int64) finding {
	kind, nameLen := e[66], le.Uint16(e[64:])
	size := int64(le.Uint64(e[120:]) & (1<<62 - 1))
	if o.shift == 9 {
		size = int64(le.Uint32(e[120:]))
	}
	switch {
	case kind == 0:
		return sound(false, "")
	case kind > 5 || nameLen > 64 || nameLen%2 != 0 || e[67] > 1:
		return torn(0, "an entry of the directory is wrong")
	case kind == 5 && o.root == nil:
		o.root = e
		return sound(false, "")
	case kind != 2 || size < int64(le.Uint32(h[56:])):
		return sound(false, "") // storages, and streams in the small table
	}
	first := le.Uint32(e[116:])
	if !o.chained(first, size, steps) {
		return torn(0, "the chain of a stream is wrong")
	}
	return o.content(oleName(e[:nameLen]), first, size)
}

// chained reports whether the chain from a sector is as long as a stream. steps are those of all chains, for each sector
// belongs to one.
func (o *ole) chained(sector uint32, size int64, steps *int64) bool {
	for left := size; left > 0; left -= 1 << o.shift {
		if sector >= oleMaxSector || int64(sector) >= o.sector || *steps > 2*o.sector {
			return false
		}
		*steps++
		sector = next(o.fat, sector)
	}
	return true
}

// content checks what is known of a stream by its name.
func (o *ole) content(name string, first uint32, size int64) finding {
	switch name {
	case "Workbook", "Book":
		return o.biff(first, size)
	case "WordDocument":
		if b := o.read(first); b == nil || le.Uint16(b) != 0xa5ec && le.Uint16(b) != 0xa5dc {
			return torn(o.at(first), "the document's header is wrong")
		}
	case "PowerPoint Document":
		return o.records(first, size)
	}
	return sound(false, "")
}

func oleName(b []byte) string {
	u := make([]uint16, 0, 32)
	for ; len(b) >= 2; b = b[2:] {
		if c := binary.LittleEndian.Uint16(b); c != 0 {
			u = append(u, c)
		}
	}
	return string(utf16.Decode(u))
}

// A chain reads a stream's bytes at offsets that grow.
type chain struct {
	o      *ole
	sector uint32
	off    int64 // of the sector in the stream
	buf    []byte
}

// bytes returns n bytes at off, as records' headers are, with where they are in the file; nil behind the end.
func (c *chain) bytes(off int64, n int) ([]byte, int64) {
	out := make([]byte, 0, 8)
	where := int64(0)
	for i := range n {
		for off+int64(i) >= c.off+1<<c.o.shift {
			c.sector, c.off, c.buf = next(c.o.fat, c.sector), c.off+1<<c.o.shift, nil
			if c.sector >= oleMaxSector {
				return nil, 0
			}
		}
		if c.buf == nil {
			if c.buf = c.o.read(c.sector); c.buf == nil {
				return nil, 0
			}
		}
		at := off + int64(i) - c.off
		if i == 0 {
			where = c.o.at(c.sector) + at
		}
		out = append(out, c.buf[at])
	}
	return out, where
}

// biff walks the records of Excel (MS-XLS 2.1.4): kind and size of 16 bits each, 8,224 bytes at most.
func (o *ole) biff(first uint32, size int64) finding {
	c := chain{o: o, sector: first}
	for off := int64(0); off+4 <= size; {
		h, at := c.bytes(off, 4)
		if h == nil {
			return torn(o.at(first), "the workbook ends early")
		}
		kind, n := le.Uint16(h), int64(le.Uint16(h[2:]))
		if kind == 0 && n == 0 {
			break // zeros behind the last record
		}
		if n > 8224 || off == 0 && kind&0xff != 9 {
			return torn(at, "a record of the workbook is wrong")
		}
		off += 4 + n
	}
	return sound(false, "")
}

// records walks the outermost records of PowerPoint (MS-PPT 2.3.1).
func (o *ole) records(first uint32, size int64) finding {
	c := chain{o: o, sector: first}
	for off := int64(0); off+8 <= size; {
		h, at := c.bytes(off, 8)
		if h == nil {
			return torn(o.at(first), "the presentation ends early")
		}
		kind, n := le.Uint16(h[2:]), int64(le.Uint32(h[4:]))
		if kind == 0 && n == 0 {
			break
		}
		if kind < 1000 || kind > 13000 || n > size-off-8 {
			return torn(at, "a record of the presentation is wrong")
		}
		off += 8 + n
	}
	return sound(false, "")
}

// checkOffice checks a document by its signature: old and encrypted ones are compound files, new ones zip files.
func checkOffice(f *file) finding {
	h := f.upTo(0, 8)
	switch {
	case string(h) == oleSig:
		return checkOLE(f)
	case len(h) >= 4 && string(h[:4]) == zipSig:
		return checkZip(f)
	}
	return silent
}
