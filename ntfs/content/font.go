package content

// checkFont compares the sum of each table (OpenType, "Calculating checksums").
func checkFont(f *file) finding {
	h := f.bytes(0, 12)
	if h == nil {
		return cut("it ends within its header")
	}
	if string(h[:4]) != "ttcf" {
		return f.fontTables(0)
	}
	n := int64(be.Uint32(h[8:]))
	list := f.bytes(12, 4*min(n, 1024))
	if list == nil || n == 0 {
		return cut("it ends within its header")
	}
	for i := 0; i < len(list); i += 4 {
		if bad := f.fontTables(int64(be.Uint32(list[i:]))); bad.state != Whole || f.work > f.budget() {
			return bad
		}
	}
	return sound(true, "all tables have the right sum")
}

func (f *file) fontTables(at int64) finding {
	h := f.bytes(at, 12)
	if h == nil {
		return cut("a font is beyond the end")
	}
	n := int64(be.Uint16(h[4:]))
	dir := f.bytes(at+12, 16*n)
	if dir == nil || n == 0 {
		return cut("it ends within its tables")
	}
	for i := range n {
		e := dir[16*i:]
		want, off, size := be.Uint32(e[4:]), int64(be.Uint32(e[8:])), int64(be.Uint32(e[12:]))
		if off > f.size || size > f.size-off {
			return cut("a table is beyond the end")
		}
		if f.work += size + windowSize; f.work > f.budget() {
			return unsure("its tables overlap")
		}
		if f.fontSum(off, size, string(e[:4]) == "head") != want && string(e[:4]) != "DSIG" {
			return torn(off, "the sum of a table is wrong")
		}
	}
	return sound(true, "all tables have the right sum")
}

// fontSum is the sum of words of 32 bits; of the table "head" without its third, which is a sum itself.
func (f *file) fontSum(off, size int64, head bool) (sum uint32) {
	s := f.from(off)
	var last [4]byte
	for at := int64(0); at < size; {
		n := int(min(size-at, streamSize))
		b := s.take(n)
		if b == nil {
			return ^sum
		}
		i := 0
		for ; i+4 <= n; i += 4 {
			if !head || at+int64(i) != 8 {
				sum += be.Uint32(b[i:])
			}
		}
		if i < n {
			copy(last[:], b[i:])
			sum += be.Uint32(last[:])
		}
		at += int64(n)
	}
	return sum
}
