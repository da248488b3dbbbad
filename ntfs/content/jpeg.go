package content

import "bytes"

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
		bad := jpegSegment(s, b[1] == 0xda)
		if bad.state != Whole {
			return bad
		}
		if bad.full {
			scans++
		}
	}
}

// jpegSegment passes a segment and, if it begins a scan, the packed data behind it; the finding is full then.
func jpegSegment(s *stream, scan bool) finding {
	at := s.off
	n := s.take(2)
	if n == nil {
		return cut("it ends within a segment")
	}
	size := int64(be.Uint16(n)) - 2
	switch {
	case size < 0:
		return torn(at, "a segment is wrong")
	case !s.skip(size):
		return cut("it ends within a segment")
	case scan:
		return jpegScan(s)
	}
	return sound(false, "")
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
