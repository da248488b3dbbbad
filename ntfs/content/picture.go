package content

import (
	"hash/crc32"
	"io"
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

// psdMost is the most rows and columns that a document has.
const psdMost = 300000

// checkPSD walks the sections (Adobe Photoshop file formats): each must end before the next.
func checkPSD(f *file) finding {
	h := f.bytes(0, 26)
	if h == nil {
		return cut("it ends within its header")
	}
	version := be.Uint16(h[4:])
	if version < 1 || version > 2 || !zeros(h[6:12]) || be.Uint16(h[12:]) == 0 || be.Uint16(h[12:]) > 56 ||
		be.Uint32(h[14:]) > psdMost || be.Uint32(h[18:]) > psdMost || be.Uint16(h[22:]) > 32 {
		return torn(4, "the header is wrong")
	}
	at, bad := psdSections(f, version)
	if bad.state != Whole {
		return bad
	}
	return psdPicture(f, h, at)
}

// psdSections passes the sections of colours, resources and layers; at is where the picture begins.
func psdSections(f *file, version uint16) (at int64, bad finding) {
	at = 26
	for i := range 3 {
		width := int64(4)
		if i == 2 && version == 2 {
			width = 8
		}
		b := f.bytes(at, width)
		if b == nil {
			return at, cut("a section is beyond the end")
		}
		n := int64(be.Uint32(b[width-4:]))
		if width == 8 {
			n = int64(be.Uint64(b) & (1<<62 - 1))
		}
		if n > f.size-at-width {
			return at, cut("a section is beyond the end")
		}
		if tag := string(f.upTo(at+4, 4)); i == 1 && n >= 4 && tag != "8BIM" && tag != "MeSa" && tag != "PHUT" {
			return at, torn(at, "the section of resources is wrong")
		}
		at += width + n
	}
	return at, sound(false, "")
}

// psdPicture compares the size of the merged picture with what is there; h is the header.
func psdPicture(f *file, h []byte, at int64) finding {
	b := f.bytes(at, 2)
	if b == nil {
		return cut("the picture is beyond the end")
	}
	rows := int64(be.Uint32(h[14:])) * int64(be.Uint16(h[12:]))
	need := int64(0)
	switch be.Uint16(b) {
	case 0:
		need = rows * ((int64(be.Uint32(h[18:]))*int64(be.Uint16(h[22:])) + 7) / 8)
	case 1: // run lengths, behind the length of each row
		need = 2 * rows * int64(be.Uint16(h[4:]))
	case 2, 3:
	default:
		return torn(at, "the picture is wrong")
	}
	if need > f.size-at-2 {
		return cut("the picture is beyond the end")
	}
	return sound(false, "the sections are right")
}
