package ewf

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"sort"

	"snapmount/imagefmt/layer"
)

const (
	tableHeader1Len = 24
	tableHeader2Len = 32 // 20 bytes and padding
	pageBytes       = 64 << 10
	pageCacheBytes  = 16 << 20 // table entries kept in memory
	topBit          = 1 << 31
)

// table says where the chunks from first on are, in one segment.
type table struct {
	src         layer.Source
	segment     int
	version     int
	method      uint16 // of compression, version 2
	first       int64  // chunk
	count       int64
	at          int64 // of the entries, in the file
	page        int64 // number of its first page among all tables'
	base        int64 // what offsets are relative to, version 1
	low, high   int64 // the chunks are in between, version 1
	begin       int64 // of the first chunk, version 1
	overflow    int64 // entries from it on are offsets of 32 bits, version 1
	unprotected bool  // no checksum vouches for the entries, version 1
}

func (t *table) entryLen() int64 {
	if t.version == 1 {
		return 4
	}
	return 16
}

func (t *table) perPage() int64 { return pageBytes / t.entryLen() }

// heldTable is a table of version 1 until it is known whether a copy follows.
type heldTable struct {
	is     bool
	sec    section1
	table  table
	err    error // why it is not trusted
	usable bool
}

// table1 reads a table or table2 section. The copy matters when the first is damaged or not there.
func (s *segment) table1(sec section1) {
	low, high := s.low, sec.at
	s.low = max(s.low, min(sec.follows, s.src.Size()))
	if h := &s.held; h.is {
		if h.err == nil {
			s.later = append(s.later, s.checkCopy(sec, h.table.low, h.sec.at))
			return
		}
		copied, err := s.readTable1(sec, h.table.low, h.sec.at)
		if err == nil {
			s.warnf("%w: its copy at 0x%x is used", h.err, sec.at)
			h.table, h.err, h.usable = copied, nil, true
		} else if !h.usable && copied.count > 0 {
			h.table, h.usable = copied, true
		}
		return
	}
	t, err := s.readTable1(sec, low, high)
	if s.resynced && t.begin != low+descriptor1Len {
		s.lost("segment %d: tables between 0x%x and 0x%x may be lost", s.number, low, sec.at)
	}
	s.resynced = false
	s.held = heldTable{is: true, sec: sec, table: t, err: err, usable: t.count > 0}
}

// release takes in the table that is held, unless its copy comes next.
func (s *segment) release(next *section1) {
	h := s.held
	if !h.is || next != nil && next.kind == "table2" {
		return
	}
	s.held = heldTable{}
	switch {
	case !h.usable:
		s.lost("segment %d: %w: the chunks that it is of cannot be found", s.number, h.err)
		return
	case h.err != nil:
		s.warnf("%w: used where its offsets are in order", h.err)
		h.table.unprotected = true
	}
	s.parts = append(s.parts, part{table: h.table})
}

