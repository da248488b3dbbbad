package content

import (
	"bytes"
	"hash/crc32"
)

// checkISO looks for the descriptors of ISO 9660 or UDF at 32 KiB, and compares the size.
func checkISO(f *file) finding {
	const first, size = 32768, 2048
	for i := range int64(64) {
		at := first + i*size
		d := f.bytes(at, size)
		if d == nil {
			return cut("it ends within its descriptors")
		}
		switch id := string(d[1:6]); {
		case id == "CD001" && d[0] == 1:
			blocks, block := int64(le.Uint32(d[80:])), int64(le.Uint16(d[128:]))
			if le.Uint32(d[80:]) != be.Uint32(d[84:]) || block == 0 {
				return torn(at, "the descriptor is wrong")
			}
			if blocks*block > f.size {
				return cut("it ends 0x%x bytes early", blocks*block-f.size)
			}
			return sound(false, "the descriptor is right")
		case id == "NSR02" || id == "NSR03":
			return sound(false, "the descriptors of UDF are there")
		case id == "CD001" || id == "BEA01" || id == "BOOT2":
		default:
			return torn(at, "no descriptor is")
		}
	}
	return torn(first, "the descriptors do not end,")
}

// checkVHDX compares the CRC of the headers and region tables (MS-VHDX 2.2). A log that must be replayed lies inside.
func checkVHDX(f *file) finding {
	good, replay := 0, false
	var best uint64
	for _, at := range []int64{64 << 10, 128 << 10} {
		h := f.bytes(at, 4<<10)
		if h == nil {
			return cut("it ends within its headers")
		}
		if string(h[:4]) != "head" || !castagnoli(h) {
			continue
		}
		if seq := le.Uint64(h[8:]); good == 0 || seq > best {
			best, replay = seq, !zeros(h[48:64])
		}
		good++
	}
	if good == 0 {
		return torn(64<<10, "both headers are wrong")
	}
	if bad := vhdxRegions(f); bad.state != Whole {
		return bad
	}
	if replay {
		return finding{state: Recoverable, why: "its own log must be replayed"}
	}
	return sound(false, "header and region table are right")
}

// vhdxRegions checks the table of regions, or its copy: what it names is within the file.
func vhdxRegions(f *file) finding {
	const first, second, size = 192 << 10, 256 << 10, 64 << 10
	for _, at := range []int64{first, second} {
		r := f.bytes(at, size)
		if r == nil || string(r[:4]) != "regi" || !castagnoli(r) {
			continue
		}
		for i := range min(int64(le.Uint32(r[8:])), 2047) {
			e := r[16+32*i:]
			if off, n := le.Uint64(e[16:]), uint64(le.Uint32(e[24:])); off > uint64(f.size) || n > uint64(f.size)-off {
				return cut("a region is beyond the end")
			}
		}
		return sound(false, "")
	}
	if f.size < second+size {
		return cut("it ends within its region tables")
	}
	return torn(first, "both region tables are wrong")
}

// castagnoli compares CRC-32C at 4 of a structure.
func castagnoli(b []byte) bool {
	want := le.Uint32(b[4:])
	c := bytes.Clone(b)
	copy(c[4:8], "\x00\x00\x00\x00")
	return crc32.Checksum(c, crc32.MakeTable(crc32.Castagnoli)) == want
}
