package content

// checkHive compares the sum of the header and walks bins and cells of a registry hive. One that was in use needs its logs.
func checkHive(f *file) finding {
	h := f.bytes(0, 512)
	if h == nil {
		return cut("it ends within its header")
	}
	if le.Uint32(h[28:]) != 0 {
		return silent // a log
	}
	sum := xor(h[:508])
	switch sum {
	case 0:
		sum = 1
	case 0xffffffff:
		sum = 0xfffffffe
	}
	dirty := sum != le.Uint32(h[508:]) || le.Uint32(h[4:]) != le.Uint32(h[8:])
	end := 4096 + int64(le.Uint32(h[40:]))
	if end > f.size {
		return cut("it ends 0x%x bytes early", end-f.size)
	}
	if bad := hiveBins(f, end); bad.state != Whole && (!dirty || random(f.upTo(bad.off, windowSize))) {
		return bad
	}
	if !dirty {
		return sound(false, "all bins and cells are right")
	}
	if found, ok := f.beside(hiveLogs); ok {
		return found
	}
	return finding{state: Open, why: "it was in use: what it needs is in its logs"}
}

var hiveLogs = []companion{{".LOG1", hiveLog}, {".LOG2", hiveLog}, {".LOG", hiveLog}}

func hiveLog(f *file) bool { return f.size > 512 && string(f.upTo(0, 4)) == "regf" }

func hiveBins(f *file, end int64) finding {
	s := f.from(4096)
	for s.off < end {
		at := s.off
		b := s.take(32)
		if b == nil {
			return cut("it ends within a bin")
		}
		size := int64(le.Uint32(b[8:]))
		if string(b[:4]) != "hbin" || int64(le.Uint32(b[4:])) != at-4096 || size < 4096 || size%4096 != 0 || size > end-at {
			return torn(at, "the header of a bin is wrong")
		}
		for s.off < at+size {
			c := s.peek(4)
			if c == nil {
				return cut("it ends within a cell")
			}
			n := int64(int32(le.Uint32(c)))
			if n < 0 {
				n = -n
			}
			if n < 8 || n%8 != 0 || n > at+size-s.off || !s.skip(n) {
				return torn(s.off, "a cell is wrong")
			}
		}
	}
	return sound(false, "")
}
