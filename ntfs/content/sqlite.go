package content

import (
	"bytes"
	"encoding/binary"
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
			if found, ok := f.beside(sqliteLogs); ok {
				return found
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
		if !db.isFree(page) && !db.sane(page, size-reserved) {
			return torn((page-1)*size, "page %d is no page of a database,", page)
		}
	}
	if found, ok := f.beside(sqliteLogs); ok {
		return found
	}
	return sound(false, "all pages are pages of a database")
}

type sqlite struct {
	f           *file
	size, pages int64
	leaf        []uint64 // free pages, which hold anything, a bit each
	buf         *stream
}

// free walks the list of free pages.
func (db *sqlite) free(trunk int64) finding {
	db.leaf = make([]uint64, db.pages/64+1)
	for trunk != 0 {
		at := (trunk - 1) * db.size
		b := db.f.bytes(at, db.size)
		if b == nil || !db.setFree(trunk) {
			return torn(at, "the list of free pages is wrong")
		}
		n := int64(be.Uint32(b[4:]))
		if n > db.size/4-2 {
			return torn(at, "the list of free pages is wrong")
		}
		for i := range n {
			if !db.setFree(int64(be.Uint32(b[8+4*i:]))) {
				return torn(at, "the list of free pages is wrong")
			}
		}
		trunk = int64(be.Uint32(b))
	}
	return sound(false, "")
}

func (db *sqlite) isFree(page int64) bool { return db.leaf[page/64]>>(page%64)&1 != 0 }

// setFree marks a page as free; false when it is one already, or none.
func (db *sqlite) setFree(page int64) bool {
	if page < 1 || page > db.pages || db.isFree(page) {
		return false
	}
	db.leaf[page/64] |= 1 << (page % 64)
	return true
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
	{"-wal", hasFrames},
	{"-journal", func(f *file) bool {
		return bytes.Equal(f.upTo(0, 8), []byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"))
	}},
}

// hasFrames reports whether a write-ahead log has a transaction that was committed: frames of the header's salts whose sums
// follow from each other, the last with the size of the database.
func hasFrames(f *file) bool {
	h := f.bytes(0, 32)
	if h == nil || be.Uint32(h)&^1 != 0x377f0682 {
		return false
	}
	var order binary.ByteOrder = le
	if h[3]&1 != 0 {
		order = be
	}
	page := int64(be.Uint32(h[8:]))
	if page < 512 || page > 65536 {
		return false
	}
	var sum walSum
	if sum.add(order, h[:24]); !sum.is(h[24:]) {
		return false
	}
	for s := f.from(32); ; {
		frame := bytes.Clone(s.take(24))
		if frame == nil || !bytes.Equal(frame[8:16], h[16:24]) {
			return false
		}
		sum.add(order, frame[:8])
		b := s.take(int(page))
		if b == nil {
			return false
		}
		if sum.add(order, b); !sum.is(frame[16:]) {
			return false
		}
		if be.Uint32(frame[4:]) != 0 {
			return true
		}
	}
}

// walSum is the running sum of a write-ahead log.
type walSum [2]uint32

func (w *walSum) add(order binary.ByteOrder, b []byte) {
	for ; len(b) >= 8; b = b[8:] {
		w[0] += order.Uint32(b) + w[1]
		w[1] += order.Uint32(b[4:]) + w[0]
	}
}

func (w *walSum) is(b []byte) bool { return be.Uint32(b) == w[0] && be.Uint32(b[4:]) == w[1] }
