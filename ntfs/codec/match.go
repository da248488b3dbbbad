package codec

// spread[d] repeats the d lowest bytes of a number when multiplied with it.
var spread = [8]uint64{
	1: 1 | 1<<8 | 1<<16 | 1<<24 | 1<<32 | 1<<40 | 1<<48 | 1<<56,
	2: 1 | 1<<16 | 1<<32 | 1<<48,
	3: 1 | 1<<24 | 1<<48,
	4: 1 | 1<<32,
	5: 1 | 1<<40,
	6: 1 | 1<<48,
	7: 1 | 1<<56,
}

// copyMatch copies n bytes within out from dist before at to at, where the ranges may overlap: then the dist bytes are
// repeated. It needs 0 < dist <= at and n <= len(out)-at. It may change up to 7 more bytes, where out has them.
func copyMatch(out []byte, at, dist, n int) {
	src, dst := out[at-dist:], out[at:]
	if len(dst) < n+8 {
		for dst = dst[:n]; len(dst) > 0; dst = dst[n:] {
			n = copy(dst, src[:dist])
		}
		return
	}
	if dist >= 8 {
		for i := 0; i < n; i += 8 {
			le.PutUint64(dst[i:], le.Uint64(src[i:]))
		}
		return
	}
	pattern := le.Uint64(src) & (1<<(8*dist) - 1) * spread[dist]
	for i := 0; i < n; i += 8 - 8%dist {
		le.PutUint64(dst[i:], pattern)
	}
}
