package vhdx

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"snapmount/imagefmt/layer"
)

// States of payload blocks. Of these, a sector bitmap block has notPresent and fullyPresent.
const (
	notPresent       = 0 // the parent's
	undefined        = 1
	zero             = 2
	unmapped         = 3
	fullyPresent     = 6
	partiallyPresent = 7
)

const (
	entryState    = 0x7
	entryReserved = 0xffff8
	entryOffset   = math.MaxUint64 - (mib - 1)

	pieceLen      = 64 << 10 // bytes of the block allocation table that are read at once
	batCacheBytes = 32 << 20

	chunkBits      = 23 // log2 of the sectors in a sector bitmap block, which has 1 MiB
	pageLen        = 4 << 10
	pageBits       = 15 // log2 of the sectors in a page
	pageCacheBytes = 16 << 20

	maxCutCheck = 64 // pieces of the table that Open looks at for blocks behind the end of the file
)

// piece is a part of the block allocation table. Immutable.
type piece struct {
	index   int64
	entries []uint64 // fewer where the table ends
}

// page is a part of the sector bitmap: a bit for each sector, the first the lowest of the first word. Immutable.
type page struct {
	index int64
	words []uint64
}

// batNeeds is how many bytes of the table describe the whole disk.
func (d *Disk) batNeeds(hasParent bool) int64 {
	if d.size == 0 {
		return 0
	}
	last := d.entryOf((d.size - 1) >> d.blockBits)
	if hasParent {
		last = d.bitmapEntryOf((d.size - 1) >> d.blockBits >> d.ratioBits)
	}
	return 8 * (last + 1)
}

// entryOf is the number of a payload block's entry: behind those of each chunk stands one for its sector bitmap.
func (d *Disk) entryOf(block int64) int64 { return block + block>>d.ratioBits }

// bitmapEntryOf is the number of the entry of a chunk's sector bitmap.
func (d *Disk) bitmapEntryOf(chunk int64) int64 { return (chunk+1)<<d.ratioBits + chunk }

// entries returns the entries of the table from number i on, as many as are in its piece.
func (d *Disk) entries(i int64) ([]uint64, error) {
	const perPiece = pieceLen / 8
	if 8*i >= d.bat.n {
		return nil, layer.Cut("block allocation table", d.bat.off+8*i, 8, d.bat.off+d.bat.n)
	}
	index := i / perPiece
	slot := &d.pieces[index%int64(len(d.pieces))]
	p := slot.Load()
	if p == nil || p.index != index {
		at := d.bat.off + index*pieceLen
		b := make([]byte, layer.Clip(d.bat.n, index*pieceLen, pieceLen))
		if err := layer.ReadFull(d.src, b, at); err != nil {
			return nil, fmt.Errorf("block allocation table at 0x%x: %w", at, err)
		}
		p = &piece{index, words(b)}
		slot.Store(p)
	}
	return p.entries[i%perPiece:], nil
}

func words(b []byte) []uint64 {
	w := make([]uint64, len(b)/8)
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return w
}

// At implements layer.Mapper.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	block, in := off>>d.blockBits, off&(1<<d.blockBits-1)
	rest := min(n, 1<<d.blockBits-in)
	i := d.entryOf(block)
	list, err := d.entries(i)
	if err != nil {
		if layer.IsMissing(err) { // what follows is behind the end of the table too
			return layer.Extent{Off: off, Len: n}.Lost(layer.Missing), nil
		}
		return layer.Extent{Off: off, Len: rest}, fmt.Errorf("block %d: %w", block, err)
	}
	entry := list[0]
	state := entry & entryState
	if state <= unmapped && entry&entryReserved == 0 {
		// Large disks are mostly empty: the blocks that are alike in the same chunk are one extent.
		inChunk := int64(1)<<d.ratioBits - block&(1<<d.ratioBits-1)
		for j := 1; rest < n && j < len(list) && int64(j) < inChunk && list[j]&(entryState|entryReserved) == state; j++ {
			rest += min(n-rest, 1<<d.blockBits)
		}
		if state == notPresent {
			return d.absent(off, rest), nil
		}
		return layer.Extent{Off: off, Len: rest, Kind: layer.Zero}, nil
	}
	data, err := d.place(entry, i, 1<<d.blockBits)
	switch {
	case err == nil && state == fullyPresent:
		return layer.Extent{Off: off, Len: rest, Base: d.src, BaseOff: data + in}, nil
	case err == nil && state == partiallyPresent && d.parent != nil:
		return d.partial(off, rest, data+in)
	case err == nil:
		err = d.badEntry(entry, i, "state %d does not belong to this disk", state)
	}
	return layer.Extent{Off: off, Len: rest}, fmt.Errorf("block %d: %w", block, err)
}

