package nfs

import "encoding/binary"

var be = binary.BigEndian

// A decoder takes a message apart. What is not there is zero, and sets bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) u32() uint32 {
	if b := d.take(4); b != nil {
		return be.Uint32(b)
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if b := d.take(8); b != nil {
		return be.Uint64(b)
	}
	return 0
}

// opaque takes a length, most at most, so many bytes, and those up to a multiple of four. The bytes are the message's own.
func (d *decoder) opaque(most int) []byte {
	n := d.u32()
	if n > uint32(most) {
		d.bad, d.b = true, nil
		return nil
	}
	b := d.take(int(n+3) &^ 3)
	return b[:min(int(n), len(b))]
}

// An encoder puts a message together.
type encoder struct{ b []byte }

func (e *encoder) u32(v uint32) { e.b = be.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = be.AppendUint64(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.u32(1)
	} else {
		e.u32(0)
	}
}

// text appends a length, so many bytes, and zeros up to a multiple of four.
func (e *encoder) text(s string) {
	e.u32(uint32(len(s)))
	e.b = append(e.b, s...)
	e.pad(len(s))
}

func (e *encoder) pad(n int) { e.b = append(e.b, "\x00\x00\x00"[:-n&3]...) }
