package vdi

import (
	"encoding/binary"
	"fmt"
	"math"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	signature = 0xbeda107f
	headerLen = 512     // with what precedes the signature, of version 1.1
	maxBlock  = 1 << 30 // bytes
)

// Image types of the header.
const (
	typeDynamic = 1
	typeFixed   = 2
	typeUndo    = 3
	typeDiff    = 4
)

// Entries of the block map that are no numbers.
const (
	blockFree = 0xffffffff // not there: of the parent, or zeros
	blockZero = 0xfffffffe
)

// header begins the file, little-endian.
type header struct {
	signature uint32
	version   uint32 // major in the upper half
	imageType uint32
	mapOff    uint32 // bytes
	dataOff   uint32
	size      uint64 // bytes, of the disk
	blockSize uint32 // bytes
	extra     uint32 // bytes before the data of each block
	blocks    uint32
	image     wintype.GUID // of this file
	modified  wintype.GUID // changes when the disk is written to
	parent    wintype.GUID // the image UUID of the parent
	parentMod wintype.GUID // and its modification UUID
}

// decodeHeader reads 512 bytes. Offsets are those of block/vdi.c in QEMU; UUIDs are stored as Windows does.
func decodeHeader(b []byte) header {
	le := binary.LittleEndian
	h := header{
		signature: le.Uint32(b[0x40:]),
		version:   le.Uint32(b[0x44:]),
		imageType: le.Uint32(b[0x4c:]),
		mapOff:    le.Uint32(b[0x154:]),
		dataOff:   le.Uint32(b[0x158:]),
		size:      le.Uint64(b[0x170:]),
		blockSize: le.Uint32(b[0x178:]),
		extra:     le.Uint32(b[0x17c:]),
		blocks:    le.Uint32(b[0x180:]),
	}
	for i, id := range []*wintype.GUID{&h.image, &h.modified, &h.parent, &h.parentMod} {
		copy(id[:], b[0x188+16*i:])
	}
	return h
}

// readHeader reads and checks the header.
func readHeader(src layer.Source) (header, error) {
	b := make([]byte, headerLen)
	n := layer.Clip(src.Size(), 0, headerLen)
	if err := layer.ReadFull(src, b[:n], 0); err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	h := decodeHeader(b)
	if h.signature != signature {
		return h, fmt.Errorf("signature 0x%08x, want 0x%08x: %w", h.signature, uint32(signature), layer.ErrFormat)
	}
	if h.version>>16 != 1 || h.version == 1<<16 {
		return h, fmt.Errorf("version %d.%d, want 1.1: %w", h.version>>16, h.version&0xffff, layer.ErrUnsupported)
	}
	if n < headerLen {
		return h, layer.Corrupt("header", 0, "0x%x bytes, want 0x%x", n, headerLen)
	}
	return h, h.check(src.Size())
}

// need is the number of blocks that the size asks for.
func (h *header) need() uint64 {
	size := uint64(h.blockSize)
	return h.size/size + min(1, h.size%size)
}

// check holds the fields against their limits and the size of the file.
func (h *header) check(fileSize int64) error {
	switch {
	case h.imageType == typeUndo:
		return fmt.Errorf("undo image (type 3): %w", layer.ErrUnsupported)
	case h.imageType < typeDynamic || h.imageType > typeDiff:
		return fmt.Errorf("image type %d, want dynamic (1), fixed (2) or differencing (4): %w", h.imageType, layer.ErrUnsupported)
	case h.size > math.MaxInt64:
		return layer.Corrupt("header", 0x170, "disk of 0x%x bytes", h.size)
	case h.blockSize == 0 || h.blockSize > maxBlock || h.extra > maxBlock:
		return layer.Corrupt("header", 0x178, "blocks of 0x%x bytes and 0x%x extra, want 1 to 0x%x", h.blockSize, h.extra, maxBlock)
	case h.need() > uint64(h.blocks):
		return layer.Corrupt("header", 0x180, "0x%x blocks, want 0x%x for a disk of 0x%x bytes", h.blocks, h.need(), h.size)
	case int64(h.mapOff) > fileSize || h.need()*4 > uint64(fileSize-int64(h.mapOff)):
		return layer.Corrupt("header", 0x154, "block map of 0x%x bytes at 0x%x, want it within the file of 0x%x bytes", h.need()*4, h.mapOff, fileSize)
	}
	return nil
}
