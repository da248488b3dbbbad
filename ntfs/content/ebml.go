package content

// ebmlKnown is what stands in a Matroska file at the level of its segment and within a cluster.
func ebmlKnown(id uint32) (known, enter bool) {
	switch id {
	case 0x18538067, 0x1f43b675, 0xa0: // Segment, Cluster, BlockGroup
		return true, true
	case 0x1a45dfa3, 0x114d9b74, 0x1549a966, 0x1654ae6b, 0x1c53bb6b, 0x1941a469, 0x1043a770, 0x1254c367, // of the segment
		0xe7, 0xa3, 0xab, 0xa7, 0x5854, 0xaf, // of a cluster
		0xa1, 0x9b, 0xfb, 0xfa, 0xa4, 0x75a1, 0x75a2, 0x8e, 0xfd, 0xa2, // of a block group
		0xec, 0xbf: // void, CRC-32
		return true, false
	}
	return false, false
}

// checkEBML walks the elements of Matroska and WebM. Clusters hold blocks of some kilobytes with a header each.
func checkEBML(f *file) finding {
	s := f.from(0)
	clusters := 0
	for s.left() > 0 {
		at := s.off
		id, ok := s.ebml(4, false)
		size, ok2 := s.ebml(8, true)
		known, enter := ebmlKnown(uint32(id))
		switch {
		case s.left() == 0 && !(ok && ok2):
			return cut("it ends within an element")
		case !ok || !ok2 || !known:
			return torn(at, "no known element is")
		case id == 0x1f43b675:
			clusters++
		}
		if enter {
			continue
		}
		if size > uint64(s.left()) || !s.skip(int64(size)) {
			return cut("an element is beyond the end")
		}
	}
	if clusters == 0 {
		return cut("it has no cluster")
	}
	return sound(false, "the elements are right")
}

// ebml reads a number whose first byte tells its length, of most bytes at most; without the bit that tells it when plain.
func (s *stream) ebml(most int, plain bool) (v uint64, ok bool) {
	b := s.peek(1)
	if b == nil {
		return 0, false
	}
	n := 1
	for mask := byte(0x80); n <= 8 && b[0]&mask == 0; mask >>= 1 {
		n++
	}
	if n > most {
		return 0, false
	}
	if b = s.take(n); b == nil {
		_ = s.skip(s.left())
		return 0, false
	}
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	if plain {
		v &= 1<<(7*n) - 1
	}
	return v, true
}
