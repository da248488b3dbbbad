package vmdk

import (
	"encoding/binary"
	"fmt"
	"math"

	"snapmount/imagefmt/layer"
)

const (
	sectorLen     = 512
	magicHosted   = "KDMV"
	magicCOWD     = "COWD"
	magicSESparse = "\xbe\xba\xfe\xca\x00\x00\x00\x00"
	maxGrain      = 1 << 30 // bytes, QEMU's own limit
	maxPacked     = 2 << 20 // bytes of a compressed grain; VMware's have 64 KiB
	maxPerTable   = 512     // entries of a grain table of hosted extents
	atEnd         = math.MaxUint64
)

// Flags of the hosted header.
const (
	flagNewlines   = 1 << 0 // the newline test is valid
	flagRedundant  = 1 << 1
	flagZeroGrain  = 1 << 2 // entry 1 stands for a grain of zeros
	flagCompressed = 1 << 16
	flagMarkers    = 1 << 17
)

// hostedHeader begins a sparse extent of Workstation and of streams, little-endian.
type hostedHeader struct {
	version    uint32
	flags      uint32
	capacity   uint64 // sectors, as all that follow
	grain      uint64
	descriptor uint64
	descLen    uint64
	perTable   uint32 // entries
	redundant  uint64
	directory  uint64
	overhead   uint64
	unclean    byte
	newlines   string
	algorithm  uint16
}

// decodeHosted reads 512 bytes. Offsets are those of VMware's Virtual Disk Format 5.0.
func decodeHosted(b []byte) hostedHeader {
	le := binary.LittleEndian
	return hostedHeader{
		version:    le.Uint32(b[4:]),
		flags:      le.Uint32(b[8:]),
		capacity:   le.Uint64(b[12:]),
		grain:      le.Uint64(b[20:]),
		descriptor: le.Uint64(b[28:]),
		descLen:    le.Uint64(b[36:]),
		perTable:   le.Uint32(b[44:]),
		redundant:  le.Uint64(b[48:]),
		directory:  le.Uint64(b[56:]),
		overhead:   le.Uint64(b[64:]),
		unclean:    b[72],
		newlines:   string(b[73:77]),
		algorithm:  le.Uint16(b[77:]),
	}
}

// check holds the fields against their limits; those that place something are held against the file elsewhere.
func (h *hostedHeader) check() error {
	switch {
	case h.version < 1 || h.version > 3:
		return fmt.Errorf("sparse extent of version %d, want 1 to 3: %w", h.version, layer.ErrUnsupported)
	case h.flags&flagNewlines != 0 && h.newlines != "\n \r\n":
		return layer.Corrupt("sparse header", 73, "newline test %q, want %q: the file was changed by a transfer as text", h.newlines, "\n \r\n")
	case h.algorithm > 1:
		return fmt.Errorf("compression algorithm %d, want deflate (1): %w", h.algorithm, layer.ErrUnsupported)
	case h.flags&flagCompressed != 0 && h.algorithm == 0:
		return layer.Corrupt("sparse header", 77, "compressed grains without an algorithm")
	case h.algorithm == 1 && h.grain > maxPacked/sectorLen:
		return fmt.Errorf("compressed grains of 0x%x sectors, want 0x%x at most: %w", h.grain, maxPacked/sectorLen, layer.ErrUnsupported)
	case h.perTable == 0 || h.perTable > maxPerTable:
		return layer.Corrupt("sparse header", 44, "grain tables of 0x%x entries, want 1 to 0x%x", h.perTable, maxPerTable)
	}
	return nil
}

// cowdHeader begins a sparse extent of VMFS, little-endian; all in sectors.
type cowdHeader struct {
	version   uint32
	capacity  uint32
	grain     uint32
	directory uint32
	entries   uint32 // of the directory
	free      uint32 // the first sector that is not used
}

// decodeCOWD reads the first 32 bytes. Offsets are those of VMware's Virtual Disk Format 5.0.
func decodeCOWD(b []byte) cowdHeader {
	le := binary.LittleEndian
	return cowdHeader{
		version:   le.Uint32(b[4:]),
		capacity:  le.Uint32(b[12:]),
		grain:     le.Uint32(b[16:]),
		directory: le.Uint32(b[20:]),
		entries:   le.Uint32(b[24:]),
		free:      le.Uint32(b[28:]),
	}
}

// seHeader is the constant header of a space-efficient sparse extent, little-endian; all in sectors.
type seHeader struct {
	version   uint64
	capacity  uint64
	grain     uint64
	table     uint64 // of one grain table
	flags     uint64
	volatile  uint64 // where the volatile header is
	directory uint64
	dirLen    uint64
	tables    uint64
	grains    uint64
}

// decodeSESparse reads 512 bytes. VMware publishes nothing of it; offsets are those of block/vmdk.c in QEMU.
func decodeSESparse(b []byte) seHeader {
	le := binary.LittleEndian
	return seHeader{
		version:   le.Uint64(b[8:]),
		capacity:  le.Uint64(b[16:]),
		grain:     le.Uint64(b[24:]),
		table:     le.Uint64(b[32:]),
		flags:     le.Uint64(b[40:]),
		volatile:  le.Uint64(b[80:]),
		directory: le.Uint64(b[128:]),
		dirLen:    le.Uint64(b[136:]),
		tables:    le.Uint64(b[144:]),
		grains:    le.Uint64(b[192:]),
	}
}

// marker stands before each grain of a stream (size is that of the packed data) and before its tables (size 0).
type marker struct {
	value uint64 // sector in the extent of a grain, else the number of sectors that follow
	size  uint32 // bytes
	kind  uint32
}

// Kinds of markers with size 0.
const (
	markerEnd       = 0
	markerTable     = 1
	markerDirectory = 2
	markerFooter    = 3
)

const grainMarkerLen = 12 // the packed data follows the size

// decodeMarker reads 16 bytes.
func decodeMarker(b []byte) marker {
	le := binary.LittleEndian
	return marker{value: le.Uint64(b[0:]), size: le.Uint32(b[8:]), kind: le.Uint32(b[12:])}
}
