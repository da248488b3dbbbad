package content

import (
	"bytes"
	"hash/crc32"
	"io"
)

// checkXz checks the headers, the chain of LZMA2 chunks of each block, the index and the footer of all streams (xz file
// format 1.2.1), without unpacking: a change within a chunk of 64 KiB at most stays unseen.
func checkXz(f *file) finding {
	s := f.from(0)
	for n := 0; ; n++ {
		for b := s.peek(4); n > 0 && len(b) == 4 && zeros(b); b = s.peek(4) { // padding between streams
			s.take(4)
		}
		if n > 0 && !bytes.Equal(s.peek(6), []byte("\xfd7zXZ\x00")) {
			return sound(false, "headers, chunks and index are right")
		}
		if bad := xzStream(s); bad.state != Whole {
			return bad
		}
	}
}

func xzStream(s *stream) finding {
	at := s.off
	h := s.take(12)
	switch {
	case h == nil:
		return cut("it ends within a header")
	case crc32.ChecksumIEEE(h[6:8]) != le.Uint32(h[8:]):
		return torn(at, "the CRC of the stream header is wrong")
	}
	check := [16]int64{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}[h[7]&15]
	for {
		b := s.peek(1)
		if b == nil {
			return cut("it ends before its index")
		}
		if b[0] == 0 {
			return xzIndex(s)
		}
		if bad := xzBlock(s, check); bad.state != Whole {
			return bad
		}
	}
}

// xzBlock passes a block: its header, LZMA2 chunks, padding and check.
func xzBlock(s *stream, check int64) finding {
	at := s.off
	n := 4 * (int(s.peek(1)[0]) + 1)
	h := s.take(n)
	switch {
	case h == nil:
		return cut("it ends within a block")
	case crc32.ChecksumIEEE(h[:n-4]) != le.Uint32(h[n-4:]):
		return torn(at, "the CRC of a block header is wrong")
	}
	for {
		chunk := s.off
		size, ok := xzChunk(s)
		switch {
		case !ok && s.left() > 0:
			return torn(chunk, "a chunk is wrong")
		case !ok:
			return cut("it ends within a block")
		case size == 0 && s.skip(-(s.off-at)&3+check):
			return sound(true, "")
		case size == 0 || !s.skip(size):
			return cut("it ends within a block")
		}
	}
}

// xzChunk reads the header of an LZMA2 chunk and returns the size of what follows; 0 is the end of the chunks.
func xzChunk(s *stream) (size int64, ok bool) {
	c, err := s.ReadByte()
	switch {
	case err != nil:
		return 0, false
	case c == 0:
		return 0, true
	case c >= 0x80:
		b := s.take(4)
		if b == nil {
			return 0, false
		}
		size = int64(be.Uint16(b[2:])) + 1
		if c >= 0xc0 {
			size++ // properties
		}
		return size, true
	case c <= 2:
		b := s.take(2)
		if b == nil {
			return 0, false
		}
		return int64(be.Uint16(b)) + 1, true
	}
	return 0, false
}

// xzIndex passes the index and the footer.
func xzIndex(s *stream) finding {
	at := s.off
	sum := crc32.NewIEEE()
	r := &byteTee{s, sum}
	_, _ = r.ReadByte()
	records, ok := r.vint()
	for i := uint64(0); ok && i < 2*records; i++ {
		_, ok = r.vint()
	}
	for ok && (s.off-at)%4 != 0 {
		_, err := r.ReadByte()
		ok = err == nil
	}
	b := s.take(4)
	switch {
	case !ok || b == nil:
		return cut("it ends within its index")
	case sum.Sum32() != le.Uint32(b):
		return torn(at, "the CRC of the index is wrong")
	}
	at = s.off
	b = s.take(12)
	switch {
	case b == nil:
		return cut("it ends within its footer")
	case crc32.ChecksumIEEE(b[4:10]) != le.Uint32(b) || string(b[10:]) != "YZ":
		return torn(at, "the footer is wrong")
	}
	return sound(true, "")
}

// byteTee reads bytes and gives them to a checksum.
type byteTee struct {
	s   *stream
	sum io.Writer
}

func (t *byteTee) ReadByte() (byte, error) {
	b, err := t.s.ReadByte()
	if err == nil {
		_, _ = t.sum.Write([]byte{b}) // a checksum takes all
	}
	return b, err
}

// vint reads a number of 7 bits a byte, nine bytes at most.
func (t *byteTee) vint() (v uint64, ok bool) {
	for shift := 0; shift < 63; shift += 7 {
		b, err := t.ReadByte()
		if err != nil {
			return 0, false
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, true
		}
	}
	return 0, false
}
