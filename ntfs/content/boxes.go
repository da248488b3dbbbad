package content

// checkBoxes walks the boxes of MP4, QuickTime and HEIF (ISO 14496-12), and those within the boxes that hold others.
func checkBoxes(f *file) finding {
	b := boxes{f: f}
	if bad := b.walk(0, f.size, 0); bad.state != Whole {
		return bad
	}
	switch {
	case b.moov || b.meta:
		return sound(false, "the boxes are right")
	case b.mdat:
		return cut("the index of the samples is missing")
	}
	return silent // pieces of a stream
}

type boxes struct {
	f                *file
	moov, mdat, meta bool
	n                int
}

// holder reports whether a box holds others from its begin.
func holder(name string) bool {
	switch name {
	case "moov", "trak", "mdia", "minf", "stbl", "moof", "traf", "edts", "dinf", "mvex":
		return true
	}
	return false
}

// walk passes the boxes between two offsets.
func (b *boxes) walk(at, end int64, depth int) finding {
	for at < end {
		h := b.f.upTo(at, min(end-at, 16))
		switch {
		case zeros(h) && (depth > 0 || b.n > 0 || len(h) < 8):
			return sound(false, "") // the end mark of QuickTime, and zeros behind the last box
		case len(h) < 8:
			return cut("it ends within a box")
		}
		size, head := boxSize(h, end-at)
		if !isBoxName(h[4:8]) || size < head {
			return torn(at, "the header of a box is wrong")
		}
		switch {
		case size > end-at && depth > 0:
			return torn(at, "a box is larger than what it is in,")
		case size > end-at:
			return cut("a box is beyond the end")
		}
		name := string(h[4:8])
		b.note(name)
		if holder(name) && depth < 10 {
			if bad := b.walk(at+head, at+size, depth+1); bad.state != Whole {
				return bad
			}
		}
		at += size
	}
	return sound(false, "")
}

// boxSize returns the size of a box and of its header; a size of zero is all that is left.
func boxSize(h []byte, left int64) (size, head int64) {
	switch size = int64(be.Uint32(h)); {
	case size == 0:
		return left, 8
	case size == 1 && len(h) == 16:
		return int64(be.Uint64(h[8:]) & (1<<62 - 1)), 16
	}
	return size, 8
}

func (b *boxes) note(name string) {
	b.n++
	switch name {
	case "moov":
		b.moov = true
	case "mdat":
		b.mdat = true
	case "meta", "moof":
		b.meta = true
	}
}

// isBoxName is isTag with the copyright sign of QuickTime.
func isBoxName(b []byte) bool { return isTag(b) || b[0] == 0xa9 && isTag(b[1:]) }
