package vhdx

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	fileMagic       = "vhdxfile"
	headerMagic     = "head"
	regionMagic     = "regi"
	headerLen       = 4 << 10
	headerStep      = 64 << 10 // the headers are at 64 and 128 KiB
	regionTableLen  = 64 << 10
	regionTableAt   = 192 << 10 // and its copy behind it
	maxTableEntries = 2047      // of the region table and of the metadata table
	mib             = 1 << 20
)

// Regions of the region table.
const (
	batRegion      = "2dc27766-f623-4200-9d64-115e9bfd4a08"
	metadataRegion = "8b7ca206-4790-4b9a-b8fe-575f050f886e"
)

// header is one of the two headers. Little-endian.
type header struct {
	signature  string
	checksum   uint32
	sequence   uint64
	dataWrite  wintype.GUID // changes with what the virtual disk holds
	logID      wintype.GUID // zero for an empty log
	logVersion uint16
	version    uint16
	logLen     uint32
	logOff     uint64
	sum        uint32 // what the checksum should be
}

// decodeHeader reads 4 KiB. Offsets are those of MS-VHDX 2.2.2.
func decodeHeader(b []byte) header {
	le := binary.LittleEndian
	return header{
		signature:  string(b[0:4]),
		checksum:   le.Uint32(b[4:]),
		sequence:   le.Uint64(b[8:]),
		dataWrite:  wintype.GUID(b[32:48]),
		logID:      wintype.GUID(b[48:64]),
		logVersion: le.Uint16(b[64:]),
		version:    le.Uint16(b[66:]),
		logLen:     le.Uint32(b[68:]),
		logOff:     le.Uint64(b[72:]),
		sum:        sum(b),
	}
}

// sum is the CRC-32C of b with its own four bytes, at 4, as zeros.
func sum(b []byte) uint32 {
	t := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(crc32.Update(0, t, b[:4]), t, make([]byte, 4)), t, b[8:])
}

// span is a range of the file, in bytes.
type span struct{ off, n int64 }

// region is a row of the region table.
type region struct {
	id       string
	off      uint64
	length   uint32
	required bool
}

// decodeRegion reads 32 bytes, MS-VHDX 2.2.3.2.
func decodeRegion(b []byte) region {
	le := binary.LittleEndian
	return region{
		id:       wintype.GUID(b[0:16]).String(),
		off:      le.Uint64(b[16:]),
		length:   le.Uint32(b[24:]),
		required: le.Uint32(b[28:])&1 != 0,
	}
}

// readHeader returns the current header: of those whose checksum is right, the one with the higher sequence number.
func readHeader(src layer.Source, warn func(error)) (header, error) {
	magic := make([]byte, len(fileMagic))
	if src.Size() < int64(len(magic)) {
		return header{}, fmt.Errorf("file of %d bytes, want the magic %q: %w", src.Size(), fileMagic, layer.ErrFormat)
	}
	if err := layer.ReadFull(src, magic, 0); err != nil {
		return header{}, fmt.Errorf("file type identifier: %w", err)
	}
	if string(magic) != fileMagic {
		return header{}, fmt.Errorf("magic %q, want %q: %w", magic, fileMagic, layer.ErrFormat)
	}
	var good []header
	var bad []error
	for at := int64(headerStep); at <= 2*headerStep; at += headerStep {
		b, err := readSealed(src, at, headerLen, "header", headerMagic)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		good = append(good, decodeHeader(b))
	}
	if len(good) == 0 {
		return header{}, fmt.Errorf("%w; %w", bad[0], bad[1])
	}
	if len(bad) > 0 {
		warn(fmt.Errorf("%w; the other header is used", bad[0]))
	}
	h := good[0]
	if len(good) == 2 && good[1].sequence >= h.sequence {
		if good[1].sequence == h.sequence && good[1] != h {
			return h, layer.Corrupt("header", headerStep, "differs from the other one, which has its sequence number %d", h.sequence)
		}
		h = good[1]
	}
	if h.version != 1 {
		return h, fmt.Errorf("version %d, want 1: %w", h.version, layer.ErrUnsupported)
	}
	return h, nil
}

// readSealed reads a structure that begins with a signature and its CRC-32C, and checks both.
func readSealed(src layer.Source, at int64, n int, name, magic string) ([]byte, error) {
	b := make([]byte, n)
	if layer.Clip(src.Size(), at, int64(n)) < int64(n) {
		return nil, layer.Corrupt(name, at, "past the end of the file of 0x%x bytes", src.Size())
	}
	if err := layer.ReadFull(src, b, at); err != nil {
		return nil, fmt.Errorf("%s at 0x%x: %w", name, at, err)
	}
	if string(b[:4]) != magic {
		return nil, layer.Corrupt(name, at, "signature %q, want %q", b[:4], magic)
	}
	if found, want := binary.LittleEndian.Uint32(b[4:]), sum(b); found != want {
		return nil, layer.Corrupt(name, at, "checksum 0x%08x, want 0x%08x", found, want)
	}
	return b, nil
}

// readRegions finds the block allocation table and the metadata by the first region table that is whole.
func readRegions(src layer.Source, warn func(error)) (bat, metadata span, err error) {
	at := int64(regionTableAt)
	b, err := readSealed(src, at, regionTableLen, "region table", regionMagic)
	if err != nil {
		first := err
		at += regionTableLen
		if b, err = readSealed(src, at, regionTableLen, "region table", regionMagic); err != nil {
			return bat, metadata, fmt.Errorf("%w; %w", first, err)
		}
		warn(fmt.Errorf("%w; its copy is used", first))
	}
	count := binary.LittleEndian.Uint32(b[8:])
	if count > maxTableEntries {
		return bat, metadata, layer.Corrupt("region table", at, "%d entries, want %d at most", count, maxTableEntries)
	}
	for i := range int(count) {
		r := decodeRegion(b[16+32*i:])
		var to *span
		switch r.id {
		case batRegion:
			to = &bat
		case metadataRegion:
			to = &metadata
		default:
			if r.required {
				return bat, metadata, fmt.Errorf("region %s is required and not known: %w", r.id, layer.ErrUnsupported)
			}
			continue
		}
		if to.n != 0 {
			return bat, metadata, layer.Corrupt("region table", at, "region %s is there twice", r.id)
		}
		if *to, err = megabytes(r.off, r.length); err != nil || r.length == 0 {
			return bat, metadata, layer.Corrupt("region table", at,
				"region %s of 0x%x bytes at 0x%x, want whole megabytes behind the first", r.id, r.length, r.off)
		}
	}
	if bat.n == 0 || metadata.n == 0 {
		return bat, metadata, layer.Corrupt("region table", at, "no block allocation table or no metadata among %d regions", count)
	}
	return bat, metadata, nil
}

// megabytes checks that a range lies on megabytes and not in the first, which holds the headers.
func megabytes(off uint64, n uint32) (span, error) {
	if off < mib || off%mib != 0 || n%mib != 0 || off > math.MaxInt64-uint64(n) {
		return span{}, fmt.Errorf("0x%x bytes at 0x%x, want whole megabytes behind the first", n, off)
	}
	return span{int64(off), int64(n)}, nil
}
