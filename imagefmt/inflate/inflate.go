// Package inflate unpacks DEFLATE data (RFC 1951), alone or in a zlib stream (RFC 1950): a Decoder from memory to memory,
// a Reader from a file in chunks, between which it can stop and be sent back to.
//
// It is here because most of the time of reading a compressed image goes into it, and the libraries are half as fast.
package inflate

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Error is what shows that packed data is damaged. Data that ends early is an io.ErrUnexpectedEOF instead.
type Error string

func (e Error) Error() string { return string(e) }

// ErrLong says that a stream holds more than there is room for.
const ErrLong = Error("unpacks to more than there is room for")

const (
	errZlib     = Error("no zlib header")
	errBlock    = Error("block of type 3")
	errStored   = Error("length of a stored block is not its complement")
	errCode     = Error("not a Huffman code")
	errSymbol   = Error("a code that stands for nothing")
	errDistance = Error("a distance that is none, or reaches to before the start")
)

// state tells what the next bits are.
type state uint8

const (
	atHeader state = iota // of a block
	inStored
	inCodes
	atEnd // nothing: the last block is over
)

// decoder unpacks to a buffer until it is full, and can go on in another.
type decoder struct {
	in    Input
	state state
	final bool  // the block is the last
	block int64 // where the block's header is, in bits
	left  int   // bytes, of a stored block

	out  []byte
	from int // where history begins that may be referred to
	w    int // where it ends, and the next byte goes
	full int // where to stop; what is copied in one may go further, up to the end of out

	fixed   bool // the tables are those of the fixed codes
	lengths lengthTable
	dists   distTable
}

// Decoder unpacks from memory to memory. The zero Decoder works; it is best used again, and not concurrently.
type Decoder struct{ d decoder }

// Raw unpacks the DEFLATE stream that src begins with to dst, and returns how many bytes of each it used. The n bytes are
// what the stream holds even beside an error; with ErrLong they are all of dst.
func (z *Decoder) Raw(dst, src []byte) (n, used int, err error) {
	d := &z.d
	d.in.memory(src)
	d.out, d.full = dst, len(dst)
	d.state, d.from, d.w = atHeader, 0, 0
	for err = d.run(); err == nil; {
		err = d.end()
	}
	if err == io.EOF {
		err = nil
	}
	d.in.Align()
	n, used = d.w, d.in.pos
	d.in.buf, d.out = nil, nil
	return n, used, err
}

// Zlib is Raw for a zlib stream, whose checksum it compares. A preset dictionary is an error.
func (z *Decoder) Zlib(dst, src []byte) (n, used int, err error) {
	if len(src) < 2 {
		return 0, 0, io.ErrUnexpectedEOF
	}
	if src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 || binary.BigEndian.Uint16(src)%31 != 0 {
		return 0, 0, errZlib
	}
	n, used, err = z.Raw(dst, src[2:])
	used += 2
	switch {
	case err != nil:
		return n, used, err
	case len(src)-used < 4:
		return n, used, io.ErrUnexpectedEOF
	}
	if got, want := Adler32(dst[:n]), binary.BigEndian.Uint32(src[used:]); got != want {
		return n, used, Error(fmt.Sprintf("adler-32 0x%08x, want 0x%08x", got, want))
	}
	return n, used + 4, nil
}

// run unpacks until out is full or the stream ends, which is io.EOF.
func (d *decoder) run() (err error) {
	for err == nil && d.w < d.full {
		switch d.state {
		case atHeader:
			err = d.header()
		case inStored:
			err = d.stored()
		case inCodes:
			err = d.codes()
		default:
			err = io.EOF
		}
	}
	return err
}

// end goes on where out is full: nothing but the ends of blocks may follow.
func (d *decoder) end() error {
	switch {
	case d.state == atHeader:
		return d.header()
	case d.state == atEnd:
		return io.EOF
	case d.state == inCodes:
		return d.endCode()
	case d.left > 0:
		return ErrLong
	}
	d.endBlock()
	return nil
}

// endCode reads a symbol that ends a block.
func (d *decoder) endCode() error {
	if err := d.in.top(); err != nil {
		return err
	}
	e := d.lengths.entry(d.in.word)
	switch {
	case e&(entryEnd|entryLiteral|entryBase) == 0:
		return errSymbol
	case e&entryEnd == 0:
		return ErrLong
	}
	d.endBlock()
	_, err := d.in.Take(int(e & entryBits))
	return err
}

// header reads what is before the data of a block.
func (d *decoder) header() error {
	d.block = d.in.Offset()
	v, err := d.in.Take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		d.in.Align()
		n, err := d.in.Take(32)
		if err == nil && n&0xffff != ^n>>16 {
			err = errStored
		}
		d.in.Align()
		d.left, d.state = int(n&0xffff), inStored
		return err
	case 1:
		d.state = inCodes
		return d.fixedCodes()
	case 2:
		d.state = inCodes
		return d.dynamicCodes()
	}
	return errBlock
}

// endBlock goes to the next block.
func (d *decoder) endBlock() {
	d.state = atHeader
	if d.final {
		d.state = atEnd
	}
}

// stored copies what a stored block still has, as far as it fits.
func (d *decoder) stored() error {
	b, err := d.in.Bytes(min(d.left, d.full-d.w))
	if err == nil && len(b) == 0 && d.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	copy(d.out[d.w:], b)
	d.w += len(b)
	if d.left -= len(b); d.left == 0 && err == nil {
		d.endBlock()
	}
	return err
}
