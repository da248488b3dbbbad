package campaign

import (
	"encoding/binary"
)

var le = binary.LittleEndian

// Types of attributes.
const (
	attrStandard = 0x10
	attrList     = 0x20
	attrName     = 0x30
	attrSecurity = 0x50
	attrData     = 0x80
	attrRoot     = 0x90
	attrIndex    = 0xa0
	attrBitmap   = 0xb0
)

// An attr is an attribute in a file record, with offsets in that.
type attr struct {
	off, n      int
	kind        uint32
	nonResident bool
	named       bool
	value       [2]int // of a resident one: offset and length
	pairs       [2]int // the mapping pairs of others
	runs        []run
}

// A run is of clusters; pair is where its mapping pair is in the record.
type run struct {
	lcn, n int64
	hole   bool
	pair   int
}

// attrsOf decodes the attributes of a sound record whose fixups are applied.
func attrsOf(b []byte) (out []attr) {
	for off := int(le.Uint16(b[0x14:])); off+24 <= len(b) && le.Uint32(b[off:]) != 0xffffffff; {
		a := attr{off: off, n: int(le.Uint32(b[off+4:])), kind: le.Uint32(b[off:]), nonResident: b[off+8] != 0, named: b[off+9] != 0}
		if a.n < 24 || off+a.n > len(b) {
			return out
		}
		if a.nonResident {
			start := off + int(le.Uint16(b[off+0x20:]))
			a.runs = runsOf(b, start, off+a.n)
			a.pairs = [2]int{start, off + a.n - start}
		} else {
			a.value = [2]int{off + int(le.Uint16(b[off+0x14:])), int(le.Uint32(b[off+0x10:]))}
		}
		out = append(out, a)
		off += a.n
	}
	return out
}

func runsOf(b []byte, at, end int) (out []run) {
	lcn := int64(0)
	for at < end && b[at] != 0 {
		n, l := int(b[at]&15), int(b[at]>>4)
		if at+1+n+l > end {
			return out
		}
		r := run{n: signed(b[at+1:][:n]), hole: l == 0, pair: at}
		lcn += signed(b[at+1+n:][:l])
		r.lcn = lcn
		out = append(out, r)
		at += 1 + n + l
	}
	return out
}

func signed(b []byte) (v int64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | int64(b[i])
	}
	if len(b) > 0 && len(b) < 8 && b[len(b)-1]&0x80 != 0 {
		v -= 1 << (8 * len(b))
	}
	return v
}

// unfix applies the update sequence of a record or an index block; it reports whether that is whole.
func unfix(b []byte) bool {
	off, n := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	if n < 2 || off+2*n > len(b) || (n-1)*512 > len(b) {
		return false
	}
	for i := 1; i < n; i++ {
		end := b[i*512-2:]
		if le.Uint16(end) != le.Uint16(b[off:]) {
			return false
		}
		copy(end[:2], b[off+2*i:])
	}
	return true
}

// refix makes a record, or an index block, as it is on the disk; the place of its update sequence is given, as what a
// mutation wrote there does not count.
func refix(b []byte, off, n int) {
	le.PutUint16(b[4:], uint16(off))
	le.PutUint16(b[6:], uint16(n))
	for i := 1; i < n; i++ {
		end := b[i*512-2:]
		copy(b[off+2*i:], end[:2])
		copy(end[:2], b[off:off+2])
	}
}
