package content

import "hash/crc32"

// checkEVTX compares the CRC of the header and of each chunk. A log that was in use has an old header, and right chunks.
func checkEVTX(f *file) finding {
	const chunk = 64 << 10
	h := f.bytes(0, 4096)
	if h == nil {
		return cut("it ends within its header")
	}
	flags := le.Uint32(h[120:])
	dirty, without := flags&1 != 0, flags&4 != 0
	if crc32.ChecksumIEEE(h[:120]) != le.Uint32(h[124:]) && !without {
		return torn(120, "the CRC of the header is wrong")
	}
	s := f.from(4096)
	n := 0
	for s.left() > 0 {
		at := s.off
		b := s.peek(chunk)
		switch {
		case b == nil && n >= int(le.Uint16(h[42:])):
			return evtxState(dirty)
		case b == nil:
			return cut("it ends within a chunk")
		case zeros(b[:512]):
		case string(b[:8]) != "ElfChnk\x00":
			return torn(at, "no chunk is")
		default:
			if !without && !evtxChunk(b) {
				return torn(at, "the CRC of a chunk is wrong")
			}
			n++
		}
		s.take(chunk)
	}
	if n < int(le.Uint16(h[42:])) && !dirty {
		return cut("it has %d of %d chunks", n, le.Uint16(h[42:]))
	}
	return evtxState(dirty)
}

func evtxState(dirty bool) finding {
	if dirty {
		return finding{state: Open, why: "it was in use, and all chunks have the right CRC"}
	}
	return sound(false, "all chunks have the right CRC")
}

// evtxChunk compares both CRCs of a chunk.
func evtxChunk(b []byte) bool {
	free := le.Uint32(b[48:])
	sum := crc32.Update(crc32.ChecksumIEEE(b[:120]), crc32.IEEETable, b[128:512])
	return free >= 512 && int(free) <= len(b) && sum == le.Uint32(b[124:]) && crc32.ChecksumIEEE(b[512:free]) == le.Uint32(b[52:])
}
