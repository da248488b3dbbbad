package inflate

import (
	"encoding/binary"
	"fmt"
	"io"
)

const inputLen = 128 << 10

// Input is read in sequence, by bits from the lowest of each byte. The first n bits of word are the next ones; those above
// are of no meaning but equal to what buf holds from pos on, or zero.
type Input struct {
	src  io.ReaderAt // nil when buf holds all
	size int64       // of src
	buf  []byte
	at   int64 // offset of buf[0] in src
	pos  int   // next byte of buf that is not in word
	end  int   // bytes in buf
	word uint64
	n    int
}

// Offset is where the next bit is, in bits.
func (in *Input) Offset() int64 { return (in.at+int64(in.pos))*8 - int64(in.n) }

// SeekBit goes to an offset in bits.
func (in *Input) SeekBit(bit int64) error {
	if i := bit/8 - in.at; i >= 0 && i <= int64(in.end) {
		in.pos = int(i)
	} else {
		in.at, in.pos, in.end = bit/8, 0, 0
	}
	in.word, in.n = 0, 0
	_, err := in.Take(int(bit % 8))
	return err
}

// memory makes all of b the input.
func (in *Input) memory(b []byte) { *in = Input{buf: b, end: len(b)} }

// fill makes room and reads on. At the end it does nothing. What is in word stays in buf, for Align.
func (in *Input) fill() error {
	if in.src == nil {
		return nil
	}
	gone := max(0, in.pos-8)
	kept := copy(in.buf, in.buf[gone:in.end])
	in.at, in.pos, in.end = in.at+int64(gone), in.pos-gone, kept
	off := in.at + int64(kept)
	want := int(max(0, min(in.size-off, int64(len(in.buf)-kept))))
	n, err := in.src.ReadAt(in.buf[kept:][:want], off)
	if in.end += n; n == want {
		return nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("packed data at 0x%x: %w", off, err)
}

// top fills word to 56 bits at least, less at the end of the input.
func (in *Input) top() error {
	if in.end-in.pos < 8 {
		if err := in.fill(); err != nil {
			return err
		}
	}
	if in.end-in.pos >= 8 {
		in.word |= binary.LittleEndian.Uint64(in.buf[in.pos:]) << (uint(in.n) & 63)
		in.pos += (63 - in.n) >> 3
		in.n |= 56
		return nil
	}
	for in.n < 56 && in.pos < in.end {
		in.word |= uint64(in.buf[in.pos]) << (uint(in.n) & 63)
		in.pos++
		in.n += 8
	}
	return nil
}

// Take returns the next k bits, 32 at most, or io.ErrUnexpectedEOF.
func (in *Input) Take(k int) (uint32, error) {
	if in.n < k {
		if err := in.top(); err != nil {
			return 0, err
		}
		if in.n < k {
			return 0, io.ErrUnexpectedEOF
		}
	}
	v := uint32(in.word & (1<<k - 1))
	in.word >>= uint(k)
	in.n -= k
	return v, nil
}

// Align goes to the next whole byte and gives what word holds back to buf.
func (in *Input) Align() {
	in.pos -= in.n >> 3
	in.word, in.n = 0, 0
}

// Bytes returns up to n bytes that follow, as many as are in memory, after Align. Only the end of the input gives none.
func (in *Input) Bytes(n int) ([]byte, error) {
	if in.pos == in.end {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	b := in.buf[in.pos:min(in.end, in.pos+n)]
	in.pos += len(b)
	return b, nil
}
