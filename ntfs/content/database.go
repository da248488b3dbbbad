package content

import (
	"hash/crc32"
)

// checkSQLite checks the header, and that each page is a page of a tree, one that a tree leads on from, or free
// (https://sqlite.org/fileformat.html).
func checkSQLite(f *file) finding {
	h := f.bytes(0, 100)
	if h == nil {
		return cut("it ends within its header")
	}
	size := int64(be.Uint16(h[16:]))
	if size == 1 {
		size = 65536
	}
	if size < 512 || size&(size-1) != 0 || h[21] != 64 || h[22] != 32 || h[23] != 32 || h[18] < 1 || h[18] > 2 {
		return torn(16, "the header is wrong")
	}
	db := sqlite{f: f, size: size, pages: f.size / size}
	counted := be.Uint32(h[24:]) == be.Uint32(h[92:])
	if n := int64(be.Uint32(h[28:])); counted && n > 0 {
		if n > db.pages {
			if state, why := beside(f.v, sqliteLogs); state != Undecided {
				return finding{state: state, why: why}
			}
			return cut("it has %d of %d pages", db.pages, n)
		}
		db.pages = n
	} else if f.size%size != 0 {
		return cut("its last page is not full")
	}
	if bad := db.free(int64(be.Uint32(h[32:]))); bad.state != Whole {
		return bad
	}
	reserved := int64(h[20])
	for page := int64(1); page <= db.pages; page++ {
		if !db.leaf[page] && !db.sane(page, size-reserved) {
			return torn((page-1)*size, "page %d is no page of a database,", page)
		}
	}
	if state, why := beside(f.v, sqliteLogs); state != Undecided {
		return finding{state: state, why: why}
	}
	return sound(false, "all pages are pages of a database")
}

type sqlite struct {
	f           *file
	size, pages int64
	leaf        map[int64]bool // free pages, which hold anything
	buf         *stream
}

// free walks the list of free pages.
func (db *sqlite) free(trunk int64) finding {
	db.leaf = map[int64]bool{}
	for trunk != 0 {
		b := db.f.bytes((trunk-1)*db.size, db.size)
		if b == nil || db.leaf[trunk] {
			return torn((trunk-1)*db.size, "the list of free pages is wrong")
		}
		db.leaf[trunk] = true
		n := int64(be.Uint32(b[4:]))
		if n > db.size/4-2 {
			return torn((trunk-1)*db.size, "the list of free pages is wrong")
		}
		for i := range n {
			db.leaf[int64(be.Uint32(b[8+4*i:]))] = true
		}
		trunk = int64(be.Uint32(b))
	}
	return sound(false, "")
}

// sane reports whether a page begins as one of a tree, an overflow page or a page of the map of pointers does.
func (db *sqlite) sane(page, usable int64) bool {
	if db.buf == nil {
		db.buf = db.f.from(0)
	}
	head := 0
	if page == 1 {
		head = 100
	}
	b := db.buf.take(512)
	if b == nil || !db.buf.skip(db.size-512) {
		return false
	}
	if next := int64(be.Uint32(b)); page > 1 && next <= db.pages {
		return true // an overflow page
	}
	if page > 1 && b[0] >= 1 && b[0] <= 5 && int64(be.Uint32(b[1:])) <= db.pages && (b[5] <= 5 || b[5] == 0) {
		return true // a page of the map of pointers
	}
	b = b[head:]
	switch b[0] {
	case 2, 5, 10, 13:
	default:
		return page-1 == 1<<30/db.size // the page of locks
	}
	free, cells, content := int64(be.Uint16(b[1:])), int64(be.Uint16(b[3:])), int64(be.Uint16(b[5:]))
	if content == 0 {
		content = 65536
	}
	first := int64(head) + 8
	if b[0] < 10 {
		first += 4
	}
	return first+2*cells <= content && content <= max(usable, 1) && free <= usable && b[7] <= 60
}

// sqliteLogs are the files that hold what the database has not yet.
var sqliteLogs = []companion{
	{"-wal", func(h []byte, size int64) bool {
		return len(h) >= 4 && (be.Uint32(h) == 0x377f0682 || be.Uint32(h) == 0x377f0683) && size > 32+24
	}},
	{"-journal", func(h []byte, size int64) bool {
		return len(h) >= 8 && be.Uint64(h) == 0xd9d505f920a163d7
	}},
}

