package qcow2

import (
	"fmt"
	"iter"
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

// table is one L2 table; with subclusters each entry is two words. Immutable.
type table struct {
	index int64 // of its L1 entry
	off   int64 // bytes, in the file
	words []uint64
}

// part is the range of one cluster that is asked for.
type part struct {
	off, n  int64 // of the disk
	in      int64 // where it begins in its cluster
	entryAt int64 // offset of the L2 entry in the file
}

type yieldFunc = func(layer.Extent, error) bool

// Extents implements layer.Mapper.
func (d *Disk) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	return layer.Coalesce(func(yield yieldFunc) {
		span := int64(1) << (d.clusterBits + d.l2Bits)
		end := off + layer.Clip(d.size, off, n)
		for more := true; more && off < end; {
			i := off / span
			k := min(end-off, span-off%span)
			if d.l1[i]&^entryCopied == 0 {
				for i++; off+k < end && d.l1[i]&^entryCopied == 0; i++ {
					k += min(end-off-k, span)
				}
				more = d.absent(off, k, yield)
			} else if t, err := d.table(i); err != nil {
				more = yield(layer.Extent{Off: off, Len: k}, err)
			} else {
				more = d.clusters(t, off, off+k, yield)
			}
			off += k
		}
	})
}

// table returns the L2 table of L1 entry i, from memory when it is there.
func (d *Disk) table(i int64) (*table, error) {
	slot := &d.tables[i%int64(len(d.tables))]
	if t := slot.Load(); t != nil && t.index == i {
		return t, nil
	}
	entry := d.l1[i]
	size := int64(1) << d.clusterBits
	off := int64(entry & entryOffset)
	if entry&^(entryOffset|entryCopied) != 0 || off == 0 || off%size != 0 {
		return nil, layer.Corrupt("L1 entry", d.l1Off+8*i, "0x%x, want the offset of a cluster", entry)
	}
	if layer.Clip(d.src.Size(), off, size) < size {
		return nil, layer.Corrupt("L2 table", off, "past the end of the file of 0x%x bytes", d.src.Size())
	}
	b := make([]byte, size)
	if err := layer.ReadFull(d.src, b, off); err != nil {
		return nil, fmt.Errorf("L2 table at 0x%x: %w", off, err)
	}
	t := &table{i, off, bigEndianWords(b)}
	slot.Store(t)
	return t, nil
}

// clusters yields [off, end), which lies within t.
func (d *Disk) clusters(t *table, off, end int64, yield yieldFunc) bool {
	size := int64(1) << d.clusterBits
	mask := int64(1)<<d.l2Bits - 1
	for off < end {
		p := part{off: off, in: off & (size - 1)}
		p.n = min(end-off, size-p.in)
		i := off >> d.clusterBits & mask
		more := false
		if d.extended {
			p.entryAt = t.off + 16*i
			more = d.subclusters(t.words[2*i], t.words[2*i+1], p, yield)
		} else {
			p.entryAt = t.off + 8*i
			more = d.cluster(t.words[i], p, yield)
		}
		if !more {
			return false
		}
		off += p.n
	}
	return true
}

// cluster yields the part of the cluster that a plain entry describes.
func (d *Disk) cluster(entry uint64, p part, yield yieldFunc) bool {
	if entry&entryCompressed != 0 {
		if d.data != d.src {
			return yield(layer.Extent{Off: p.off, Len: p.n}, layer.Corrupt("L2 entry", p.entryAt, "a compressed cluster beside an external data file"))
		}
		return yield(layer.Extent{Off: p.off, Len: p.n, Base: d.unpacked, BaseOff: p.off}, nil)
	}
	allowed := uint64(entryOffset | entryCopied)
	if d.version >= 3 {
		allowed |= entryZero
	}
	host, err := d.host(entry, allowed, p)
	switch {
	case err != nil:
		return yield(layer.Extent{Off: p.off, Len: p.n}, err)
	case entry&entryZero != 0:
		return yield(layer.Extent{Off: p.off, Len: p.n, Kind: layer.Zero}, nil)
	case !d.allocated(entry):
		return d.absent(p.off, p.n, yield)
	}
	return yield(layer.Extent{Off: p.off, Len: p.n, Base: d.data, BaseOff: host + p.in}, nil)
}

// allocated reports whether an entry has a cluster. The first one of an external data file is at 0, and is told by its
// reference count.
func (d *Disk) allocated(entry uint64) bool {
	return entry&entryOffset != 0 || d.data != d.src && entry&entryCopied != 0
}

// host returns the offset of an entry's cluster where clusters are, 0 when it has none, after checking the entry.
func (d *Disk) host(entry, allowed uint64, p part) (int64, error) {
	host := int64(entry & entryOffset)
	if entry&^allowed != 0 || host&(1<<d.clusterBits-1) != 0 {
		return 0, layer.Corrupt("L2 entry", p.entryAt, "0x%x, want the offset of a cluster and no reserved bits", entry)
	}
	return host, nil
}

// subclusters is cluster for an extended entry, whose second word has a bit "allocated" (low half) and a bit "reads as
// zeros" (high half) for each of 32 subclusters.
func (d *Disk) subclusters(entry, bitmap uint64, p part, yield yieldFunc) bool {
	if entry&entryCompressed != 0 {
		return d.cluster(entry, p, yield)
	}
	host, err := d.host(entry, entryOffset|entryCopied, p)
	alloc, zero := uint32(bitmap), uint32(bitmap>>32)
	if err == nil && (alloc&zero != 0 || !d.allocated(entry) && alloc != 0) {
		err = layer.Corrupt("L2 entry", p.entryAt,
			"0x%x with subclusters 0x%016x, want each allocated or zero, and none allocated without a cluster", entry, bitmap)
	}
	if err != nil {
		return yield(layer.Extent{Off: p.off, Len: p.n}, err)
	}
	sub := int64(1) << (d.clusterBits - 5)
	for off, in, end := p.off, p.in, p.in+p.n; in < end; {
		i := in / sub
		same := min(run(alloc>>i), run(zero>>i)) // as many as are alike, in one extent
		k := min(end, (i+int64(same))*sub) - in
		more := false
		switch {
		case alloc>>i&1 != 0:
			more = yield(layer.Extent{Off: off, Len: k, Base: d.data, BaseOff: host + in}, nil)
		case zero>>i&1 != 0:
			more = yield(layer.Extent{Off: off, Len: k, Kind: layer.Zero}, nil)
		default:
			more = d.absent(off, k, yield)
		}
		if !more {
			return false
		}
		in, off = in+k, off+k
	}
	return true
}

// run counts how many of the lowest bits equal bit 0; what was shifted in counts as clear.
func run(b uint32) int {
	if b&1 != 0 {
		return bits.TrailingZeros32(^b)
	}
	return bits.TrailingZeros32(b)
}

// absent yields what the disk has where the image has nothing: the backing file, and zeros past its end.
func (d *Disk) absent(off, n int64, yield yieldFunc) bool {
	if d.backing != nil {
		if k := layer.Clip(d.backing.Size(), off, n); k > 0 {
			if !yield(layer.Extent{Off: off, Len: k, Base: d.backing, BaseOff: off}, nil) {
				return false
			}
			off, n = off+k, n-k
		}
	}
	return n == 0 || yield(layer.Extent{Off: off, Len: n, Kind: layer.Zero}, nil)
}
