package vhdx

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	logSector   = 4 << 10
	logMagic    = "loge"
	logHead     = 64 // bytes before the first descriptor
	descLen     = 32
	zeroMagic   = "zero"
	descMagic   = "desc"
	dataMagic   = "data"
	maxChanges  = 256 << 10 // in all entries of a log; 1 GiB when each is a sector
	leadingLen  = 8         // of a sector's bytes, kept in the descriptor
	trailingLen = 4
)

// entryHeader begins an entry of the log. Little-endian.
type entryHeader struct {
	signature   string
	checksum    uint32 // CRC-32C of the whole entry
	length      uint32
	tail        uint32 // where in the log the first entry is that is to be replayed with this one
	sequence    uint64
	descriptors uint32
	logID       wintype.GUID
	flushed     uint64 // bytes that the file is known to have had
	last        uint64 // bytes that the file has after the replay
}

// decodeEntryHeader reads 64 bytes, MS-VHDX 2.3.1.1.
func decodeEntryHeader(b []byte) entryHeader {
	le := binary.LittleEndian
	return entryHeader{
		signature:   string(b[0:4]),
		checksum:    le.Uint32(b[4:]),
		length:      le.Uint32(b[8:]),
		tail:        le.Uint32(b[12:]),
		sequence:    le.Uint64(b[16:]),
		descriptors: le.Uint32(b[24:]),
		logID:       wintype.GUID(b[32:48]),
		flushed:     le.Uint64(b[48:]),
		last:        le.Uint64(b[56:]),
	}
}

// change is what one descriptor does to the file: a sector from the log, or a run of zeros.
type change struct {
	off, n   int64
	data     int64 // where its sector is in the file; 0 for zeros
	leading  [leadingLen]byte
	trailing [trailingLen]byte
}

// decodeDescriptor reads 32 bytes, MS-VHDX 2.3.1.2 and 2.3.1.3; data is 1 where a sector belongs to it. It is not ok
// when it does not belong to the entry of that sequence number.
func decodeDescriptor(b []byte, sequence uint64) (c change, ok bool) {
	le := binary.LittleEndian
	off, n := le.Uint64(b[16:]), uint64(logSector)
	switch string(b[:4]) {
	case zeroMagic:
		n = le.Uint64(b[8:])
	case descMagic:
		copy(c.trailing[:], b[4:])
		copy(c.leading[:], b[8:])
		c.data = 1
	default:
		return c, false
	}
	if le.Uint64(b[24:]) != sequence || off%logSector != 0 || n%logSector != 0 || off > math.MaxInt64 || n > math.MaxInt64-off {
		return c, false
	}
	c.off, c.n = int64(off), int64(n)
	return c, true
}

// entry is an entry of the log.
type entry struct {
	entryHeader
	at      int64 // in the log
	heads   int64 // sectors that hold descriptors
	changes []change
	next    int // change whose sector comes next
}

// plausible checks what can be checked before the rest of the entry is read.
func (e *entry) plausible(id wintype.GUID, logLen int64) bool {
	n := int64(e.length)
	return e.signature == logMagic && e.logID == id && e.sequence != 0 && e.tail%logSector == 0 &&
		n%logSector == 0 && n <= logLen && e.heads <= n/logSector
}

// take adds sector s of the entry, which is at off in the file, and reports whether it belongs there.
func (e *entry) take(b []byte, s, off int64) bool {
	le := binary.LittleEndian
	if s < e.heads {
		from := 0
		if s == 0 {
			from = logHead
		}
		for ; from < len(b) && len(e.changes) < int(e.descriptors); from += descLen {
			c, ok := decodeDescriptor(b[from:], e.sequence)
			if !ok {
				return false
			}
			e.changes = append(e.changes, c)
		}
		return true
	}
	e.skipZeros()
	if e.next == len(e.changes) {
		return true // padding
	}
	e.changes[e.next].data = off
	e.next++
	sequence := uint64(le.Uint32(b[4:]))<<32 | uint64(le.Uint32(b[logSector-trailingLen:]))
	return string(b[:4]) == dataMagic && sequence == e.sequence
}

func (e *entry) skipZeros() {
	for e.next < len(e.changes) && e.changes[e.next].data == 0 {
		e.next++
	}
}

// journal is the log in the file: a ring of sectors.
type journal struct {
	src     layer.Source
	ring    span
	id      wintype.GUID
	changes int // of all entries
	buf     []byte
}

// read fills buf with the sector at a place of the ring, and returns where that is in the file.
func (j *journal) read(at int64) (int64, error) {
	off := j.ring.off + at%j.ring.n
	if err := layer.ReadFull(j.src, j.buf, off); err != nil {
		return 0, fmt.Errorf("log at 0x%x: %w", off, err)
	}
	return off, nil
}

// entries returns the valid entries in the order of their places. They do not overlap.
func (j *journal) entries() ([]*entry, error) {
	var list []*entry
	for at := int64(0); at < j.ring.n; at += logSector {
		e, err := j.entry(at)
		if err != nil {
			return nil, err
		}
		if e != nil {
			list = append(list, e)
		}
	}
	return list, nil
}

// entry reads the entry that begins at a place, nil when none does or it is torn. It stops at the start of another
// entry: in this way a log is read twice at most, however its entries lie.
func (j *journal) entry(at int64) (*entry, error) {
	off, err := j.read(at)
	if err != nil {
		return nil, err
	}
	e := &entry{entryHeader: decodeEntryHeader(j.buf), at: at}
	e.heads = (logHead + descLen*int64(e.descriptors) + logSector - 1) / logSector
	if !e.plausible(j.id, j.ring.n) {
		return nil, nil
	}
	crc, t := sum(j.buf), crc32.MakeTable(crc32.Castagnoli)
	for s := int64(0); s < int64(e.length)/logSector; s++ {
		if s > 0 {
			if off, err = j.read(at + s*logSector); err != nil {
				return nil, err
			}
			if string(j.buf[:4]) == logMagic {
				return nil, nil
			}
			crc = crc32.Update(crc, t, j.buf)
		}
		if !e.take(j.buf, s, off) {
			return nil, nil
		}
		if j.changes+len(e.changes) > maxChanges {
			return nil, fmt.Errorf("log at 0x%x: more than %d changes: %w", j.ring.off, maxChanges, layer.ErrUnsupported)
		}
	}
	if e.skipZeros(); e.next < len(e.changes) || crc != e.checksum {
		return nil, nil
	}
	j.changes += len(e.changes)
	return e, nil
}

// active returns the entries to be replayed, oldest first: of the runs of entries with rising sequence numbers, the one
// that ends with the highest, from the tail that its last entry names on. A run that does not hold its tail does not
// count.
func (j *journal) active(list []*entry) (best []*entry) {
	byStart := make(map[int64]*entry, len(list))
	for _, e := range list {
		byStart[e.at] = e
	}
	next := func(e *entry) *entry {
		if f := byStart[(e.at+int64(e.length))%j.ring.n]; f != nil && f.sequence == e.sequence+1 {
			return f
		}
		return nil
	}
	inner := make(map[*entry]bool, len(list))
	for _, e := range list {
		inner[next(e)] = true
	}
	for _, e := range list {
		if inner[e] {
			continue
		}
		var chain []*entry
		for ; e != nil; e = next(e) {
			chain = append(chain, e)
		}
		last := chain[len(chain)-1]
		tail := slices.IndexFunc(chain, func(e *entry) bool { return e.at == int64(last.tail) })
		if tail >= 0 && (best == nil || last.sequence > best[len(best)-1].sequence) {
			best = chain[tail:]
		}
	}
	return best
}
