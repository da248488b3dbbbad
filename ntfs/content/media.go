package content

import "bytes"

// checkRIFF walks the chunks of WAVE, AVI and WebP, and those within lists: each has a name of printable characters, and
// ends before the next.
func checkRIFF(f *file) finding {
	h := f.bytes(0, 12)
	if h == nil {
		return cut("it ends within its header")
	}
	if string(h[:4]) != "RIFF" {
		return silent // other byte order, or sizes of 64 bits
	}
	end := int64(le.Uint32(h[4:])) + 8
	if end < 12 || end >= 0xfffffff7 {
		end = f.size // written to a pipe
	}
	r := riff{f: f, end: min(end, f.size)}
	if bad := r.chunks(12, r.end, 0); bad.state != Whole {
		return bad
	}
	if end > f.size+1 { // a pad byte may be missing
		return cut("it ends 0x%x bytes early", end-f.size)
	}
	if r.n == 0 {
		return torn(12, "no chunk is")
	}
	return sound(false, "the chunks are right")
}

type riff struct {
	f   *file
	end int64
	n   int // chunks
}

func (r *riff) chunks(at, end int64, depth int) finding {
	for at+8 <= end {
		h := r.f.bytes(at, 8)
		if h == nil {
			return cut("it ends within a chunk")
		}
		if !isTag(h[:4]) {
			if r.n > 0 && depth == 0 && at > r.end/2 && zeros(r.f.upTo(at, min(end-at, windowSize))) {
				return sound(false, "") // zeros behind the last chunk
			}
			return torn(at, "the name of a chunk is wrong")
		}
		r.n++
		n := int64(le.Uint32(h[4:]))
		if n > end-at-8 {
			if n >= 0xfffffff7 || end < r.end {
				return sound(false, "")
			}
			return cut("a chunk is beyond the end")
		}
		if list := string(h[:4]); (list == "LIST" || list == "RIFF") && n >= 4 && depth < 8 {
			if bad := r.chunks(at+12, at+8+n, depth+1); bad.state != Whole {
				return bad
			}
		}
		at += 8 + n + n&1
	}
	return sound(false, "")
}

// checkBoxes walks the boxes of MP4, QuickTime and HEIF (ISO 14496-12), and those within the boxes that hold others.
func checkBoxes(f *file) finding {
	b := boxes{f: f}
	if bad := b.walk(0, f.size, 0); bad.state != Whole {
		return bad
	}
	switch {
	case b.moov || b.meta:
		return sound(false, "the boxes are right")
	case b.mdat:
		return cut("the index of the samples is missing")
	}
	return silent // pieces of a stream
}

type boxes struct {
	f                *file
	moov, mdat, meta bool
	n                int
}

// inner is how many bytes stand before the boxes in a box that holds others; false for one that does not.
func inner(name string) (int64, bool) {
	switch name {
	case "moov", "trak", "mdia", "minf", "stbl", "moof", "traf", "edts", "dinf", "mvex":
		return 0, true
	}
	return 0, false
}

func (b *boxes) walk(at, end int64, depth int) finding {
	for at < end {
		h := b.f.upTo(at, min(end-at, 16))
		if len(h) < 8 {
			if zeros(h) {
				return sound(false, "")
			}
			return cut("it ends within a box")
		}
		size, head, name := int64(be.Uint32(h)), int64(8), string(h[4:8])
		if size == 0 && depth > 0 && (name == "\x00\x00\x00\x00" || end-at == 4) {
			return sound(false, "") // the end mark of QuickTime
		}
		switch {
		case depth == 0 && b.n > 0 && zeros(h):
			return sound(false, "") // zeros behind the last box
		case size == 0:
			size = end - at
		case size == 1 && len(h) == 16:
			size, head = int64(be.Uint64(h[8:])&(1<<62-1)), 16
		}
		if !isBoxName(h[4:8]) || size < head {
			return torn(at, "the header of a box is wrong")
		}
		if size > end-at {
			if depth > 0 {
				return torn(at, "a box is larger than what it is in,")
			}
			return cut("a box is beyond the end")
		}
		b.n++
		b.moov = b.moov || name == "moov"
		b.mdat = b.mdat || name == "mdat"
		b.meta = b.meta || name == "meta" || name == "moof"
		if skip, ok := inner(name); ok && depth < 10 {
			if bad := b.walk(at+head+skip, at+size, depth+1); bad.state != Whole {
				return bad
			}
		}
		at += size
	}
	return sound(false, "")
}

