package ntfs

import (
	"bytes"
	"errors"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

const (
	// readAhead is how much of the $MFT, or of an index, is read at once when it is read in sequence.
	readAhead = 64 << 10
	// mirrored is how many records $MFTMirr holds at least.
	mirrored = 4
)

// A fileRecord is a record of the $MFT with its fixups applied and its header checked.
type fileRecord struct {
	ref   Ref
	lsn   uint64
	base  Ref // of the file this is an extension of; zero in a base record
	flags uint16
	attrs []byte // the attributes, to the end of the used part
	off   int64  // of the record, in the $MFT
	first int    // of attrs, in the record
}

// decodeRecord decodes a record whose fixups are applied. off is where it lies in the $MFT.
func decodeRecord(b []byte, number uint64, off int64) (r fileRecord, err error) {
	err = r.decode(b, number, off)
	return r, err
}

// decode is decodeRecord in place, because whole volumes are read record by record.
func (r *fileRecord) decode(b []byte, number uint64, off int64) error {
	var h layout.FileRecord
	h.Decode(b)
	*r = fileRecord{ref: Ref{Record: number, Seq: h.Seq}, lsn: h.LSN, base: decodeRef(h.Base), flags: h.Flags, off: off, first: int(h.First)}
	if uint64(h.Used) > uint64(len(b)) || uint32(h.First) > h.Used || h.First < 40 {
		return layer.Corrupt("file record", off, "attributes from 0x%x to 0x%x of 0x%x bytes", h.First, h.Used, len(b))
	}
	r.attrs = b[h.First:h.Used]
	if r.base == (Ref{}) {
		return nil
	}
	return r.checkExtension()
}

// A chunk is a part of the $MFT, 4 KiB or one record, with all fixups applied. errs is nil when every record is sound.
type chunk struct {
	number uint64 // it is the part of that number
	data   []byte
	errs   []error // by record of the chunk
}

// recentChunks is how many chunks a Tree has at hand: files that are used together have records together, and to find
// what is shared by all trees takes longer than to decode a record.
const recentChunks = 8

func (c *chunk) cost() int { return len(c.data) }

// record returns the checked record of that number, in use or not. What it returns aliases the cache.
func (t *Tree) record(number uint64) (fileRecord, error) {
	if number >= t.records {
		return fileRecord{}, fmt.Errorf("record %d of %d: %w", number, t.records, ErrStale)
	}
	perChunk := max(4<<10/uint64(t.geo.record), 1)
	k := number / perChunk
	slot := &t.recent[k%recentChunks]
	c := slot.Load()
	if c == nil || c.number != k {
		c = t.chunk(k, perChunk)
		if t.cache != nil {
			slot.Store(c)
		}
	}
	var r fileRecord
	err := c.record(t, number, number%perChunk, &r)
	return r, err
}

// record decodes and checks record at of the chunk, the one of that number.
func (c *chunk) record(t *Tree, number, at uint64, r *fileRecord) error {
	if c.errs != nil && c.errs[at] != nil {
		*r = fileRecord{}
		return c.errs[at]
	}
	size := uint64(t.geo.record)
	return r.decode(c.data[at*size:][:size], number, int64(number*size))
}

func (t *Tree) chunkKey(k, size int64) key {
	off, record := k*size, int64(t.geo.record)
	n := layer.Clip(int64(t.records)*record, off, size)
	if off < mirrored*record { // what $MFTMirr may have helped with is of this tree alone
		return key{kind: keptRecords, base: t, off: off, n: n}
	}
	return t.place(keptRecords, t.mft, off, n, off+record, 0) // records of that size, from that one on
}

// chunk returns chunk k, from the cache or read, and reads those after it too when the one before it is there.
func (t *Tree) chunk(k, perChunk uint64) *chunk {
	size := int64(perChunk) * int64(t.geo.record)
	at := t.chunkKey(int64(k), size)
	if c, ok := load[*chunk](t.cache, at); ok {
		return c
	}
	n := size
	if k > 0 {
		if _, ok := load[*chunk](t.cache, t.chunkKey(int64(k)-1, size)); ok {
			n = max(readAhead, size)
		}
	}
	off := int64(k) * size
	all := &chunk{number: k, data: make([]byte, layer.Clip(int64(t.records)*int64(t.geo.record), off, n))}
	t.readRecords(all, off)
	if n == size {
		t.cache.store(at, all)
		return all
	}
	var first *chunk
	for i := 0; len(all.data) > 0; i++ {
		part := min(int(size), len(all.data))
		c := &chunk{number: k + uint64(i), data: bytes.Clone(all.data[:part])} // each is kept and dropped by itself
		all.data = all.data[part:]
		if all.errs != nil {
			records := part / t.geo.record
			c.errs, all.errs = all.errs[:records], all.errs[records:]
		}
		t.cache.store(t.chunkKey(int64(k)+int64(i), size), c)
		if i == 0 {
			first = c
		}
	}
	return first
}

// readRecords fills c.data with the records at off of the $MFT. What fails stays the error of its own record.
func (t *Tree) readRecords(c *chunk, off int64) {
	size := int64(t.geo.record)
	c.errs = nil
	whole := layer.ReadFull(t.mft, c.data, off) == nil
	for at := int64(0); at < int64(len(c.data)); at += size {
		b := c.data[at:][:size]
		var err error
		if !whole {
			err = layer.ReadFull(t.mft, b, off+at)
		}
		if err == nil {
			err = layout.Protected(b, layout.FileMagic, "file record", off+at)
		}
		if off+at < mirrored*size && (err != nil || off+at == 0 && t.mirrored) {
			err = t.fromMirror(b, (off+at)/size, err)
		}
		if err != nil {
			if c.errs == nil {
				c.errs = make([]error, int64(len(c.data))/size)
			}
			c.errs[at/size] = err
		}
	}
}

// fromMirror reads record number from $MFTMirr, because of what is wrong with the one in $MFT.
func (t *Tree) fromMirror(b []byte, number int64, reason error) error {
	if t.geo.mirror == 0 {
		return reason
	}
	at := t.geo.mirror*int64(t.geo.cluster) + number*int64(t.geo.record)
	err := layer.ReadFull(t.src, b, at)
	if err == nil {
		err = layout.Protected(b, layout.FileMagic, "file record in $MFTMirr", at)
	}
	if err != nil {
		return errors.Join(reason, err)
	}
	if reason != nil {
		t.warn(fmt.Errorf("$MFT record %d is unusable, $MFTMirr is used: %w", number, reason))
	}
	return nil
}
