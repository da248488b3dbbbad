package content

import (
	"bytes"
	"compress/lzw"
	"hash/crc32"
	"io"

	"snapmount/imagefmt/layer"
)

// checkPNG compares the CRC of each chunk, to IEND. What stands behind it does not matter.
func checkPNG(f *file) finding {
	s := f.from(8)
	for first := true; ; first = false {
		at := s.off
		h := s.peek(8)
		if h == nil {
			return cut("it ends before its last chunk")
		}
		n, last := int64(be.Uint32(h)), string(h[4:]) == "IEND"
		if first && string(h[4:]) != "IHDR" && string(h[4:]) != "CgBI" || n > 1<<31-1 || !isTag(h[4:8]) {
			return torn(at, "the header of a chunk is wrong")
		}
		s.take(4)
		sum := crc32.NewIEEE()
		if k, _ := io.CopyN(sum, s, n+4); k < n+4 {
			return cut("it ends within a chunk")
		}
		switch b := s.take(4); {
		case b == nil:
			return cut("it ends within a chunk")
		case be.Uint32(b) != sum.Sum32():
			return torn(at, "the CRC of a chunk is wrong")
		case last:
			return sound(true, "all chunks have the right CRC")
		}
	}
}

// isTag reports whether bytes are letters, digits, blanks and the few signs that names of chunks have.
func isTag(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// checkGIF walks all blocks and unpacks all images (GIF 89a). An image that unpacks to fewer points than it has is torn.
func checkGIF(f *file) finding {
	s := f.from(6)
	h := s.take(7)
	if h == nil || h[4]&0x80 != 0 && !s.skip(3<<(h[4]&7+1)) {
		return cut("it ends within its header")
	}
	for images := 0; ; {
		at := s.off
		b := s.take(1)
		if b == nil {
			return cut("it ends before its trailer")
		}
		var bad finding
		switch b[0] {
		case 0x3b:
			if images == 0 {
				return torn(at, "the trailer comes before an image,")
			}
			return sound(true, "all images unpack")
		case 0x21:
			if !s.skip(1) || !gifSkip(s) {
				return cut("it ends within an extension")
			}
			continue
		case 0x2c:
			bad = gifImage(f, s)
			images++
		case 0:
			continue // some writers leave zeros between blocks
		default:
			return torn(at, "no block begins")
		}
		if bad.state != Whole {
			return bad
		}
	}
}

// gifSkip passes sub-blocks, to the empty one.
func gifSkip(s *stream) bool {
	for {
		n, err := s.ReadByte()
		if err != nil || !s.skip(int64(n)) {
			return false
		}
		if n == 0 {
			return true
		}
	}
}

func gifImage(f *file, s *stream) finding {
	at := s.off
	h := s.take(9)
	if h == nil {
		return cut("it ends within an image")
	}
	points := int64(le.Uint16(h[4:])) * int64(le.Uint16(h[6:]))
	if h[8]&0x80 != 0 && !s.skip(3<<(h[8]&7+1)) {
		return cut("it ends within an image")
	}
	width, err := s.ReadByte()
	if err != nil {
		return cut("it ends within an image")
	}
	if width < 1 || width > 8 {
		return torn(at, "an image is wrong")
	}
	blocks := &gifBlocks{s: s}
	z := lzw.NewReader(blocks, lzw.LSB, int(max(width, 2)))
	n, err := f.drain(io.Discard, io.LimitReader(z, points))
	_ = z.Close()
	switch {
	case err == errTooMuch:
		return unpacked(at, "", err)
	case s.left() == 0 && n < points:
		return cut("it ends within an image")
	case n < points:
		return torn(max(s.off-1, 0), "an image does not unpack")
	}
	if !blocks.done && !(s.skip(int64(blocks.left)) && gifSkip(s)) {
		return cut("it ends within an image")
	}
	return sound(true, "")
}

// gifBlocks reads the bytes of sub-blocks.
type gifBlocks struct {
	s    *stream
	left byte // of the block
	done bool // the empty block came
}

func (g *gifBlocks) ReadByte() (byte, error) {
	for g.left == 0 {
		n, err := g.s.ReadByte()
		if err != nil || n == 0 {
			g.done = err == nil
			return 0, io.EOF
		}
		g.left = n
	}
	g.left--
	return g.s.ReadByte()
}

func (g *gifBlocks) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := g.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

// checkJPEG walks the markers to the end of the image. In the packed data each 0xff is followed by a zero or a restart
// marker in its turn, which random bytes break within a few hundred.
func checkJPEG(f *file) finding {
	s := f.from(2)
	for scans := 0; ; {
		at := s.off
		for b := s.peek(2); len(b) == 2 && b[0] == 0xff && b[1] == 0xff; b = s.peek(2) { // filler
			s.take(1)
		}
		b := s.take(2)
		switch {
		case b == nil:
			return cut("it ends before its end marker")
		case b[0] != 0xff || b[1] == 0:
			return torn(at, "no marker is")
		case b[1] == 0xd9 && scans == 0:
			return torn(at, "the end comes before a picture,")
		case b[1] == 0xd9:
			return sound(true, "all markers are right")
		case b[1] == 1 || b[1] >= 0xd0 && b[1] <= 0xd8:
			continue
		}
		sos := b[1] == 0xda
		n := s.take(2)
		if n == nil {
			return cut("it ends within a segment")
		}
		size := int64(be.Uint16(n)) - 2
		if size < 0 {
			return torn(at, "a segment is wrong")
		}
		if !s.skip(size) {
			return cut("it ends within a segment")
		}
		if sos {
			scans++
			if bad := jpegScan(s); bad.state != Whole {
				return bad
			}
		}
	}
}

// jpegScan passes packed data, to the marker behind it.
func jpegScan(s *stream) finding {
	restart := byte(0)
	for {
		b, err := s.r.Peek(streamSize)
		i := bytes.IndexByte(b, 0xff)
		if i < 0 {
			if err != nil {
				return cut("it ends within a picture")
			}
			s.take(streamSize)
			continue
		}
		s.take(i)
		m := s.peek(2)
		if m == nil {
			return cut("it ends within a picture")
		}
		switch c := m[1]; {
		case c == 0:
		case c >= 0xd0 && c <= 0xd7:
			if c != 0xd0+restart {
				return torn(s.off, "a restart marker is out of turn")
			}
			restart = (restart + 1) & 7
		case c == 0xff:
			s.take(1)
			continue
		case c == 0xd9 || c == 0xda || c == 0xc4 || c == 0xdb || c == 0xdc || c == 0xdd || c >= 0xe0 && c <= 0xef || c == 0xfe:
			return sound(true, "")
		default:
			return torn(s.off, "a marker in a picture is wrong")
		}
		s.take(2)
	}
}

// checkBMP compares the size of the points with what is there.
func checkBMP(f *file) finding {
	h := f.bytes(0, 54)
	if h == nil {
		if h = f.bytes(0, 26); h == nil || le.Uint32(h[14:]) != 12 {
			return cut("it ends within its header")
		}
		return silent
	}
	header, points := int64(le.Uint32(h[14:])), int64(le.Uint32(h[10:]))
	if header < 12 || header > 1024 || points < 14+header {
		return torn(14, "the header is wrong")
	}
	if header == 12 {
		return silent
	}
	width, height, bits := int64(int32(le.Uint32(h[18:]))), int64(int32(le.Uint32(h[22:]))), int64(le.Uint16(h[28:]))
	if width <= 0 || height == 0 || le.Uint16(h[26:]) != 1 || bits > 64 {
		return torn(14, "the header is wrong")
	}
	if c := le.Uint32(h[30:]); c != 0 && c != 3 {
		return silent // run lengths
	}
	row := (width*bits + 31) / 32 * 4
	if height < 0 {
		height = -height
	}
	if row > 0 && height > (f.size-points)/row {
		return cut("it ends within its points")
	}
	return sound(false, "the header fits the size")
}

// checkTIFF walks the directories: known types, values and strips within the file.
func checkTIFF(f *file) finding {
	h := f.bytes(0, 8)
	if h == nil {
		return cut("it ends within its header")
	}
	u16, u32 := le.Uint16, le.Uint32
	if h[0] == 'M' {
		u16, u32 = be.Uint16, be.Uint32
	}
	if u16(h[2:]) != 42 {
		return silent // offsets of 64 bits
	}
	sizes := [19]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8}
	for at, n := int64(u32(h[4:])), 0; at != 0; n++ {
		count := f.bytes(at, 2)
		if count == nil {
			return cut("a directory is beyond the end")
		}
		k := int64(u16(count))
		dir := f.bytes(at+2, 12*k+4)
		if dir == nil {
			return cut("a directory is beyond the end")
		}
		for i := range k {
			e := dir[12*i:]
			kind, num := u16(e[2:]), int64(u32(e[4:]))
			if kind == 0 || int(kind) >= len(sizes) || sizes[kind] == 0 {
				return torn(at+2+12*i, "an entry of a directory is wrong")
			}
			if bytes := num * sizes[kind]; bytes > 4 && layer.Clip(f.size, int64(u32(e[8:])), bytes) < bytes {
				return cut("a value is beyond the end")
			}
		}
		if at = int64(u32(dir[12*k:])); n > 10000 {
			return torn(at, "the directories do not end,")
		}
	}
	return sound(false, "the directories are right")
}

