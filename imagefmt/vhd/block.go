package vhd

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// bitmapCacheBytes bounds the partly set bitmaps that are kept in memory.
const bitmapCacheBytes = 16 << 20

// block yields [off, off+n), which lies within one block.
func (d *Disk) block(off, n int64, yield func(layer.Extent, error) bool) bool {
	i := off / d.blockSize
	if i >= int64(len(d.table)) {
		return yield(layer.Extent{Off: off, Len: n}, fmt.Errorf("block %d: %w", i, layer.Corrupt("block table", 4*i, "ends before")))
	}
	if d.table[i] == unused {
		return d.absent(off, n, yield)
	}
	data := int64(d.table[i])*sectorLen + d.bitmapLen
	bitmap, err := d.bitmap(i)
	if err != nil {
		return yield(layer.Extent{Off: off, Len: n}, err)
	}
	in := off % d.blockSize
	for end := in + n; in < end; {
		k, set := end-in, true
		if bitmap != nil {
			var sectors int64
			sectors, set = run(bitmap, in/sectorLen)
			k = min(k, (in/sectorLen+sectors)*sectorLen-in)
		}
		more := false
		if set {
			more = yield(layer.Extent{Off: off, Len: k, Base: d.src, BaseOff: data + in}, nil)
		} else {
			more = d.absent(off, k, yield)
		}
		if !more {
			return false
		}
		in, off = in+k, off+k
	}
	return true
}

// absent yields what the disk has where the file has nothing: its parent, and zeros past the parent's end. By the
// specification this is also so for a clear bit in the bitmap of a dynamic disk; QEMU alone ignores those.
func (d *Disk) absent(off, n int64, yield func(layer.Extent, error) bool) bool {
	if d.parent != nil {
		if k := layer.Clip(d.parent.size, off, n); k > 0 {
			if !yield(layer.Extent{Off: off, Len: k, Base: d.parent, BaseOff: off}, nil) {
				return false
			}
			off, n = off+k, n-k
		}
	}
	return n == 0 || yield(layer.Extent{Off: off, Len: n, Kind: layer.Zero}, nil)
}

// bitmap returns the sectors that block i has: a bit for each, the first the highest of the first byte; nil for all.
func (d *Disk) bitmap(i int64) ([]byte, error) {
	word, bit := &d.full[i/32], uint32(1)<<(i%32)
	if atomic.LoadUint32(word)&bit != 0 {
		return nil, nil
	}
	d.mu.Lock()
	b := d.bitmaps[i]
	d.mu.Unlock()
	if b != nil {
		return b, nil
	}
	b = make([]byte, (d.blockSize/sectorLen+7)/8)
	at := int64(d.table[i]) * sectorLen
	if layer.Clip(d.src.Size(), at, d.bitmapLen) < d.bitmapLen {
		return nil, fmt.Errorf("block %d: %w", i, layer.Corrupt("sector bitmap", at, "past the end of the data at 0x%x", d.src.Size()))
	}
	if err := layer.ReadFull(d.src, b, at); err != nil {
		return nil, fmt.Errorf("block %d: sector bitmap at 0x%x: %w", i, at, err)
	}
	if n, set := run(b, 0); set && n*sectorLen >= d.blockSize {
		atomic.OrUint32(word, bit)
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if int64(len(d.bitmaps)+1)*int64(len(b)) > bitmapCacheBytes {
		clear(d.bitmaps)
	}
	d.bitmaps[i] = b
	return b, nil
}

// run counts the bits from at on that equal the bit at at.
func run(b []byte, at int64) (n int64, set bool) {
	set = b[at/8]<<(at%8)&0x80 != 0
	var flip byte
	if set {
		flip = 0xff
	}
	n = int64(bits.LeadingZeros8((b[at/8] ^ flip) << (at % 8)))
	if left := 8 - at%8; n < left {
		return n, set
	} else {
		n = left
	}
	for _, c := range b[at/8+1:] {
		k := int64(bits.LeadingZeros8(c ^ flip))
		if n += k; k < 8 {
			break
		}
	}
	return n, set
}
