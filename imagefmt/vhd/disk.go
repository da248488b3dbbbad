// Package vhd reads Virtual Hard Disks, the format of Virtual PC, Hyper-V before VHDX (also as .avhd) and Azure: fixed,
// dynamic, and differencing disks with their parents. The format is Microsoft's Virtual Hard Disk Image Format
// Specification 1.0. The size of a disk is the footer's current size, never the rounded geometry.
package vhd

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Disk is the virtual disk, a layer.Mapper: its blocks are extents of the file, the sectors that it does not have are
// extents of its parent, or zeros.
type Disk struct {
	src       layer.Source // up to where the footer begins
	size      int64
	id        wintype.GUID
	created   uint32 // as in the footer
	kind      uint32
	blockSize int64
	bitmapLen int64        // bytes before each block's data, whole sectors
	table     []uint32     // sector of each block; shorter than the disk when the file is cut
	parent    *format.Disk // nil for none

	full    []uint32 // a bit for each block whose bitmap is known to be all ones; atomic
	mu      sync.Mutex
	bitmaps map[int64][]byte // other bitmaps, a bounded number
}

// Open reads the footer, the dynamic header and the block table of the file in src, and opens its parents. A src
// without the magic is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	f, dataEnd, err := readFooter(src, env)
	if err != nil {
		return nil, err
	}
	if f.currentSize > math.MaxInt64 {
		return nil, layer.Corrupt("footer", dataEnd, "disk of 0x%x bytes", f.currentSize)
	}
	data, err := layer.Section(src, 0, dataEnd)
	if err != nil {
		return nil, err
	}
	d := &Disk{src: data, size: int64(f.currentSize), id: f.id, created: f.created, kind: f.diskType}
	switch f.diskType {
	case typeFixed:
		if d.size > dataEnd {
			env.Fault(fmt.Errorf("the file holds 0x%x bytes of the disk, want 0x%x as the footer says: the rest is missing", dataEnd, d.size))
		}
		return d, nil
	case typeDynamic, typeDifferencing:
		return d, d.openDynamic(f, env)
	}
	return nil, fmt.Errorf("disk type %d, want fixed (2), dynamic (3) or differencing (4): %w", f.diskType, layer.ErrUnsupported)
}

func (d *Disk) openDynamic(f footer, env format.Env) error {
	h, err := readHeader(d.src, f, env.Fault)
	if err != nil {
		return err
	}
	d.blockSize = int64(h.blockSize)
	bits := d.blockSize / sectorLen
	d.bitmapLen = (bits/8 + sectorLen - 1) / sectorLen * sectorLen
	if err := d.readTable(h, env); err != nil {
		return err
	}
	d.tellCut(env)
	d.full = make([]uint32, len(d.table)/32+1)
	d.bitmaps = make(map[int64][]byte)
	if d.kind == typeDifferencing {
		d.parent, err = openParent(d.src, h, env)
	}
	return err
}

// readTable reads as many entries of the block table as the disk needs and the file has. Blocks behind them are missing.
func (d *Disk) readTable(h header, env format.Env) error {
	need := uint64(d.size-1)/uint64(d.blockSize) + 1
	if d.size == 0 {
		need = 0
	}
	if need > maxEntries {
		return fmt.Errorf("block table of %d entries, want %d at most: %w", need, maxEntries, layer.ErrUnsupported)
	}
	if h.tableOffset > uint64(d.src.Size()) {
		return layer.Corrupt("dynamic header", 0, "block table at 0x%x, want it within the file of 0x%x bytes", h.tableOffset, d.src.Size())
	}
	have := min(uint64(h.entries), uint64(d.src.Size()-int64(h.tableOffset))/4)
	if have < need {
		env.Fault(fmt.Errorf("block table: %d entries are there, want %d: the end of the disk is missing", have, need))
	}
	b := make([]byte, min(have, need)*4)
	if err := layer.ReadFull(d.src, b, int64(h.tableOffset)); err != nil {
		return fmt.Errorf("block table: %w", err)
	}
	d.table = make([]uint32, len(b)/4)
	for i := range d.table {
		d.table[i] = binary.BigEndian.Uint32(b[i*4:])
	}
	return nil
}

// tellCut tells of blocks that a file which was cut does not have.
func (d *Disk) tellCut(env format.Env) {
	lost, first := 0, int64(0)
	for i, sector := range d.table {
		used := min(d.blockSize, d.size-int64(i)*d.blockSize)
		if sector == unused || int64(sector)*sectorLen+d.bitmapLen+used <= d.src.Size() {
			continue
		}
		if lost++; lost == 1 {
			first = int64(i)
		}
	}
	if lost > 0 {
		env.Fault(fmt.Errorf("the file is cut at 0x%x: %d blocks of 0x%x bytes are missing or not whole, the first at 0x%x of the disk",
			d.src.Size(), lost, d.blockSize, first*d.blockSize))
	}
}

// Size is the size of the virtual disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// ID is the unique id in the footer, by which a child names its parent.
func (d *Disk) ID() wintype.GUID { return d.id }

// Created is when the file was made, to the second; of a differencing disk, when its parent was left as it is. It is the
// zero time when the footer does not tell.
func (d *Disk) Created() time.Time {
	if d.created == 0 {
		return time.Time{}
	}
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(d.created) * time.Second)
}

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }
