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
	if m := len(o); m >= 2 && le.Uint16(o) != 0x10b && le.Uint16(o) != 0x20b {
		return torn(at+24, "the optional header is wrong")
	}
	end := int64(0)
	for i := range sections {
		s := t[40*i:]
		size, off := int64(le.Uint32(s[16:])), int64(le.Uint32(s[20:]))
		if le.Uint32(s[36:])&0x80 == 0 { // not of zeros only
			end = max(end, off+size)
		}
	}
	if end > f.size+512 { // the last one may be shorter than its alignment
		return cut("a section ends at 0x%x, beyond the end", end)
	}
	if len(o) >= 68 {
		if want := le.Uint32(o[64:]); want != 0 && f.peSum(at+24+64) == want {
			return sound(true, "the checksum is right")
		}
	}
	return sound(false, "the sections are there")
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
	t := e.f.bytes(at, int64(size)*int64(n))
	if t == nil {
		return cut("the table of sections is beyond the end")
	}
	for i := range int64(n) {
		s := t[i*int64(size):]
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

// checkClass walks a Java class (JVM specification, chapter 4), which must end with its last attribute.
func checkClass(f *file) finding {
	c := javaClass{s: f.from(8)}
	if b := f.bytes(0, 8); b == nil || be.Uint16(b[6:]) < 40 {
		return silent // a program of macOS for several processors begins the same
	}
	c.pool()
	c.skip(6)
	c.skip(2 * c.u2())
	for range 2 { // fields, methods
		for range c.u2() {
			if c.bad {
				break
			}
			c.skip(6)
			c.attributes()
		}
	}
	c.attributes()
	switch {
	case c.wrong:
		return torn(c.s.off, "the pool of constants is wrong")
	case c.bad:
		return cut("it ends within its structure")
	case c.s.left() > 0:
		return torn(c.s.off, "something follows the last attribute")
	}
	return sound(false, "the structure is right")
}

type javaClass struct {
	s          *stream
	bad, wrong bool
}

func (c *javaClass) skip(n int64) {
	if !c.bad && !c.s.skip(n) {
		c.bad = true
	}
}

func (c *javaClass) u2() int64 {
	b := c.s.take(2)
	if b == nil || c.bad {
		c.bad = true
		return 0
	}
	return int64(be.Uint16(b))
}

func (c *javaClass) pool() {
	n := c.u2()
	for i := int64(1); i < n && !c.bad; i++ {
		tag, err := c.s.ReadByte()
		if err != nil {
			c.bad = true
			return
		}
		switch tag {
		case 1:
			c.skip(c.u2())
		case 3, 4, 9, 10, 11, 12, 17, 18:
			c.skip(4)
		case 5, 6:
			c.skip(8)
			i++
		case 7, 8, 16, 19, 20:
			c.skip(2)
		case 15:
			c.skip(3)
		default:
			c.bad, c.wrong = true, true
		}
	}
}

func (c *javaClass) attributes() {
	for range c.u2() {
		if c.bad {
			return
		}
		c.skip(2)
		b := c.s.take(4)
		if b == nil {
			c.bad = true
			return
		}
		c.skip(int64(be.Uint32(b)))
	}
}

// checkFont compares the sum of each table (OpenType, "Calculating checksums").
func checkFont(f *file) finding {
	h := f.bytes(0, 12)
	if h == nil {
		return cut("it ends within its header")
	}
	if string(h[:4]) != "ttcf" {
		return f.fontTables(0)
	}
	n := int64(be.Uint32(h[8:]))
	list := f.bytes(12, 4*min(n, 1024))
	if list == nil || n == 0 {
		return cut("it ends within its header")
	}
	for i := 0; i < len(list); i += 4 {
		if bad := f.fontTables(int64(be.Uint32(list[i:]))); bad.state != Whole || f.work > f.budget() {
			return bad
		}
	}
	return sound(true, "all tables have the right sum")
}

func (f *file) fontTables(at int64) finding {
	h := f.bytes(at, 12)
	if h == nil {
		return cut("a font is beyond the end")
	}
	n := int64(be.Uint16(h[4:]))
	dir := f.bytes(at+12, 16*n)
	if dir == nil || n == 0 {
		return cut("it ends within its tables")
	}
	for i := range n {
		e := dir[16*i:]
		want, off, size := be.Uint32(e[4:]), int64(be.Uint32(e[8:])), int64(be.Uint32(e[12:]))
		if off > f.size || size > f.size-off {
			return cut("a table is beyond the end")
		}
		if f.work += size + windowSize; f.work > f.budget() {
			return unsure("its tables overlap")
		}
		if f.fontSum(off, size, string(e[:4]) == "head") != want && string(e[:4]) != "DSIG" {
			return torn(off, "the sum of a table is wrong")
		}
	}
	return sound(true, "all tables have the right sum")
}

// fontSum is the sum of words of 32 bits; of the table "head" without its third, which is a sum itself.
func (f *file) fontSum(off, size int64, head bool) (sum uint32) {
	s := f.from(off)
	var last [4]byte
	for at := int64(0); at < size; {
		n := int(min(size-at, streamSize))
		b := s.take(n)
		if b == nil {
			return ^sum
		}
		i := 0
		for ; i+4 <= n; i += 4 {
			if !head || at+int64(i) != 8 {
				sum += be.Uint32(b[i:])
			}
		}
		if i < n {
			copy(last[:], b[i:])
			sum += be.Uint32(last[:])
		}
		at += int64(n)
	}
	return sum
}

// checkMO checks that all strings of a catalog are in the file and end with a zero (GNU gettext manual).
func checkMO(f *file) finding {
	h := f.bytes(0, 28)
	if h == nil {
		return cut("it ends within its header")
	}
	u32 := le.Uint32
	if h[0] == 0x95 {
		u32 = be.Uint32
	}
	n := int64(u32(h[8:]))
	if n > f.size/8 {
		return torn(8, "the number of strings is wrong")
	}
	for _, field := range []int{12, 16} {
		at := int64(u32(h[field:]))
		s := f.from(at)
		for range n {
			b := s.take(8)
			if b == nil {
				return cut("it ends within its tables")
			}
			size, off := int64(u32(b)), int64(u32(b[4:]))
			if off+size >= f.size {
				return torn(s.off-8, "a string is beyond the end,")
			}
		}
	}
	return sound(false, "the tables are right")
}