// readTable1 checks a table. One that comes back with an error and a count has entries, of which the checksum is wrong.
func (s *segment) readTable1(sec section1, low, high int64) (table, error) {
	t := table{src: s.src, segment: s.number, version: 1, at: sec.off + tableHeader1Len, low: low, high: high}
	corrupt := func(format string, args ...any) error {
		return layer.Corrupt(sec.kind+" section", sec.at, format, args...)
	}
	b := make([]byte, tableHeader1Len+4)
	n := min(sec.n, int64(len(b)))
	if err := layer.ReadFull(s.src, b[:n], sec.off); err != nil {
		return t, corrupt("%w", err)
	}
	le := binary.LittleEndian
	count, base := int64(le.Uint32(b[0:])), le.Uint64(b[8:])
	if sum, want := adler32.Checksum(b[:20]), le.Uint32(b[20:]); n < tableHeader1Len || sum != want {
		return t, corrupt("header: adler-32 0x%08x, want 0x%08x", sum, want)
	}
	left := sec.n - tableHeader1Len - 4*count
	if left < 0 || base >= uint64(s.src.Size()) {
		return t, corrupt("%d entries from 0x%x on in 0x%x bytes, the file has 0x%x", count, base, sec.n, s.src.Size())
	}
	t.base, t.overflow = int64(base), count
	if count == 0 {
		return t, nil
	}
	end := t.at + 4*count
	inside := false
	off := t.base + int64(le.Uint32(b[24:])&^topBit)
	t.begin = off
	switch {
	case off >= end && off < sec.follows: // SMART and EnCase 1 have the chunks in the table's own section
		t.low, t.high, inside = end, sec.off+sec.n, true
	case off >= sec.follows && t.base+int64(le.Uint32(b[24:])) >= high:
		t.low, t.high = sec.follows, s.src.Size()
	}
	sum, err := t.scan(count)
	if err != nil {
		return t, corrupt("%w", err)
	}
	t.count = count
	if t.unprotected = inside || left < 4; t.unprotected {
		return t, nil
	}
	if err := layer.ReadFull(s.src, b[:4], end); err != nil {
		return t, corrupt("%w", err)
	}
	if want := le.Uint32(b); sum != want {
		return t, corrupt("adler-32 0x%08x, want 0x%08x", sum, want)
	}
	return t, nil
}

// scan reads all entries for their checksum, and finds the first one that needs its top bit for the offset: EnCase 6.7
// wrote segments of more than 2 GiB without a base. The chunks are in order, so it is where an offset falls back.
func (t *table) scan(count int64) (uint32, error) {
	buf := make([]byte, min(pageBytes, 4*count))
	sum, last := adler32.New(), t.low
	for i := int64(0); i < count; {
		b := buf[:min(int64(len(buf)), 4*(count-i))]
		if err := layer.ReadFull(t.src, b, t.at+4*i); err != nil {
			return 0, err
		}
		sum.Write(b)
		for ; len(b) > 0; b = b[4:] {
			raw := int64(binary.LittleEndian.Uint32(b))
			off := t.base + raw&^topBit
			if off < last && t.overflow == count && t.base+raw >= last && t.base+raw < t.high {
				t.overflow = i
			}
			last = max(last, min(off, t.high))
			i++
		}
	}
	return sum.Sum32(), nil
}

// page is a part of a table's entries, with one before and one after it where there are. Immutable.
type page struct {
	number int64
	start  int64 // index in the table of the first entry in b
	b      []byte
}

// find returns the table of chunk c and its index there; nil when no table has it.
func (d *Disk) find(c int64) (*table, int64) {
	i := sort.Search(len(d.tables), func(i int) bool { return d.tables[i].first+d.tables[i].count > c })
	if i == len(d.tables) || c < d.tables[i].first {
		return nil, 0
	}
	return &d.tables[i], c - d.tables[i].first
}

// nextTable is the first chunk behind c that a table has, or the end of the disk.
func (d *Disk) nextTable(c int64) int64 {
	i := sort.Search(len(d.tables), func(i int) bool { return d.tables[i].first > c })
	if i == len(d.tables) {
		return (d.size + d.chunkSize - 1) / d.chunkSize
	}
	return d.tables[i].first
}

// entries returns the page that has entry i of t, from memory when it is there.
func (d *Disk) entries(t *table, i int64) (*page, error) {
	per := t.perPage()
	number := t.page + i/per
	slot := &d.pages[number%int64(len(d.pages))]
	if p := slot.Load(); p != nil && p.number == number {
		return p, nil
	}
	start := max(0, i/per*per-1)
	end := min(t.count, (i/per+1)*per+1)
	p := &page{number, start, make([]byte, (end-start)*t.entryLen())}
	at := t.at + start*t.entryLen()
	if err := layer.ReadFull(t.src, p.b, at); err != nil {
		return nil, fmt.Errorf("segment %d: table at 0x%x: %w", t.segment, at, err)
	}
	slot.Store(p)
	return p, nil
}