// isBoxName is isTag with the copyright sign of QuickTime.
func isBoxName(b []byte) bool { return isTag(b) || b[0] == 0xa9 && isTag(b[1:]) }

// ebmlKnown is what stands in a Matroska file at the level of its segment and within a cluster.
func ebmlKnown(id uint32) (known, enter bool) {
	switch id {
	case 0x18538067, 0x1f43b675, 0xa0: // Segment, Cluster, BlockGroup
		return true, true
	case 0x1a45dfa3, 0x114d9b74, 0x1549a966, 0x1654ae6b, 0x1c53bb6b, 0x1941a469, 0x1043a770, 0x1254c367, // of the segment
		0xe7, 0xa3, 0xab, 0xa7, 0x5854, 0xaf, // of a cluster
		0xa1, 0x9b, 0xfb, 0xfa, 0xa4, 0x75a1, 0x75a2, 0x8e, 0xfd, 0xa2, // of a block group
		0xec, 0xbf: // void, CRC-32
		return true, false
	}
	return false, false
}

// checkEBML walks the elements of Matroska and WebM. Clusters hold blocks of some kilobytes with a header each.
func checkEBML(f *file) finding {
	s := f.from(0)
	clusters := 0
	for s.left() > 0 {
		at := s.off
		id, ok := s.ebml(4, false)
		size, ok2 := s.ebml(8, true)
		known, enter := ebmlKnown(uint32(id))
		switch {
		case s.left() == 0 && !(ok && ok2):
			return cut("it ends within an element")
		case !ok || !ok2 || !known:
			return torn(at, "no known element is")
		case id == 0x1f43b675:
			clusters++
		}
		if enter {
			continue
		}
		if size > uint64(s.left()) || !s.skip(int64(size)) {
			return cut("an element is beyond the end")
		}
	}
	if clusters == 0 {
		return cut("it has no cluster")
	}
	return sound(false, "the elements are right")
}

// ebml reads a number whose first byte tells its length, of most bytes at most; without the bit that tells it when plain.
func (s *stream) ebml(most int, plain bool) (v uint64, ok bool) {
	b := s.peek(1)
	if b == nil {
		return 0, false
	}
	n := 1
	for mask := byte(0x80); n <= 8 && b[0]&mask == 0; mask >>= 1 {
		n++
	}
	if n > most {
		return 0, false
	}
	if b = s.take(n); b == nil {
		_ = s.skip(s.left())
		return 0, false
	}
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	if plain {
		v &= 1<<(7*n) - 1
	}
	return v, true
}

// checkOgg compares the CRC of each page (RFC 3533).
func checkOgg(f *file) finding {
	s := f.from(0)
	page := make([]byte, 0, 65307) // the largest
	for n := 0; ; n++ {
		at := s.off
		h := s.take(27)
		switch {
		case h == nil && n > 0 && s.left() == 0:
			return sound(true, "all pages have the right CRC")
		case h == nil:
			return cut("it ends within a page")
		case !bytes.HasPrefix(h, []byte("OggS\x00")):
			if n > 0 && zeros(h) {
				return sound(true, "all pages have the right CRC")
			}
			return torn(at, "no page is")
		}
		page = append(page[:0], h...)
		table := s.take(int(h[26]))
		body := 0
		for _, k := range table {
			body += int(k)
		}
		page = append(page, table...)
		b := s.take(body)
		if len(table) < int(page[26]) || b == nil && body > 0 {
			return cut("it ends within a page")
		}
		page = append(page, b...)
		want := le.Uint32(page[22:])
		copy(page[22:26], "\x00\x00\x00\x00")
		if crcMSB(0x04c11db7, 32, page) != want {
			return torn(at, "the CRC of a page is wrong")
		}
	}
}

// crcMSB is a CRC of bits bits whose first bit is the highest, without inversion.
func crcMSB(poly uint32, bits uint, b []byte) uint32 {
	crc := msbTable(poly, bits)
	sum := uint32(0)
	for _, c := range b {
		sum = sum<<8 ^ crc[byte(sum>>(bits-8))^c]
	}
	return sum & (1<<bits - 1)
}

