package content

import "fmt"

const eseMagic = 0x89abcdef

// checkESE checks the header or its copy, and the checksum of each page. One that was not closed is open: what it needs lies
// in the logs beside it.
func checkESE(f *file) finding {
	h, size, ok := f.eseHeader()
	if !ok {
		return torn(0, "the header and its copy are wrong")
	}
	at, tail := int64(-1), false
	s := f.from(2 * size)
	for page := uint32(1); s.left() >= size; page++ {
		off := s.off
		b := s.take(int(size))
		if b == nil {
			return cut("it ends within a page")
		}
		switch good := esePage(b, page); {
		case !good && at < 0:
			at = off
		case good && at >= 0 && !zeros(b):
			tail = true
		}
	}
	if s.left() > 0 && at < 0 {
		return cut("its last page is not full")
	}
	dirty := le.Uint32(h[52:])
	switch {
	case at >= 0 && tail:
		return torn(at, "the checksum of a page is wrong")
	case at >= 0 && random(f.upTo(at, windowSize)):
		return torn(at, "all pages are wrong from one")
	case dirty == 3 && at < 0:
		return sound(true, "it was closed, and all pages have the right checksum")
	case dirty == 2 || dirty == 7:
		return finding{state: Open, why: fmt.Sprintf("it was in use: what it needs is in logs 0x%x to 0x%x", le.Uint32(h[296:]), le.Uint32(h[300:]))}
	case at >= 0:
		return torn(at, "the last pages were never written,")
	}
	return finding{why: "its state says that something was going on"}
}

// eseHeader returns the first good header of both: the right sum over a page of a size that the header has.
func (f *file) eseHeader() (h []byte, size int64, ok bool) {
	for size := int64(2048); size <= 32768; size *= 2 {
		for copy := range int64(2) {
			h := f.bytes(copy*size, size)
			if h == nil || le.Uint32(h[4:]) != eseMagic {
				continue
			}
			has := int64(le.Uint32(h[236:]))
			if has == 0 {
				has = 4096
			}
			if has == size && le.Uint32(h) == eseMagic^xor(h[4:]) {
				return h, size, true
			}
		}
	}
	return nil, 0, false
}

// xor is of all words of 32 bits.
func xor(b []byte) (x uint32) {
	for ; len(b) >= 4; b = b[4:] {
		x ^= le.Uint32(b)
	}
	return x
}

// esePage compares the checksum of a page: the exclusive or of its words, which the newer one has beside an ECC.
func esePage(b []byte, page uint32) bool {
	if zeros(b) {
		return true
	}
	if le.Uint32(b[36:])&0x2000 == 0 {
		return le.Uint32(b) == eseMagic^xor(b[4:]) && le.Uint32(b[4:]) == page
	}
	if len(b) <= 8192 {
		return le.Uint32(b) == xor(b[8:])^page
	}
	quarter := len(b) / 4
	if le.Uint32(b) != xor(b[8:quarter])^page {
		return false
	}
	for i := 1; i < 4; i++ {
		if le.Uint32(b[32+8*i:]) != xor(b[i*quarter:(i+1)*quarter])^page {
			return false
		}
	}
	return true
}
