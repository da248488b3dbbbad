package content

import "bytes"

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