// checkPSD walks the sections (Adobe Photoshop file formats): each must end before the next.
func checkPSD(f *file) finding {
	h := f.bytes(0, 26)
	if h == nil {
		return cut("it ends within its header")
	}
	version := be.Uint16(h[4:])
	if version < 1 || version > 2 || !zeros(h[6:12]) || be.Uint16(h[12:]) == 0 || be.Uint16(h[12:]) > 56 {
		return torn(4, "the header is wrong")
	}
	at := int64(26)
	for i := range 3 {
		width := int64(4)
		if i == 2 && version == 2 {
			width = 8
		}
		b := f.bytes(at, width)
		if b == nil {
			return cut("a section is beyond the end")
		}
		n := int64(be.Uint32(b[width-4:]))
		if width == 8 {
			n = int64(be.Uint64(b) & (1<<62 - 1))
		}
		if n > f.size-at-width {
			return cut("a section is beyond the end")
		}
		if i == 1 && n >= 4 {
			if tag := f.upTo(at+4, 4); string(tag) != "8BIM" && string(tag) != "MeSa" && string(tag) != "PHUT" {
				return torn(at, "the section of resources is wrong")
			}
		}
		at += width + n
	}
	if b := f.bytes(at, 2); b == nil {
		return cut("the picture is beyond the end")
	} else if be.Uint16(b) > 3 {
		return torn(at, "the picture is wrong")
	}
	return sound(false, "the sections are right")
}
