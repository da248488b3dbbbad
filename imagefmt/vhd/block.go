package vhd

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// bitmapCacheBytes bounds the partly set bitmaps that are kept in memory.
const bitmapCacheBytes = 16 << 20

// At implements layer.Mapper. Blocks that are not there are joined.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	if d.kind == typeFixed {
		return layer.Extent{Off: off, Len: n, Base: d.src, BaseOff: off}, nil
	}
	i, in := off/d.blockSize, off%d.blockSize
	e := layer.Extent{Off: off, Len: min(n, d.blockSize-in)}
	if i >= int64(len(d.table)) {
		e.Len = n
		return e.Lost(layer.Missing), nil
	}
	if d.table[i] == unused {
		for j := i + 1; e.Len < n && j < int64(len(d.table)) && d.table[j] == unused; j++ {
			e.Len += min(n-e.Len, d.blockSize)
		}
		return d.absent(off, e.Len), nil
	}
	bitmap, err := d.bitmap(i)
	switch {
	case layer.IsMissing(err):
		return e.Lost(layer.Missing), nil
	case err != nil:
		return e, err
	}
	if bitmap != nil {
		sectors, set := run(bitmap, in/sectorLen)
		e.Len = min(e.Len, (in/sectorLen+sectors)*sectorLen-in)
		if !set {
			return d.absent(off, e.Len), nil
		}
	}
	e.Base, e.BaseOff = d.src, int64(d.table[i])*sectorLen+d.bitmapLen+in
	return e, nil
}

// absent is what the disk has where the file has nothing: its parent, and zeros past the parent's end. By the
// specification this is also so for a clear bit in the bitmap of a dynamic disk; QEMU alone ignores those.
func (d *Disk) absent(off, n int64) layer.Extent {
	if d.parent != nil {
		if k := layer.Clip(d.parent.Size(), off, n); k > 0 {
			return layer.Extent{Off: off, Len: k, Base: d.parent.Source, BaseOff: off}
		}
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}
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
		return nil, layer.Cut("sector bitmap", at, d.bitmapLen, d.src.Size())
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