// checkMP3 walks the frames between the tags. Bytes between frames are wrong.
func checkMP3(f *file) finding {
	s := f.from(0)
	for {
		h := s.peek(10)
		if h == nil {
			return cut("it ends within a tag")
		}
		if string(h[:3]) != "ID3" {
			break
		}
		n := int64(h[6]&0x7f)<<21 | int64(h[7]&0x7f)<<14 | int64(h[8]&0x7f)<<7 | int64(h[9]&0x7f)
		if !s.skip(10 + n) {
			return cut("it ends within a tag")
		}
	}
	lead := 0
	for frames := 0; ; {
		h := s.peek(4)
		if h == nil {
			return mp3End(frames, s.off)
		}
		n := mp3Frame(h)
		switch {
		case n > 0 && !s.skip(n):
			_ = s.skip(s.left())
			return mp3End(frames, s.off) // the last frame is often cut
		case n > 0:
			frames++
		case frames == 0 && lead < 1<<20 && (h[0] == 0 || lead > 0 || string(h) == "RIFF"):
			s.take(1)
			lead++
		case frames == 0:
			return torn(s.off, "no frame is")
		case mp3Tag(s):
			return mp3End(frames, s.off)
		default:
			return torn(s.off, "no frame is")
		}
	}
}

func mp3End(frames int, off int64) finding {
	if frames < 2 {
		return torn(off, "no frames are")
	}
	return sound(false, "the frames are right")
}

// mp3Tag reports whether what follows the frames is a tag, or padding.
func mp3Tag(s *stream) bool {
	b := s.peek(int(min(s.left(), 11)))
	for _, tag := range []string{"TAG", "APETAGEX", "LYRICSBEGIN", "ID3", "3DI", "\x00\x00\x00\x00"} {
		if bytes.HasPrefix(b, []byte(tag)) {
			return true
		}
	}
	return false
}

// mp3Frame returns the size of a frame by its header; 0 when it is none (ISO 11172-3 2.4.1.3).
func mp3Frame(h []byte) int64 {
	if h[0] != 0xff || h[1]&0xe0 != 0xe0 {
		return 0
	}
	version, lay, rate, freq := h[1]>>3&3, h[1]>>1&3, h[2]>>4, h[2]>>2&3
	if version == 1 || lay == 0 || rate == 0 || rate == 15 || freq == 3 {
		return 0
	}
	kbit := [5][16]int64{
		{0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
		{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
		{0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
		{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
	}
	table := int(3 - lay)
	hertz := [3]int64{44100, 48000, 32000}[freq]
	if version != 3 {
		hertz /= 2
		table = min(3+table, 4)
	}
	if version == 0 {
		hertz /= 2
	}
	bits, pad := kbit[table][rate]*1000, int64(h[2]>>1&1)
	switch {
	case lay == 3:
		return (12*bits/hertz + pad) * 4
	case lay == 1 && version != 3:
		return 72*bits/hertz + pad
	}
	return 144*bits/hertz + pad
}

// checkFLAC walks the metadata, and compares the CRC of each frame's header and of each frame (RFC 9639).
func checkFLAC(f *file) finding {
	s := f.from(4)
	for {
		h := s.take(4)
		if h == nil {
			return cut("it ends within its metadata")
		}
		last := h[0]&0x80 != 0
		if h[0]&0x7f == 127 {
			return torn(s.off-4, "a block of metadata is wrong")
		}
		if !s.skip(int64(be.Uint32(h) & 0xffffff)) {
			return cut("it ends within its metadata")
		}
		if last {
			break
		}
	}
	crc := msbTable(0x8005, 16)
	first := s.off
	sum, start, frames := uint32(0), s.off, 0
	if n := flacHeader(s.peek(16)); n == 0 {
		if s.left() < 16 {
			return cut("it ends within a frame")
		}
		return torn(first, "no frame is")
	}
	for {
		// The sum of a frame with its CRC is zero; where the next one begins is not written anywhere.
		if sum == 0 && s.off > start+8 && (s.left() == 0 || flacHeader(s.peekSome(16)) > 0) {
			frames++
			start = s.off
		}
		if s.off-start > 16<<20 {
			return torn(start, "no frame with the right CRC is")
		}
		c, err := s.ReadByte()
		if err != nil {
			break
		}
		sum = (sum<<8 ^ crc[byte(sum>>8)^c]) & 0xffff
	}
	tail := f.upTo(start, 128)
	switch {
	case start == s.off && frames > 0:
		return sound(true, "all frames have the right CRC")
	case frames > 0 && bytes.HasPrefix(tail, []byte("TAG")):
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
