package qcow2

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"snapmount/imagefmt/layer"
)

// Bits of L1 and L2 entries.
const (
	entryOffset     = 0x00fffffffffffe00 // where the table or the cluster is
	entryCopied     = 1 << 63            // its reference count is one: of no use to a reader
	entryCompressed = 1 << 62            // L2 only
	entryZero       = 1 << 0             // L2 only, version 3, not with subclusters
)

// pieceLenBits is log2 of the bytes of an L2 table that are read at once; all of it where a cluster is shorter.
const pieceLenBits = 14

// piece is a part of an L2 table, big-endian; with subclusters each entry is two words. Immutable.
type piece struct {
	index int64 // on the disk
	off   int64 // bytes, in the file
	data  []byte
}

// At implements layer.Mapper. Clusters of one piece that follow each other in the file are one extent.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	span := int64(1) << (d.clusterBits + d.l2Bits)
	i, k := off/span, min(n, span-off%span)
	switch {
	case i >= int64(len(d.l1)):
		return layer.Extent{Off: off, Len: n}.Lost(layer.Missing), nil
	case d.l1[i]&^entryCopied == 0:
		for i++; k < n && i < int64(len(d.l1)) && d.l1[i]&^entryCopied == 0; i++ {
			k += min(n-k, span)
		}
		return d.absent(off, k), nil
	}
	at, err := d.table(i)
	if err != nil {
		return layer.Extent{Off: off, Len: k}, err
	}
	span = 1 << (d.clusterBits + d.pieceBits)
	k = min(n, span-off%span)
	t, err := d.piece(at, off/span)
	if err != nil {
		return layer.Extent{Off: off, Len: k}, err
	}
	e, err := d.cluster(t, off, k)
	if layer.IsMissing(err) {
		return e.Lost(layer.Missing), nil
	}
	for err == nil && e.Len < k {
		next, err := d.cluster(t, off+e.Len, k-e.Len)
		if err != nil || next.Kind != e.Kind || next.Base != e.Base || e.Base != nil && next.BaseOff != e.BaseOff+e.Len {
			break
		}
		e.Len += next.Len
	}
	return e, err
}

// table returns where the L2 table of L1 entry i is.
func (d *Disk) table(i int64) (int64, error) {
	entry := d.l1[i]
	size := int64(1) << d.clusterBits
	off := int64(entry & entryOffset)
	if entry&^(entryOffset|entryCopied) != 0 || off == 0 || off%size != 0 {
		return 0, layer.Corrupt("L1 entry", d.l1Off+8*i, "0x%x, want the offset of a cluster", entry)
	}
	return off, nil
}

// piece returns piece number index of the disk, of the table at that offset, from memory when it is there.
func (d *Disk) piece(table, index int64) (*piece, error) {
	slot := &d.pieces[index%int64(len(d.pieces))]
	if t := slot.Load(); t != nil && t.index == index {
		return t, nil
	}
	size := int64(1) << min(pieceLenBits, d.clusterBits)
	off := table + index&(1<<(d.l2Bits-d.pieceBits)-1)*size
	b := make([]byte, layer.Clip(d.src.Size(), off, size)&^15)
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return nil, fmt.Errorf("L2 table at 0x%x: %w", off, err)
	}
	t := &piece{index, off, b}
	slot.Store(t)
	return t, nil
}

// cluster returns what is at off, and as much of its cluster behind it, n bytes at most, as is in the same place.
func (d *Disk) cluster(t *piece, off, n int64) (layer.Extent, error) {
	size := int64(1) << d.clusterBits
	in, i := off&(size-1), off>>d.clusterBits&(1<<d.pieceBits-1)
	e := layer.Extent{Off: off, Len: min(n, size-in)}
	entry, bitmap, entryAt, err := d.entry(t, i)
	if err != nil {
		return e, err
	}
	if entry&entryCompressed != 0 {
		if d.data != d.src {
			return e, layer.Corrupt("L2 entry", entryAt, "a compressed cluster beside an external data file")
		}
		if at, _ := d.packed(entry); at >= d.src.Size() {
			return e, layer.Cut("compressed cluster", at, 1, d.src.Size())
		}
		e.Base, e.BaseOff = d.unpacked, off
		return e, nil
	}
	alloc, zero, err := d.parts(entry, bitmap, entryAt)
	if err != nil {
		return e, err
	}
	partBits := d.clusterBits - 5
	part := in >> partBits
	same := int64(min(run(alloc>>part), run(zero>>part)))
	e.Len = min(e.Len, (part+same)<<partBits-in)
	switch {
	case alloc>>part&1 != 0:
		e.Base, e.BaseOff = d.data, int64(entry&entryOffset)+in
	case zero>>part&1 != 0:
		e.Kind = layer.Zero
	default:
		return d.absent(off, e.Len), nil
	}
	return e, nil
}

// entry returns entry i of a piece, its second word if it has one, and where it is in the file.
func (d *Disk) entry(t *piece, i int64) (entry, bitmap uint64, at int64, err error) {
	be, n := binary.BigEndian, int64(8)
	if d.extended {
		n = 16
	}
	b := t.data[min(n*i, int64(len(t.data))):]
	switch at = t.off + n*i; {
	case int64(len(b)) < n:
		return 0, 0, at, layer.Cut("L2 entry", at, n, d.src.Size())
	case d.extended:
		return be.Uint64(b), be.Uint64(b[8:]), at, nil
	}
	return be.Uint64(b), 0, at, nil
}

// parts checks an entry, and tells of the 32 parts of its cluster which are in the file and which read as zeros. An
// extended entry has a bit for each in its second word, the low half and the high half; else all parts are alike.
func (d *Disk) parts(entry, bitmap uint64, entryAt int64) (alloc, zero uint32, err error) {
	allowed := uint64(entryOffset | entryCopied)
	if d.version >= 3 && !d.extended {
		allowed |= entryZero
	}
	// The first cluster of an external data file is at 0, and is told by its reference count.
	allocated := entry&entryOffset != 0 || d.data != d.src && entry&entryCopied != 0
	switch {
	case entry&^allowed != 0 || entry&entryOffset&(1<<d.clusterBits-1) != 0:
		return 0, 0, layer.Corrupt("L2 entry", entryAt, "0x%x, want the offset of a cluster and no reserved bits", entry)
	case d.extended:
		alloc, zero = uint32(bitmap), uint32(bitmap>>32)
		if alloc&zero != 0 || !allocated && alloc != 0 {
			return 0, 0, layer.Corrupt("L2 entry", entryAt,
				"0x%x with subclusters 0x%016x, want each allocated or zero, and none allocated without a cluster", entry, bitmap)
		}
	case entry&entryZero != 0:
		zero = math.MaxUint32
	case allocated:
		alloc = math.MaxUint32
	}
	return alloc, zero, nil
}

// run counts how many of the lowest bits equal bit 0; what was shifted in counts as clear.
func run(b uint32) int {
	if b&1 != 0 {
		return bits.TrailingZeros32(^b)
	}
	return bits.TrailingZeros32(b)
}

// absent is what the disk has where the image has nothing: the backing file, and zeros past its end.
func (d *Disk) absent(off, n int64) layer.Extent {
	if d.backing != nil {
		if k := layer.Clip(d.backing.Size(), off, n); k > 0 {
			return layer.Extent{Off: off, Len: k, Base: d.backing.Source, BaseOff: off}
		}
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}
}
