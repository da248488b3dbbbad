package content

import "bytes"

// checkFLAC walks the metadata, and compares the CRC of each frame's header and of each frame (RFC 9639).
func checkFLAC(f *file) finding {
	s := f.from(4)
	if bad := flacMetadata(s); bad.state != Whole {
		return bad
	}
	start := s.off
	if flacHeader(s.peekSome(16)) == 0 {
		if s.left() < 16 {
			return cut("it ends within a frame")
		}
		return torn(start, "no frame is")
	}
	crc := msbTable(0x8005, 16)
	sum, frames := uint32(0), 0
	for {
		// The sum of a frame with its CRC is zero; where the next one begins is not written anywhere.
		if sum == 0 && s.off > start+8 && (s.left() == 0 || flacHeader(s.peekSome(16)) > 0) {
			frames++
			start = s.off
		}
		if s.off-start > flacMost {
			return torn(start, "no frame with the right CRC is")
		}
		c, err := s.ReadByte()
		if err != nil {
			return flacEnd(f, start, frames)
		}
		sum = (sum<<8 ^ crc[byte(sum>>8)^c]) & 0xffff
	}
}

// flacMost is more than the largest frame.
const flacMost = 16 << 20

// flacMetadata passes the blocks of metadata.
func flacMetadata(s *stream) finding {
	for {
		h := s.take(4)
		if h == nil {
			return cut("it ends within its metadata")
		}
		last, kind := h[0]&0x80 != 0, h[0]&0x7f
		if kind == 127 {
			return torn(s.off-4, "a block of metadata is wrong")
		}
		if !s.skip(int64(be.Uint32(h) & 0xffffff)) {
			return cut("it ends within its metadata")
		}
		if last {
			return sound(false, "")
		}
	}
}

// flacEnd is the finding at the end of the file, of which what follows start is no whole frame.
func flacEnd(f *file, start int64, frames int) finding {
	switch {
	case frames > 0 && (start == f.size || bytes.HasPrefix(f.upTo(start, 3), []byte("TAG"))):
		return sound(true, "all frames have the right CRC")
	case flacResumes(f, start):
		return torn(start, "the CRC of a frame is wrong")
	}
	return cut("it ends within a frame")
}

// flacResumes reports whether what cannot be a frame's rest follows: more than a frame has, or another frame's header.
func flacResumes(f *file, start int64) bool {
	b := f.upTo(start+1, 1<<20)
	if int64(len(b)) < f.size-start-1 {
		return true
	}
	if flacHeader(f.upTo(start, 16)) == 0 {
		return true
	}
	for i := 0; i+16 <= len(b); i++ {
		if b[i] == 0xff && flacHeader(b[i:i+16]) > 0 {
			return true
		}
	}
	return random(b[:min(len(b), windowSize)]) && len(b) > 64<<10
}

// peekSome is peek of as many bytes as there are.
func (s *stream) peekSome(n int) []byte { return s.peek(int(min(int64(n), s.left()))) }

// flacHeader returns the length of a frame header whose CRC is right; 0 when there is none.
func flacHeader(b []byte) int {
	if len(b) < 6 || b[0] != 0xff || b[1]&0xfe != 0xf8 || b[2]>>4 == 0 || b[2]&15 == 15 || b[3]>>4 > 10 || b[3]&1 != 0 || b[4] == 0xff {
		return 0
	}
	n := 5
	for lead := b[4]; lead&0x80 != 0; lead <<= 1 { // the number, as UTF-8 has it
		n++
	}
	if b[4]&0xc0 == 0xc0 {
		n--
	}
	switch b[2] >> 4 {
	case 6:
		n++
	case 7:
		n += 2
	}
	switch b[2] & 15 {
	case 12:
		n++
	case 13, 14:
		n += 2
	}
	if n >= len(b) || crcMSB(0x07, 8, b[:n]) != uint32(b[n]) {
		return 0
	}
	return n + 1
}
