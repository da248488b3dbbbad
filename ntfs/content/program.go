package content

import "bytes"

// checkPE checks that the headers lead to sections within the file (PE format). A checksum that is there and right proves
// every byte; one that is wrong says nothing, for signing tools and linkers leave it.
func checkPE(f *file) finding {
	h := f.bytes(0, 64)
	if h == nil {
		return silent
	}
	if bytes.HasPrefix(h, []byte("\x7fELF")) {
		return checkELF(f)
	}
	at := int64(le.Uint32(h[60:]))
	p := f.bytes(at, 24)
	if p == nil || string(p[:4]) != "PE\x00\x00" {
		return silent // a program for DOS
	}
	sections, optional := int64(le.Uint16(p[6:])), int64(le.Uint16(p[20:]))
	if sections > 96 {
		return torn(at, "the header is wrong")
	}
	o := f.bytes(at+24, optional)
	t := f.bytes(at+24+optional, 40*sections)
	if o == nil || t == nil {
		return cut("it ends within its headers")
	}
	if len(o) >= 2 && le.Uint16(o) != 0x10b && le.Uint16(o) != 0x20b {
		return torn(at+24, "the optional header is wrong")
	}
	if end := peEnd(t); end > f.size+512 { // the last one may be shorter than its alignment
		return cut("a section ends at 0x%x, beyond the end", end)
	}
	if len(o) >= 68 {
		if want := le.Uint32(o[64:]); want != 0 && f.peSum(at+24+64) == want {
			return sound(true, "the checksum is right")
		}
	}
	return sound(false, "the sections are there")
}

// peEnd returns where the last of some sections ends.
func peEnd(table []byte) (end int64) {
	for s := table; len(s) >= 40; s = s[40:] {
		if le.Uint32(s[36:])&0x80 == 0 { // not of zeros only
			end = max(end, int64(le.Uint32(s[20:]))+int64(le.Uint32(s[16:])))
		}
	}
	return end
}

// peSum is the sum of all words of 16 bits with the carry, and the size; the field at skip counts as zero.
func (f *file) peSum(skip int64) uint32 {
	s := f.from(0)
	sum := uint64(0)
	for s.left() > 0 {
		at := s.off
		b := s.take(int(min(s.left(), streamSize)))
		if b == nil {
			return 0
		}
		for i := 0; i < len(b); i += 2 {
			switch off := at + int64(i); {
			case off >= skip && off < skip+4 && skip%2 == 0:
			case i+1 < len(b):
				sum += uint64(le.Uint16(b[i:]))
			default:
				sum += uint64(b[i])
			}
		}
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint32(sum + uint64(f.size))
}

// checkELF checks that the tables of segments and sections, and what they name, are within the file.
func checkELF(f *file) finding {
	h := f.bytes(0, 64)
	if h == nil {
		return cut("it ends within its header")
	}
	if !bytes.HasPrefix(h, []byte("\x7fELF")) {
		return silent
	}
	e := elf{f: f, wide: h[4] == 2, u16: le.Uint16, u32: le.Uint32, u64: le.Uint64}
	if h[4] != 1 && h[4] != 2 || h[5] != 1 && h[5] != 2 || h[6] != 1 {
		return torn(4, "the header is wrong")
	}
	if h[5] == 2 {
		e.u16, e.u32, e.u64 = be.Uint16, be.Uint32, be.Uint64
	}
	if e.wide {
		return e.sections(int64(e.u64(h[40:])&(1<<62-1)), e.u16(h[58:]), e.u16(h[60:]))
	}
	return e.sections(int64(e.u32(h[32:])), e.u16(h[46:]), e.u16(h[48:]))
}

type elf struct {
	f    *file
	wide bool
	u16  func([]byte) uint16
	u32  func([]byte) uint32
	u64  func([]byte) uint64
}

func (e *elf) sections(at int64, size, n uint16) finding {
	least := uint16(40)
	if e.wide {
		least = 64
	}
	if at == 0 {
		return silent // stripped of them
	}
	if size < least {
		return torn(at, "the table of sections is wrong")
	}
	if at > e.f.size || int64(size)*int64(n) > e.f.size-at {
		return cut("the table of sections is beyond the end")
	}
	table := e.f.from(at)
	for range n {
		s := table.take(int(size))
		if s == nil {
			return cut("the table of sections is beyond the end")
		}
		kind, off, length := e.u32(s[4:]), int64(e.u32(s[16:])), int64(e.u32(s[20:]))
		if e.wide {
			off, length = int64(e.u64(s[24:])&(1<<62-1)), int64(e.u64(s[32:])&(1<<62-1))
		}
		if kind != 0 && kind != 8 && (off > e.f.size || length > e.f.size-off) {
			return cut("a section is beyond the end")
		}
	}
	return sound(false, "the sections are there")
}
