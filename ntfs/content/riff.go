package content

// checkRIFF walks the chunks of WAVE, AVI and WebP, and those within lists: each has a name of printable characters, and
// ends before the next.
func checkRIFF(f *file) finding {
	h := f.bytes(0, 12)
	if h == nil {
		return cut("it ends within its header")
	}
	if string(h[:4]) != "RIFF" {
		return silent // other byte order, or sizes of 64 bits
	}
	end := int64(le.Uint32(h[4:])) + 8
	if end < 12 || end >= 0xfffffff7 {
		end = f.size // written to a pipe
	}
	r := riff{f: f, end: min(end, f.size)}
	if bad := r.chunks(12, r.end, 0); bad.state != Whole {
		return bad
	}
	if end > f.size+1 { // a pad byte may be missing
		return cut("it ends 0x%x bytes early", end-f.size)
	}
	if r.n == 0 {
		return torn(12, "no chunk is")
	}
	return sound(false, "the chunks are right")
}

type riff struct {
	f   *file
	end int64
	n   int // chunks
}

func (r *riff) chunks(at, end int64, depth int) finding {
	for at+8 <= end {
		h := r.f.bytes(at, 8)
		if h == nil {
			return cut("it ends within a chunk")
		}
		if !isTag(h[:4]) {
			if r.n > 0 && depth == 0 && at > r.end/2 && zeros(r.f.upTo(at, min(end-at, windowSize))) {
				return sound(false, "") // zeros behind the last chunk
			}
			return torn(at, "the name of a chunk is wrong")
		}
		r.n++
		n := int64(le.Uint32(h[4:]))
		if n > end-at-8 {
			if n >= 0xfffffff7 || end < r.end {
				return sound(false, "")
			}
			return cut("a chunk is beyond the end")
		}
		if list := string(h[:4]); (list == "LIST" || list == "RIFF") && n >= 4 && depth < 8 {
			if bad := r.chunks(at+12, at+8+n, depth+1); bad.state != Whole {
				return bad
			}
		}
		at += 8 + n + n&1
	}
	return sound(false, "")
}