// A companion is a file that is named as another with a suffix, and makes that one recoverable when it has something.
type companion struct {
	suffix string
	has    func(head []byte, size int64) bool
}

// beside returns Recoverable and the companion that has something; Undecided when none has, or nobody can tell.
func beside(v Version, cs []companion) (State, string) {
	if v.Beside == nil {
		return Undecided, ""
	}
	for _, c := range cs {
		other, ok := v.Beside(c.suffix)
		if !ok {
			continue
		}
		h := make([]byte, min(max(other.Size, 0), headSize))
		if n, _ := other.R.ReadAt(h, 0); n == len(h) && c.has(h, other.Size) {
			return Recoverable, "it needs the file *" + c.suffix + " beside it"
		}
	}
	return Undecided, ""
}

// checkJet checks the kind of each page of an Access database (mdbtools HACKING). Encrypted ones have none.
func checkJet(f *file) finding {
	if h := f.bytes(0, 8); h != nil && le.Uint32(h[4:]) == eseMagic {
		return checkESE(f)
	}
	h := f.bytes(0, 128)
	if h == nil {
		return cut("it ends within its header")
	}
	size := int64(4096)
	if h[20] == 0 {
		size = 2048
	}
	if h[20] > 6 {
		return torn(20, "the header is wrong")
	}
	s := f.from(size)
	n, bad, first := 0, 0, int64(0)
	for s.left() >= size {
		at := s.off
		b := s.peek(4)
		n++
		if b == nil {
			return cut("it ends within a page")
		}
		if !(b[0] >= 1 && b[0] <= 5 && b[1] <= 1 || b[0] == 0 && b[1] == 0) {
			if bad++; bad == 1 {
				first = at
			}
		}
		if !s.skip(size) {
			return cut("it ends within a page")
		}
	}
	switch {
	case n > 0 && bad*10 > n*9:
		return unsure("its pages are encrypted")
	case bad > 0:
		return torn(first, "a page is no page of a database")
	case s.left() > 0:
		return cut("its last page is not full")
	}
	return sound(false, "all pages are pages of a database")
}

const eseMagic = 0x89abcdef

// checkESE checks the header or its copy, and the checksum of each page. One that was not closed is open: what it needs lies
// in the logs beside it.
func checkESE(f *file) finding {
	h, size, ok := f.eseHeader()
	if !ok {
		return torn(0, "the header and its copy are wrong")
	}
	at, tail := int64(-1), false
	s := f.from(2 * size)
	for page := uint32(1); s.left() >= size; page++ {
		off := s.off
		b := s.take(int(size))
		if b == nil {
			return cut("it ends within a page")
		}
		switch good := esePage(b, page); {
		case !good && at < 0:
			at = off
		case good && at >= 0 && !zeros(b):
			tail = true
		}
	}
	dirty := le.Uint32(h[52:])
	switch {
	case at >= 0 && tail:
		return torn(at, "the checksum of a page is wrong")
	case at >= 0 && random(f.upTo(at, windowSize)):
		return torn(at, "all pages are wrong from one")
	case dirty == 3 && at < 0:
		return sound(true, "it was closed, and all pages have the right checksum")
	case dirty == 2 || dirty == 7:
		return finding{state: Open, why: "it was in use: what it needs is in logs " + span(h[296:], h[300:])}
	case at >= 0:
		return torn(at, "the last pages were never written,")
	}
	return finding{why: "its state says that something was going on"}
}

func span(lo, hi []byte) string {
	return hex(le.Uint32(lo)) + " to " + hex(le.Uint32(hi))
}

func hex(v uint32) string {
	const digits = "0123456789abcdef"
	b := []byte("0x00000000")
	for i := range 8 {
		b[9-i] = digits[v>>(4*i)&15]
	}
	return string(b)
}

// eseHeader returns the first good header of both: the right sum over a page of a size that the header has.
func (f *file) eseHeader() (h []byte, size int64, ok bool) {
	for size := int64(2048); size <= 32768; size *= 2 {
		for copy := range int64(2) {
			h := f.bytes(copy*size, size)
			if h == nil || le.Uint32(h[4:]) != eseMagic {
				continue
			}
			has := int64(le.Uint32(h[236:]))
			if has == 0 {
				has = 4096
			}
			if has == size && le.Uint32(h) == eseMagic^xor(h[4:]) {
				return h, size, true
			}
		}
	}
	return nil, 0, false
}

