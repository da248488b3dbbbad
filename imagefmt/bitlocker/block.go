package bitlocker

import (
	"fmt"
	"hash/crc32"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	blockHeader   = 64
	datasetHeader = 48
	maxBlock      = 64 << 10 // what Windows reserves for a copy
	maxHash       = 4 << 10  // of the entry behind it
)

// A block is a copy of the metadata.
type block struct {
	off         int64
	version     int // 1 of Vista, 2 of Windows 7 and later
	state, next State
	stateOffset int64    // where encryption has come to
	log         int64    // bytes of the conversion log there, in stateSwitching
	sectors     int64    // relocated ones, version 2
	copies      [3]int64 // of the metadata
	relocated   int64    // version 2: where the relocated sectors are. version 1: the cluster of $MFTMirr
	id          wintype.GUID
	method      Method
	created     time.Time
	entries     []entry
	damage      error  // what ended the entries
	raw         []byte // header and dataset
	hash        entry  // the box with the SHA-256 of raw
}

// readBlock reads the metadata block at off. All that it says is damage, but what could not be read.
func readBlock(src layer.Source, off int64) (*block, error) {
	raw, check, err := readChecked(src, off)
	if err != nil {
		return nil, err
	}
	b := decodeHeader(raw, off)
	d := raw[blockHeader:]
	size, first, end := le.Uint32(d), le.Uint32(d[8:]), le.Uint32(d[12:])
	if first < datasetHeader || first > end || int64(end) > int64(len(d)) || size != end {
		return nil, layer.Corrupt("metadata block", off, "entries from 0x%x to 0x%x of 0x%x bytes", first, end, len(d))
	}
	b.id, b.method, b.created = guidAt(d[16:]), Method(le.Uint16(d[36:])), filetime(d[40:])
	b.entries, b.damage = entries(d[first:end], off+blockHeader+int64(first))
	if list, _ := entries(check, off+int64(len(raw))+8); len(list) > 0 && list[0].typ == typeBox {
		b.hash = list[0]
	}
	return b, nil
}

// readChecked reads header and dataset of a block whose signature, size and checksum are right, and what follows the
// checksum. Behind the dataset are u16 size of the rest, u16 version, u32 CRC-32 (IEEE) of what is before, and an entry.
func readChecked(src layer.Source, off int64) (raw, check []byte, err error) {
	fail := func(format string, args ...any) error { return layer.Corrupt("metadata block", off, format, args...) }
	if have := layer.Clip(src.Size(), off, blockHeader); have < blockHeader {
		return nil, nil, layer.Cut("metadata block", off, blockHeader, src.Size())
	}
	head := make([]byte, 12)
	if err := layer.ReadFull(src, head, off); err != nil {
		return nil, nil, fmt.Errorf("metadata block at 0x%x: %w", off, err)
	}
	size, version := int64(le.Uint16(head[8:])), le.Uint16(head[10:])
	switch {
	case string(head[:8]) != signature:
		return nil, nil, fail("signature %x, want %q", head[:8], signature)
	case version == 2:
		size *= 16
	case version != 1:
		return nil, nil, fmt.Errorf("metadata block at 0x%x: version %d: %w", off, version, layer.ErrUnsupported)
	}
	if size < blockHeader+datasetHeader || size > maxBlock-8 {
		return nil, nil, fail("a size of 0x%x, want 0x%x to 0x%x", size, blockHeader+datasetHeader, maxBlock-8)
	}
	if have := src.Size() - off; have < size+8 {
		return nil, nil, layer.Cut("metadata block", off, size+8, src.Size())
	}
	b := make([]byte, layer.Clip(src.Size(), off, size+8+maxHash))
	if err := layer.ReadFull(src, b, off); err != nil {
		return nil, nil, fmt.Errorf("metadata block at 0x%x: %w", off, err)
	}
	raw, check = b[:size:size], b[size+8:]
	if got, want := crc32.ChecksumIEEE(raw), le.Uint32(b[size+4:]); got != want {
		return nil, nil, fail("checksum %08x of its bytes, want %08x", got, want)
	}
	if len(check) >= 2 {
		check = check[:min(len(check), max(int(le.Uint16(check)), 8))]
	}
	return raw, check, nil
}

// decodeHeader decodes the first 64 bytes of a block: signature, u16 size, u16 version, u16 state, u16 next state, u64 state
// offset, u32 size of the log, u32 relocated sectors, three u64 offsets of the copies, u64 offset of the relocated sectors.
func decodeHeader(raw []byte, off int64) *block {
	b := &block{off: off, raw: raw, version: int(le.Uint16(raw[10:])), state: State(le.Uint16(raw[12:])), next: State(le.Uint16(raw[14:])),
		stateOffset: place(raw[16:]), log: int64(le.Uint32(raw[24:])), sectors: int64(le.Uint32(raw[28:])), relocated: place(raw[56:])}
	for i := range b.copies {
		b.copies[i] = place(raw[32+8*i:])
	}
	return b
}

// place decodes a u64 offset; what is out of all bounds stays so.
func place(b []byte) int64 { return int64(min(le.Uint64(b), maxOffset)) }

func filetime(b []byte) time.Time {
	t := wintype.Filetime(le.Uint64(b))
	if t <= 0 {
		return time.Time{}
	}
	return t.Time()
}

// find returns the entries of a role and a type.
func (b *block) find(role, typ uint16) (list []entry) {
	for _, e := range b.entries {
		if e.role == role && e.typ == typ {
			list = append(list, e)
		}
	}
	return list
}

// boot returns the range of the relocated sectors that an entry names, and whether one does.
func (b *block) boot() (off, n int64, ok bool) {
	for _, e := range b.find(roleRelocated, typeRange) {
		if len(e.data) >= 16 {
			return place(e.data), place(e.data[8:]), true
		}
	}
	return 0, 0, false
}
