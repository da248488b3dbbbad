package content

import (
	"bytes"
	"strconv"
	"strings"
)

// checkTar walks the members and compares the sum of each header (POSIX pax, GNU tar).
func checkTar(f *file) finding {
	s := f.from(0)
	for n := 0; ; n++ {
		at := s.off
		h := s.take(512)
		switch {
		case h == nil && s.left() == 0 && n > 0:
			return sound(false, "all headers have the right sum; the end mark is missing")
		case h == nil:
			return cut("it ends within a header")
		case zeros(h):
			if n == 0 && f.size <= 20<<10 {
				return sound(false, "it is empty")
			}
			return sound(false, "all headers have the right sum")
		case !tarSum(h):
			return torn(at, "the sum of a header is wrong")
		}
		size, ok := tarNumber(h[124:136])
		if !ok {
			return torn(at, "the size of a member is wrong")
		}
		if kind := h[156]; kind >= '1' && kind <= '6' {
			size = 0
		}
		if h[156] == 'S' && !gnuSparse(s, h[482]) {
			return cut("it ends within a header")
		}
		if size > s.left() || !s.skip(size) {
			return cut("it ends within a member")
		}
		_ = s.skip(min(-size&511, s.left()))
	}
}

// gnuSparse passes the further headers of a sparse member.
func gnuSparse(s *stream, more byte) bool {
	for more != 0 {
		h := s.take(512)
		if h == nil {
			return false
		}
		more = h[504]
	}
	return true
}

// tarSum compares the sum of a header, of bytes with or without a sign, with what stands at 148.
func tarSum(h []byte) bool {
	want, ok := tarNumber(h[148:156])
	var plain, signed int64
	for i, c := range h {
		if i >= 148 && i < 156 {
			c = ' '
		}
		plain += int64(c)
		signed += int64(int8(c))
	}
	return ok && (want == plain || want == signed)
}

// tarNumber is octal digits, or a number of 63 bits after 0x80.
func tarNumber(b []byte) (int64, bool) {
	if b[0]&0x80 != 0 {
		if len(b) < 12 || b[0] != 0x80 {
			return 0, false
		}
		v := be.Uint64(b[4:])
		return int64(v & (1<<62 - 1)), v < 1<<62
	}
	word := strings.Trim(string(b), " \x00")
	if word == "" {
		return 0, true
	}
	v, err := strconv.ParseInt(word, 8, 63)
	return v, err == nil && v >= 0
}

// checkAr walks the members of a library or Debian package.
func checkAr(f *file) finding {
	if bytes.HasPrefix(f.upTo(0, 8), []byte("!<thin>\n")) {
		return silent
	}
	s := f.from(8)
	for s.left() > 0 {
		at := s.off
		h := s.take(60)
		if h == nil {
			if zeros(f.upTo(at, 60)) || s.left() == 1 {
				break
			}
			return cut("it ends within a header")
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 63)
		if err != nil || string(h[58:60]) != "`\n" || size < 0 {
			return torn(at, "the header of a member is wrong")
		}
		if size > s.left() || !s.skip(size) {
			return cut("it ends within a member")
		}
		_ = s.skip(min(size&1, s.left()))
	}
	return sound(false, "the headers of the members are right")
}
