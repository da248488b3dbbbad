package ewf

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A zlib stream (RFC 1950 and 1951) is unpacked here from memory to memory: twice as fast as through readers and
// writers, and it is what most of the time goes into.

const (
	literalBits = 10 // of a code that its table answers at once
	offsetBits  = 8
	maxCodeLen  = 15
	needBits    = 48 // of a length, an offset and their extra bits, at most
)

// codeEntry is the meaning of a code: in bits 0-3 its length, 4-7 the number of extra bits, or of the bits that a second
// table is asked with, 8-11 what it is, and from 16 on its value.
type codeEntry uint32

const (
	isLiteral codeEntry = 1 << (8 + iota) // value is a byte
	isCopy                                // value is a length or an offset, to which the extra bits are added
	isEnd                                 // of the block
	isSecond                              // value is where the second table begins
)

func (e codeEntry) len() uint             { return uint(e & 15) }
func (e codeEntry) extra() uint           { return uint(e >> 4 & 15) }
func (e codeEntry) value() int            { return int(e >> 16) }
func (e codeEntry) with(n uint) codeEntry { return e | codeEntry(n) }

// deflateTables hold the codes of a block. A second table answers the codes of one prefix; as every prefix has two
// codes at least, there are half as many of these as codes.
type deflateTables struct {
	literals [1<<literalBits + 288/2<<(maxCodeLen-literalBits)]codeEntry
	offsets  [1<<offsetBits + 32/2<<(maxCodeLen-offsetBits)]codeEntry
}

var (
	errKind      = errors.New("deflate: unknown kind of block")
	errCodes     = errors.New("deflate: wrong code lengths")
	errCode      = errors.New("deflate: unknown code")
	errOffset    = errors.New("deflate: offset before the start")
	errTruncated = errors.New("deflate: ends early")
	errLong      = errors.New("deflate: more than a chunk")
)

// bitReader gives the bits of src, the lowest first.
type bitReader struct {
	src  []byte
	pos  int
	bits uint64
	n    uint // how many of bits count
	past uint // bytes behind the end that were given as zeros
}

// fill makes needBits available.
func (r *bitReader) fill() {
	if r.pos+8 <= len(r.src) {
		r.bits |= binary.LittleEndian.Uint64(r.src[r.pos:]) << r.n
		r.pos += int((63 - r.n) >> 3)
		r.n |= 56
		return
	}
	for ; r.n <= 56; r.n += 8 {
		if r.pos < len(r.src) {
			r.bits |= uint64(r.src[r.pos]) << r.n
			r.pos++
		} else {
			r.past++
		}
	}
}

// overrun reports whether bits were taken that src does not have.
func (r *bitReader) overrun() bool { return r.past > r.n/8 }

func (r *bitReader) take(n uint) int {
	if r.n < n {
		r.fill()
	}
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.n -= n
	return int(v)
}

// align drops the rest of a byte, and gives back the bytes that were not used.
func (r *bitReader) align() {
	r.pos -= int(r.n/8) - int(min(r.past, r.n/8))
	r.bits, r.n, r.past = 0, 0, 0
}

// inflate unpacks the stream that src begins with into dst, and returns how much of each it used. The checksum at the
// end was compared.
func (t *deflateTables) inflate(dst, src []byte) (n, used int, err error) {
	if len(src) < 2 || src[0]&15 != 8 || src[0]>>4 > 7 || src[1]&0x20 != 0 || (uint(src[0])<<8|uint(src[1]))%31 != 0 {
		return 0, 0, errors.New("no zlib stream")
	}
	r := bitReader{src: src, pos: 2}
	if n, err = t.deflated(&r, dst); err != nil {
		return n, 0, err
	}
	r.align()
	if len(src)-r.pos < 4 {
		return n, 0, errTruncated
	}
	if got, want := adler32Sum(dst[:n]), binary.BigEndian.Uint32(src[r.pos:]); got != want {
		return n, 0, fmt.Errorf("adler-32 0x%08x, want 0x%08x", got, want)
	}
	return n, r.pos + 4, nil
}

// deflated unpacks blocks to the last one.
func (t *deflateTables) deflated(r *bitReader, dst []byte) (n int, err error) {
	for last := false; !last && err == nil; {
		last = r.take(1) == 1
		switch r.take(2) {
		case 0:
			n, err = r.stored(dst, n)
		case 1:
			if err = t.fixed(); err == nil {
				n, err = t.block(r, dst, n)
			}
		case 2:
			if err = t.dynamic(r); err == nil {
				n, err = t.block(r, dst, n)
			}
		default:
			err = errKind
		}
		if r.overrun() {
			err = errTruncated
		}
	}
	return n, err
}

// stored copies a block that is not packed.
func (r *bitReader) stored(dst []byte, n int) (int, error) {
	if r.overrun() {
		return n, errTruncated
	}
	r.align()
	if len(r.src)-r.pos < 4 {
		return n, errTruncated
	}
	k, not := binary.LittleEndian.Uint16(r.src[r.pos:]), binary.LittleEndian.Uint16(r.src[r.pos+2:])
	r.pos += 4
	switch {
	case k != ^not:
		return n, errors.New("deflate: wrong length of a stored block")
	case int(k) > len(r.src)-r.pos:
		return n, errTruncated
	case int(k) > len(dst)-n:
		return n, errLong
	}
	copy(dst[n:], r.src[r.pos:r.pos+int(k)])
	r.pos += int(k)
	return n + int(k), nil
}

// block unpacks a block by its codes to dst[n:], and returns where it ends.
func (t *deflateTables) block(in *bitReader, dst []byte, n int) (int, error) {
	r := *in // in registers
	defer func() { *in = r }()
	for {
		if r.n < needBits {
			if r.fill(); r.past > 8 {
				return n, errTruncated
			}
		}
		e := t.literals[r.bits&(1<<literalBits-1)]
		if e&isSecond != 0 {
			e = t.literals[uint64(e.value())+r.bits>>literalBits&(1<<e.extra()-1)]
		}
		r.bits >>= e.len()
		r.n -= e.len()
		if e&isLiteral != 0 {
			if n >= len(dst) {
				return n, errLong
			}
			dst[n] = byte(e >> 16)
			n++
			continue
		}
		if e&isCopy == 0 {
			if e&isEnd == 0 {
				return n, errCode
			}
			return n, nil
		}
		length := e.value() + int(r.bits&(1<<e.extra()-1))
		r.bits >>= e.extra()
		r.n -= e.extra()
		e = t.offsets[r.bits&(1<<offsetBits-1)]
		if e&isSecond != 0 {
			e = t.offsets[uint64(e.value())+r.bits>>offsetBits&(1<<e.extra()-1)]
		}
		if e&isCopy == 0 {
			return n, errCode
		}
		r.bits >>= e.len()
		offset := e.value() + int(r.bits&(1<<e.extra()-1))
		r.bits >>= e.extra()
		r.n -= e.len() + e.extra()
		if offset > n {
			return n, errOffset
		}
		if length > len(dst)-n {
			return n, errLong
		}
		repeat(dst, n, offset, length)
		n += length
	}
}

// repeat copies length bytes from offset before n to n; they may overlap. The caller has checked the range.
func repeat(dst []byte, n, offset, length int) {
	from, end := n-offset, n+length
	if offset >= 8 && end+8 <= len(dst) { // whole words, and a few bytes too many
		for n < end {
			binary.LittleEndian.PutUint64(dst[n:], binary.LittleEndian.Uint64(dst[from:]))
			n += 8
			from += 8
		}
		return
	}
	for n < end {
		n += copy(dst[n:end], dst[from:n])
	}
}