// place returns where the block of n bytes is that entry number i names. It cannot be where the file has something else.
func (d *Disk) place(entry uint64, i, n int64) (int64, error) {
	off := entry & entryOffset
	if entry&entryReserved != 0 {
		return 0, d.badEntry(entry, i, "reserved bits are set")
	}
	if off > uint64(math.MaxInt64-n) {
		return 0, d.badEntry(entry, i, "the block ends past 2^63")
	}
	for _, t := range d.taken {
		if t.n > 0 && off < uint64(t.off+t.n) && uint64(t.off) < off+uint64(n) {
			return 0, d.badEntry(entry, i, "the block lies over 0x%x bytes at 0x%x that are not its own", t.n, t.off)
		}
	}
	return int64(off), nil
}

func (d *Disk) badEntry(entry uint64, i int64, format string, args ...any) error {
	return layer.Corrupt("block allocation table", d.bat.off+8*i, "entry 0x%x: %w", entry, fmt.Errorf(format, args...))
}

// absent is what the disk has where the file has nothing: its parent, and zeros past the parent's end.
func (d *Disk) absent(off, n int64) layer.Extent {
	if d.parent != nil {
		if k := layer.Clip(d.parent.Size(), off, n); k > 0 {
			return layer.Extent{Off: off, Len: k, Base: d.parent.Source, BaseOff: off}
		}
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}
}

// partial is At in a block of which the file has some sectors; data is where it has the first byte.
func (d *Disk) partial(off, n, data int64) (layer.Extent, error) {
	sector := off >> d.sectorBits
	p, err := d.page(sector >> pageBits)
	if err != nil {
		e := layer.Extent{Off: off, Len: min(n, (sector>>pageBits+1)<<(pageBits+d.sectorBits)-off)}
		if layer.IsMissing(err) {
			return e.Lost(layer.Missing), nil
		}
		return e, err
	}
	alike, set := run(p.words, sector&(1<<pageBits-1))
	n = min(n, (sector+alike)<<d.sectorBits-off)
	if !set {
		return d.absent(off, n), nil
	}
	return layer.Extent{Off: off, Len: n, Base: d.src, BaseOff: data}, nil
}

// page returns a page of the sector bitmap.
func (d *Disk) page(index int64) (*page, error) {
	slot := &d.pages[index%int64(len(d.pages))]
	if p := slot.Load(); p != nil && p.index == index {
		return p, nil
	}
	const perChunk = 1 << (chunkBits - pageBits)
	chunk := index / perChunk
	i := d.bitmapEntryOf(chunk)
	list, err := d.entries(i)
	if err != nil {
		return nil, fmt.Errorf("sector bitmap %d: %w", chunk, err)
	}
	at, err := d.place(list[0], i, mib)
	if err == nil && list[0]&entryState != fullyPresent {
		err = d.badEntry(list[0], i, "the sector bitmap of a partially present block is not there")
	}
	if err != nil {
		return nil, fmt.Errorf("sector bitmap %d: %w", chunk, err)
	}
	at += index % perChunk * pageLen
	if layer.Clip(d.src.Size(), at, pageLen) < pageLen {
		return nil, layer.Cut("sector bitmap", at, pageLen, d.src.Size())
	}
	b := make([]byte, pageLen)
	if err := layer.ReadFull(d.src, b, at); err != nil {
		return nil, fmt.Errorf("sector bitmap at 0x%x: %w", at, err)
	}
	p := &page{index, words(b)}
	slot.Store(p)
	return p, nil
}

// run counts the bits from at on that equal the bit at at.
func run(w []uint64, at int64) (n int64, set bool) {
	i, in := at/64, at%64
	set = w[i]>>in&1 != 0
	var flip uint64
	if set {
		flip = math.MaxUint64
	}
	n = int64(bits.TrailingZeros64((w[i] ^ flip) >> in))
	if n < 64-in {
		return n, set
	}
	n = 64 - in
	for _, v := range w[i+1:] {
		k := int64(bits.TrailingZeros64(v ^ flip))
		if n += k; k < 64 {
			break
		}
	}
	return n, set
}

// tellCut tells of blocks that a file cut short does not have. It looks at a bounded part of a large table.
func (d *Disk) tellCut(fault func(error)) {
	lost, blocks := 0, (d.size+1<<d.blockBits-1)>>d.blockBits
	for block := int64(0); block < blocks && d.entryOf(block) < maxCutCheck*pieceLen/8; {
		list, err := d.entries(d.entryOf(block))
		if err != nil {
			break // the table ends, or cannot be read
		}
		inChunk := int64(1)<<d.ratioBits - block&(1<<d.ratioBits-1)
		for _, entry := range list[:min(int64(len(list)), inChunk, blocks-block)] {
			used := min(1<<d.blockBits, d.size-block<<d.blockBits)
			if entry&entryState >= fullyPresent && entry&entryOffset+uint64(used) > uint64(d.src.Size()) {
				lost++
			}
			block++
		}
	}
	if lost > 0 {
		fault(fmt.Errorf("file is cut short at 0x%x: %d blocks or more are lost with what came behind", d.src.Size(), lost))
	}
}
