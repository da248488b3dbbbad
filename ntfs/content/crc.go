package content

import "sync"

// msbTable is the table of a CRC whose first bit is the highest; made once for each of the few that files use.
func msbTable(poly uint32, bits uint) *[256]uint32 {
	switch {
	case poly == 0x04c11db7 && bits == 32:
		return oggTable()
	case poly == 0x8005 && bits == 16:
		return flacTable()
	}
	return makeTable(poly, bits)
}

var (
	oggTable  = sync.OnceValue(func() *[256]uint32 { return makeTable(0x04c11db7, 32) })
	flacTable = sync.OnceValue(func() *[256]uint32 { return makeTable(0x8005, 16) })
)

func makeTable(poly uint32, bits uint) *[256]uint32 {
	t := new([256]uint32)
	for i := range t {
		c := uint32(i) << (bits - 8)
		for range 8 {
			if c>>(bits-1)&1 != 0 {
				c = c<<1 ^ poly
			} else {
				c <<= 1
			}
		}
		t[i] = c & (1<<bits - 1)
	}
	return t
}

// crcMSB is a CRC of bits bits whose first bit is the highest, without inversion.
func crcMSB(poly uint32, bits uint, b []byte) uint32 {
	crc := msbTable(poly, bits)
	sum := uint32(0)
	for _, c := range b {
		sum = sum<<8 ^ crc[byte(sum>>(bits-8))^c]
	}
	return sum & (1<<bits - 1)
}
