package content

import "hash/crc32"

// checkPST compares the CRC of the header, and of the root pages of both trees (MS-PST).
func checkPST(f *file) finding {
	h := f.bytes(0, 564)
	if h == nil {
		return cut("it ends within its header")
	}
	if pstCRC(h[8:8+471]) != le.Uint32(h[4:]) {
		return torn(4, "the CRC of the header is wrong")
	}
	version := le.Uint16(h[10:])
	if version != 23 {
		valid, end := h[200], int64(le.Uint32(h[168:]))
		if version >= 36 {
			valid, end = h[248], int64(le.Uint64(h[184:])&(1<<62-1))
		}
		return pstState(f, valid, end)
	}
	if pstCRC(h[8:8+516]) != le.Uint32(h[524:]) || h[512] != 0x80 {
		return torn(524, "the CRC of the header is wrong")
	}
	for _, field := range []int{224, 240} {
		at := int64(le.Uint64(h[field:]) & (1<<62 - 1))
		p := f.bytes(at, 512)
		switch {
		case p == nil:
			return cut("the root of a tree is beyond the end")
		case p[496] != p[497] || p[496] != 0x80 && p[496] != 0x81 || pstCRC(p[:496]) != le.Uint32(p[500:]):
			return torn(at, "the root of a tree is wrong")
		}
	}
	return pstState(f, h[248], int64(le.Uint64(h[184:])&(1<<62-1)))
}

func pstState(f *file, valid byte, end int64) finding {
	switch {
	case end > f.size:
		return cut("it ends 0x%x bytes early", end-f.size)
	case valid == 0:
		return finding{state: Open, why: "it was in use: its maps are to be made anew"}
	}
	return sound(false, "the header and the roots of its trees are right")
}

// pstCRC is CRC-32 that begins with zero and is not inverted.
func pstCRC(b []byte) uint32 { return ^crc32.Update(0xffffffff, crc32.IEEETable, b) }
