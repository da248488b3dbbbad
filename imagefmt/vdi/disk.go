// Package vdi reads the disk images of VirtualBox, version 1.1: dynamic, fixed, and differencing ones with their parents.
package vdi

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// ErrOtherDisk says that a file was opened as the parent whose image UUID is not the parent's.
var ErrOtherDisk = errors.New("not the parent")

// Disk is the virtual disk, a layer.Mapper: its blocks are extents of the file, those that are not
// there of the parent, or zeros.
type Disk struct {
	src    layer.Source
	header header
	size   int64
	stride int64 // bytes from one block in the file to the next
	first  int64 // where the data of block 0 in the file begins
	pages  []atomic.Pointer[page]
	parent *format.Disk // nil for none
}

const (
	pageLen    = 16 << 10 // how much of the block map is read at once
	cacheBytes = 16 << 20 // how much of it is kept in memory
	maxScan    = 4 << 20  // how much of it is looked through at open: that of 1 TiB mostly
)

// page is a piece of the block map.
type page struct {
	no   int64
	data []byte
}

// Open reads the header of the image in src and opens its parents. A src without the signature is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	h, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	d := &Disk{
		src: src, header: h, size: int64(h.size), stride: int64(h.blockSize) + int64(h.extra), first: int64(h.dataOff) + int64(h.extra),
	}
	d.pages = make([]atomic.Pointer[page], min(int64(h.blocks)*4/pageLen+1, cacheBytes/pageLen))
	d.scan(env.Fault)
	if h.imageType == typeDiff {
		if d.parent, err = openParent(h, env); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// openParent opens the parent by its UUID: VirtualBox names it by nothing else. Of several copies the one counts that was
// not changed since, else the first. A parent that was written to since is told of and not refused, as in VirtualBox:
// to compact a disk changes its UUID and not its bytes.
func openParent(h header, env format.Env) (*format.Disk, error) {
	want := format.ID{File: h.parent, State: h.parentMod}
	var found format.ID
	parent, err := env.Files.Parent(format.Lineage{
		ID: h.parent.String(),
		IDs: []func(format.ID) bool{
			func(id format.ID) bool { return id == want },
			func(id format.ID) bool { return id.File == want.File },
		},
		Check: func(file layer.Source) (err error) {
			if found, err = readID(file); err == nil && found.File != want.File {
				err = fmt.Errorf("%w: UUID %v", ErrOtherDisk, found.File)
			}
			return err
		},
	})
	if err == nil && found.State != want.State && !want.State.IsZero() {
		env.Fault(fmt.Errorf("parent %v: modification UUID %v, want %v: it was changed after this image was made", h.parent, found.State, want.State))
	}
	return parent, err
}

// scan looks through the block map and tells what the file has lost.
func (d *Disk) scan(warn func(error)) {
	blocks := int64(d.header.need())
	if blocks*4 > maxScan {
		return
	}
	lost, reason := 0, error(nil)
	for i := range blocks {
		entry, off, err := d.block(i)
		if need := min(int64(d.header.blockSize), d.size-i*int64(d.header.blockSize)); err == nil && entry < blockZero && off+need > d.src.Size() {
			err = layer.Cut("block", off, need, d.src.Size())
		}
		if err != nil {
			lost, reason = lost+1, cmp.Or(reason, err)
		}
	}
	if lost > 0 {
		warn(fmt.Errorf("%d blocks of 0x%x bytes cannot be read, the first: %w", lost, d.header.blockSize, reason))
	}
}

// Size is the size of the virtual disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

// At implements layer.Mapper.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	size := int64(d.header.blockSize)
	in := off % size
	e := layer.Extent{Off: off, Len: min(n, size-in)}
	entry, at, err := d.block(off / size)
	switch {
	case layer.IsMissing(err):
		return e.Lost(layer.Missing), nil
	case err != nil:
		return e, err
	case entry == blockFree && d.parent != nil:
		if k := layer.Clip(d.parent.Size(), off, e.Len); k > 0 {
			return layer.Extent{Off: off, Len: k, Base: d.parent.Source, BaseOff: off}, nil
		}
		e.Kind = layer.Zero
	case entry >= blockZero:
		e.Kind = layer.Zero
	default:
		e.Base, e.BaseOff = d.src, at+in
	}
	return e, nil
}

// block reads an entry of the block map, and where its data is in the file.
func (d *Disk) block(i int64) (entry uint32, off int64, err error) {
	if entry, err = d.entry(i); err != nil || entry >= blockZero {
		return entry, 0, err
	}
	if entry >= d.header.blocks {
		return 0, 0, layer.Corrupt("block map entry", int64(d.header.mapOff)+4*i, "block 0x%x, want one of 0x%x", entry, d.header.blocks)
	}
	if off = d.first + int64(entry)*d.stride; off >= d.src.Size() {
		return 0, 0, layer.Cut("block", off, d.stride, d.src.Size())
	}
	return entry, off, nil
}

// entry reads an entry of the block map, from memory when it is there; where its piece cannot be read, it alone.
func (d *Disk) entry(i int64) (uint32, error) {
	le := binary.LittleEndian
	no, at := 4*i/pageLen, 4*i%pageLen
	slot := &d.pages[no%int64(len(d.pages))]
	if p := slot.Load(); p != nil && p.no == no {
		return le.Uint32(p.data[at:]), nil
	}
	from := int64(d.header.mapOff) + no*pageLen
	b := make([]byte, layer.Clip(d.src.Size(), from, pageLen))
	if layer.ReadFull(d.src, b, from) == nil {
		slot.Store(&page{no, b})
		return le.Uint32(b[at:]), nil
	}
	if err := layer.ReadFull(d.src, b[:4], from+at); err != nil {
		return 0, fmt.Errorf("block map at 0x%x: %w", from+at, err)
	}
	return le.Uint32(b), nil
}
