package content

import (
	"bytes"
	"hash/crc32"
	"io"
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
		n, kind := int(le.Uint16(h[5:])), h[2]
		if n < 7 || kind < 0x72 || kind > 0x7b {
			return torn(at, "the header of a block is wrong")
		}
		b := s.take(n)
		switch {
		case b == nil:
			return cut("it ends within a block")
		case !rarSum(b):
			return torn(at, "the CRC of a block header is wrong")
		case kind == 0x7b:
			return sound(false, "the blocks are right")
		case kind == 0x73 && le.Uint16(b[3:])&0x80 != 0:
			return unsure("its headers are encrypted")
		case !s.skip(rarData(b)):
			return cut("it ends within a member")
		}
	}
}

// rarSum compares the CRC of a block's header, where it covers that alone: not with a comment, and not of old blocks.
func rarSum(b []byte) bool {
	kind := b[2]
	if kind != 0x73 && kind != 0x74 && kind != 0x7a || le.Uint16(b[3:])&2 != 0 {
		return true
	}
	return uint16(crc32.ChecksumIEEE(b[2:])) == le.Uint16(b)
}

// rarData is the size of what follows a block's header.
func rarData(b []byte) int64 {
	flags, kind := le.Uint16(b[3:]), b[2]
	if flags&0x8000 == 0 || len(b) < 11 {
		return 0
	}
	n := int64(le.Uint32(b[7:]))
	if (kind == 0x74 || kind == 0x7a) && flags&0x100 != 0 && len(b) >= 36 {
		n |= int64(le.Uint32(b[32:])&0x3fffffff) << 32
	}
	return n
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
