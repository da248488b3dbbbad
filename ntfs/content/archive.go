package content

import (
	"bytes"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// check7z compares the CRC of both headers (7zFormat.txt). The packed streams lie between them and are not unpacked.
func check7z(f *file) finding {
	h := f.bytes(0, 32)
	if h == nil {
		return cut("it ends within its header")
	}
	if crc32.ChecksumIEEE(h[12:]) != le.Uint32(h[8:]) {
		return torn(8, "the CRC of the start header is wrong")
	}
	off, size := le.Uint64(h[12:]), le.Uint64(h[20:])
	if off > uint64(f.size) || size > uint64(f.size) || int64(32+off+size) > f.size {
		return cut("the directory is beyond the end")
	}
	sum := crc32.NewIEEE()
	s := f.from(int64(32 + off))
	if _, err := io.CopyN(sum, s, int64(size)); err != nil {
		return cut("the directory is beyond the end")
	}
	if sum.Sum32() != le.Uint32(h[28:]) {
		return torn(int64(32+off), "the CRC of the directory is wrong")
	}
	return sound(false, "the directory has the right CRC")
}

// checkRAR walks the blocks, and compares the CRC of each header, of RAR 4 and 5.
func checkRAR(f *file) finding {
	if h := f.upTo(0, 8); bytes.HasPrefix(h, []byte("Rar!\x1a\x07\x01\x00")) {
		return f.rar5()
	}
	s := f.from(7)
	for {
		at := s.off
		h := s.peek(7)
		if h == nil {
			return cut("it ends before its last block")
		}
		flags, n, kind := le.Uint16(h[3:]), int(le.Uint16(h[5:])), h[2]
		if n < 7 || kind < 0x72 || kind > 0x7b {
			return torn(at, "the header of a block is wrong")
		}
		b := s.take(n)
		if b == nil {
			return cut("it ends within a block")
		}
		// The sums of comments and of old blocks cover other bytes.
		if sum := uint16(crc32.ChecksumIEEE(b[2:])); sum != le.Uint16(b) && (kind == 0x73 || kind == 0x74 || kind == 0x7a) && flags&2 == 0 {
			return torn(at, "the CRC of a block header is wrong")
		}
		if kind == 0x7b {
			return sound(false, "the blocks are right")
		}
		if kind == 0x73 && flags&0x80 != 0 {
			return unsure("its headers are encrypted")
		}
		if flags&0x8000 != 0 && n >= 11 {
			more := int64(le.Uint32(b[7:]))
			if (kind == 0x74 || kind == 0x7a) && flags&0x100 != 0 && n >= 36 {
				more |= int64(le.Uint32(b[32:])&0x3fffffff) << 32
			}
			if !s.skip(more) {
				return cut("it ends within a member")
			}
		}
	}
}

// rar5 walks the blocks of RAR 5: CRC-32, then size, kind and flags as numbers of 7 bits a byte.
func (f *file) rar5() finding {
	s := f.from(8)
	for {
		at := s.off
		sum := s.take(4)
		if sum == nil {
			return cut("it ends before its last block")
		}
		want, c := le.Uint32(sum), crc32.NewIEEE()
		r := &byteTee{s, c}
		size, ok := r.vint()
		if !ok || size == 0 || size > 2<<20 {
			return torn(at, "the header of a block is wrong")
		}
		b := s.take(int(min(size, streamSize)))
		if b == nil || size > streamSize {
			return cut("it ends within a block")
		}
		if _, _ = c.Write(b); c.Sum32() != want {
			return torn(at, "the CRC of a block header is wrong")
		}
		kind, b := vint(b)
		flags, b := vint(b)
		data := uint64(0)
		if flags&1 != 0 {
			_, b = vint(b)
		}
		if flags&2 != 0 {
			data, _ = vint(b)
		}
		switch {
		case kind == 5:
			return sound(false, "the blocks are right")
		case kind == 4:
			return unsure("its headers are encrypted")
		case data > uint64(s.left()) || !s.skip(int64(data)):
			return cut("it ends within a member")
		}
	}
}

// vint is byteTee.vint of bytes in memory; what follows is second.
func vint(b []byte) (v uint64, rest []byte) {
	for i, c := range b {
		v |= uint64(c&0x7f) << (7 * min(i, 9))
		if c < 0x80 {
			return v, b[i+1:]
		}
	}
	return v, nil
}

// checkTar walks the members and compares the sum of each header (POSIX pax, GNU tar).
func checkTar(f *file) finding {
	s := f.from(0)
	for n := 0; ; n++ {
		at := s.off
		h := s.take(512)
		switch {
		case h == nil && s.left() == 0 && n > 0:
			return sound(false, "all headers have the right sum; the end mark is missing")
		case h == nil:
			return cut("it ends within a header")
		case zeros(h):
			if n == 0 && f.size <= 20<<10 {
				return sound(false, "it is empty")
			}
			return sound(false, "all headers have the right sum")
		case !tarSum(h):
			return torn(at, "the sum of a header is wrong")
		}
		size, ok := tarNumber(h[124:136])
		if !ok {
			return torn(at, "the size of a member is wrong")
		}
		if kind := h[156]; kind >= '1' && kind <= '6' {
			size = 0
		}
		if h[156] == 'S' && !gnuSparse(s, h[482]) {
			return cut("it ends within a header")
		}
		if size > s.left() || !s.skip(size) {
			return cut("it ends within a member")
		}
		_ = s.skip(min(-size&511, s.left()))
	}
}

// gnuSparse passes the further headers of a sparse member.
func gnuSparse(s *stream, more byte) bool {
	for more != 0 {
		h := s.take(512)
		if h == nil {
			return false
		}
		more = h[504]
	}
	return true
}

// tarSum compares the sum of a header, of bytes with or without a sign, with what stands at 148.
func tarSum(h []byte) bool {
	want, ok := tarNumber(h[148:156])
	var plain, signed int64
	for i, c := range h {
		if i >= 148 && i < 156 {
			c = ' '
		}
		plain += int64(c)
		signed += int64(int8(c))
	}
	return ok && (want == plain || want == signed)
}

// tarNumber is octal digits, or a number of 63 bits after 0x80.
func tarNumber(b []byte) (int64, bool) {
	if b[0]&0x80 != 0 {
		if len(b) < 12 || b[0] != 0x80 {
			return 0, false
		}
		v := be.Uint64(b[4:])
		return int64(v & (1<<62 - 1)), v < 1<<62
	}
	word := strings.Trim(string(b), " \x00")
	if word == "" {
		return 0, true
	}
	v, err := strconv.ParseInt(word, 8, 63)
	return v, err == nil && v >= 0
}

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

// checkAr walks the members of a library or Debian package.
func checkAr(f *file) finding {
	if bytes.HasPrefix(f.upTo(0, 8), []byte("!<thin>\n")) {
		return silent
	}
	s := f.from(8)
	for s.left() > 0 {
		at := s.off
		h := s.take(60)
		if h == nil {
			if zeros(f.upTo(at, 60)) || s.left() == 1 {
				break
			}
			return cut("it ends within a header")
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 63)
		if err != nil || string(h[58:60]) != "`\n" || size < 0 {
			return torn(at, "the header of a member is wrong")
		}
		if size > s.left() || !s.skip(size) {
			return cut("it ends within a member")
		}
		_ = s.skip(min(size&1, s.left()))
	}
	return sound(false, "the headers of the members are right")
}

// checkVHDX compares the CRC of the headers and region tables (MS-VHDX 2.2). A log that must be replayed lies inside.
func checkVHDX(f *file) finding {
	const kib = 1 << 10
	good, replay := 0, false
	var best uint64
	for _, at := range []int64{64 * kib, 128 * kib} {
		h := f.bytes(at, 4*kib)
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
		return torn(64*kib, "both headers are wrong")
	}
	regions := 0
	for _, at := range []int64{192 * kib, 256 * kib} {
		if r := f.bytes(at, 64*kib); r != nil && string(r[:4]) == "regi" && castagnoli(r) {
			regions++
		}
	}
	switch {
	case regions == 0:
		return torn(192*kib, "both region tables are wrong")
	case replay:
		return finding{state: Recoverable, why: "its own log must be replayed"}
	}
	return sound(false, "header and region table are right")
}

// castagnoli compares CRC-32C at 4 of a structure.
func castagnoli(b []byte) bool {
	want := le.Uint32(b[4:])
	c := bytes.Clone(b)
	copy(c[4:8], "\x00\x00\x00\x00")
	return crc32.Checksum(c, crc32.MakeTable(crc32.Castagnoli)) == want
}
