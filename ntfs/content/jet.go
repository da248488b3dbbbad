package content

// checkJet checks the kind of each page of an Access database (mdbtools HACKING). Encrypted ones have none.
func checkJet(f *file) finding {
	if h := f.bytes(0, 8); h != nil && le.Uint32(h[4:]) == eseMagic {
		return checkESE(f)
	}
	h := f.bytes(0, 128)
	if h == nil {
		return cut("it ends within its header")
	}
	size := int64(4096)
	if h[20] == 0 {
		size = 2048
	}
	if h[20] > 6 {
		return torn(20, "the header is wrong")
	}
	s := f.from(size)
	n, bad, first := 0, 0, int64(0)
	for s.left() >= size {
		if b := s.peek(2); b == nil || !jetPage(b) {
			if bad++; bad == 1 {
				first = s.off
			}
		}
		n++
		if !s.skip(size) {
			return cut("it ends within a page")
		}
	}
	switch {
	case n > 0 && bad*10 > n*9:
		return unsure("its pages are encrypted")
	case bad > 0:
		return torn(first, "a page is no page of a database")
	case s.left() > 0:
		return cut("its last page is not full")
	}
	return sound(false, "all pages are pages of a database")
}

// jetPage reports whether a page begins as one does: with its kind, and a one.
func jetPage(b []byte) bool {
	return b[0] >= 1 && b[0] <= 5 && b[1] <= 1 || b[0] == 0 && b[1] == 0
}
