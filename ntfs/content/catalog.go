package content

// checkMO checks that all strings of a catalog are in the file and end with a zero (GNU gettext manual).
func checkMO(f *file) finding {
	h := f.bytes(0, 28)
	if h == nil {
		return cut("it ends within its header")
	}
	u32 := le.Uint32
	if h[0] == 0x95 {
		u32 = be.Uint32
	}
	n := int64(u32(h[8:]))
	if n > f.size/8 {
		return torn(8, "the number of strings is wrong")
	}
	for _, field := range []int{12, 16} {
		at := int64(u32(h[field:]))
		s := f.from(at)
		for range n {
			b := s.take(8)
			if b == nil {
				return cut("it ends within its tables")
			}
			size, off := int64(u32(b)), int64(u32(b[4:]))
			if off+size >= f.size {
				return cut("a string is beyond the end")
			}
		}
	}
	return sound(false, "the tables are right")
}