// xor is of all words of 32 bits.
func xor(b []byte) (x uint32) {
	for ; len(b) >= 4; b = b[4:] {
		x ^= le.Uint32(b)
	}
	return x
}

// esePage compares the checksum of a page: the exclusive or of its words, which the newer one has beside an ECC.
func esePage(b []byte, page uint32) bool {
	if zeros(b) {
		return true
	}
	if le.Uint32(b[36:])&0x2000 == 0 {
		return le.Uint32(b) == eseMagic^xor(b[4:]) && le.Uint32(b[4:]) == page
	}
	if len(b) <= 8192 {
		return le.Uint32(b) == xor(b[8:])^page
	}
	quarter := len(b) / 4
	if le.Uint32(b) != xor(b[8:quarter])^page {
		return false
	}
	for i := 1; i < 4; i++ {
		if le.Uint32(b[32+8*i:]) != xor(b[i*quarter:(i+1)*quarter])^page {
			return false
		}
	}
	return true
}

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

// checkEVTX compares the CRC of the header and of each chunk. A log that was in use has an old header, and right chunks.
func checkEVTX(f *file) finding {
	const chunk = 64 << 10
	h := f.bytes(0, 4096)
	if h == nil {
		return cut("it ends within its header")
	}
	if crc32.ChecksumIEEE(h[:120]) != le.Uint32(h[124:]) {
		return torn(120, "the CRC of the header is wrong")
	}
	dirty := le.Uint32(h[120:])&1 != 0
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
			free := le.Uint32(b[48:])
			sum := crc32.Update(crc32.ChecksumIEEE(b[:120]), crc32.IEEETable, b[128:512])
			if free < 512 || free > chunk || sum != le.Uint32(b[124:]) || crc32.ChecksumIEEE(b[512:free]) != le.Uint32(b[52:]) {
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

// checkHive compares the sum of the header and walks bins and cells of a registry hive. One that was in use needs its logs.
func checkHive(f *file) finding {
	h := f.bytes(0, 512)
	if h == nil {
		return cut("it ends within its header")
	}
	sum := xor(h[:508])
	switch sum {
	case 0:
		sum = 1
	case 0xffffffff:
		sum = 0xfffffffe
	}
	dirty := sum != le.Uint32(h[508:]) || le.Uint32(h[4:]) != le.Uint32(h[8:])
	end := 4096 + int64(le.Uint32(h[40:]))
	if end > f.size {
		return cut("it ends 0x%x bytes early", end-f.size)
	}
	if kind := le.Uint32(h[28:]); kind != 0 {
		return silent // a log
	}
	if bad := hiveBins(f, end); bad.state != Whole && (!dirty || random(f.upTo(bad.off, windowSize))) {
		return bad
	}
	if !dirty {
		return sound(false, "all bins and cells are right")
	}
	if state, why := beside(f.v, hiveLogs); state != Undecided {
		return finding{state: state, why: why}
	}
	return finding{state: Open, why: "it was in use: what it needs is in its logs"}
}

var hiveLogs = []companion{{".LOG1", hiveLog}, {".LOG2", hiveLog}, {".LOG", hiveLog}}

func hiveLog(h []byte, size int64) bool {
	return size > 512 && len(h) >= 4 && string(h[:4]) == "regf"
}

func hiveBins(f *file, end int64) finding {
	s := f.from(4096)
	for s.off < end {
		at := s.off
		b := s.take(32)
		if b == nil {
			return cut("it ends within a bin")
		}
		size := int64(le.Uint32(b[8:]))
		if string(b[:4]) != "hbin" || int64(le.Uint32(b[4:])) != at-4096 || size < 4096 || size%4096 != 0 || size > end-at {
			return torn(at, "the header of a bin is wrong")
		}
		for s.off < at+size {
			c := s.peek(4)
			if c == nil {
				return cut("it ends within a cell")
			}
			n := int64(int32(le.Uint32(c)))
			if n < 0 {
				n = -n
			}
			if n < 8 || n%8 != 0 || n > at+size-s.off || !s.skip(n) {
				return torn(s.off, "a cell is wrong")
			}
		}
	}
	return sound(false, "")
}
