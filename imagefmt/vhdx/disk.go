// Package vhdx reads the virtual hard disks of Hyper-V since Windows Server 2012: fixed, dynamic, and differencing disks
// (also as .avhdx) with their parents. The format is Microsoft's [MS-VHDX]. A file that was not closed is shown as it
// is after the replay of its log, which happens in memory.
package vhdx

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Disk is the virtual disk, a layer.Mapper: its blocks are extents of the file, or of the file as replayed; what it
// does not have is its parent's, or zeros.
type Disk struct {
	src        layer.Source
	size       int64
	id         wintype.GUID
	blockBits  int
	sectorBits int
	ratioBits  int          // log2 of the payload blocks that a sector bitmap block describes
	bat        span         // the part of the block allocation table that the disk needs and the file has
	taken      []span       // where no block can be
	parent     *format.Disk // nil for none

	pieces []atomic.Pointer[piece] // of the block allocation table, by number modulo length
	pages  []atomic.Pointer[page]  // of sector bitmaps, likewise; differencing disks only
}

// Open reads the headers, the log where it is not empty, the region table and the metadata of the file in src, and
// opens its parents. A src without the magic is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	warn := env.Warn
	h, err := readHeader(src, warn)
	if err != nil {
		return nil, err
	}
	if src, err = replay(src, h, env); err != nil {
		return nil, err
	}
	table, where, err := readRegions(src, warn)
	if err != nil {
		return nil, err
	}
	m, err := readMetadata(src, where)
	if err != nil {
		return nil, err
	}
	d := &Disk{
		src: src, size: m.size, id: h.dataWrite,
		blockBits: bits.TrailingZeros64(uint64(m.blockSize)), sectorBits: bits.TrailingZeros64(uint64(m.sectorSize)),
		taken: []span{{0, mib}, table, where},
	}
	if ring, err := megabytes(h.logOff, h.logLen); err == nil {
		d.taken = append(d.taken, ring)
	}
	d.ratioBits = chunkBits + d.sectorBits - d.blockBits
	need := d.batNeeds(m.hasParent)
	d.bat = span{table.off, min(need, layer.Clip(src.Size(), table.off, table.n)) &^ 7}
	d.pieces = make([]atomic.Pointer[piece], min(batCacheBytes/pieceLen, d.bat.n/pieceLen+1))
	if d.bat.n < need {
		env.Fault(fmt.Errorf("block allocation table: 0x%x bytes are there, want 0x%x: the end of the disk is missing", d.bat.n, need))
	}
	d.tellCut(env.Fault)
	if m.hasParent {
		d.pages = make([]atomic.Pointer[page], min(pageCacheBytes/pageLen, d.size>>(pageBits+d.sectorBits)+1))
		d.parent, err = openParent(m.locator, env)
	}
	return d, err
}

// Size is the size of the virtual disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// ID is the data write identifier in the header, by which a child names its parent.
func (d *Disk) ID() wintype.GUID { return d.id }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

// Extents implements layer.Mapper.
