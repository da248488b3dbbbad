package content

import (
	"compress/lzw"
	"io"
)

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
		switch {
		case b == nil && images > 0:
			return sound(false, "all images unpack; the trailer is missing")
		case b == nil:
			return cut("it ends before its images")
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
