package partition

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	gptMagic     = "EFI PART"
	gptHeaderLen = 92
	gptEntryLen  = 128
	maxEntries   = 1024 // 128 are usual
	maxEntryLen  = 4096
)

// gptHeader is the record in the second and in the last sector. Little-endian, blocks are sectors.
type gptHeader struct {
	magic       string
	headerLen   uint32
	headerCRC   uint32
	block       uint64 // where this header is
	other       uint64 // where the other one is
	id          wintype.GUID
	entryBlock  uint64
	entries     uint32
	entryLen    uint32
	entriesCRC  uint32
	computedCRC uint32
}

// decodeGPT reads the header from its sector.
func decodeGPT(b []byte) gptHeader {
	le := binary.LittleEndian
	h := gptHeader{
		magic:      string(b[0:8]),
		headerLen:  le.Uint32(b[12:]),
		headerCRC:  le.Uint32(b[16:]),
		block:      le.Uint64(b[24:]),
		other:      le.Uint64(b[32:]),
		id:         wintype.GUID(b[56:72]),
		entryBlock: le.Uint64(b[72:]),
		entries:    le.Uint32(b[80:]),
		entryLen:   le.Uint32(b[84:]),
		entriesCRC: le.Uint32(b[88:]),
	}
	if h.headerLen >= gptHeaderLen && uint64(h.headerLen) <= uint64(len(b)) {
		c := bytes.Clone(b[:h.headerLen])
		clear(c[16:20])
		h.computedCRC = crc32.ChecksumIEEE(c)
	}
	return h
}

// gptEntry is one partition of the array. Little-endian.
type gptEntry struct {
	kind, id    wintype.GUID
	first, last uint64 // blocks, both included
	name        string
}

func decodeGPTEntry(b []byte) gptEntry {
	le := binary.LittleEndian
	name := b[56:128]
	for i := 0; i < len(name); i += 2 {
		if name[i] == 0 && name[i+1] == 0 {
			name = name[:i]
		}
	}
	return gptEntry{
		kind: wintype.GUID(b[0:16]), id: wintype.GUID(b[16:32]),
		first: le.Uint64(b[32:]), last: le.Uint64(b[40:]), name: wintype.DecodeUTF16(name),
	}
}

// readGPT tries the header in the second sector, then, if backup, the one it names and the one in the last sector. nil
// without an error means that there is no trace of a GPT; an error is that of the first header found.
func (d *reader) readGPT(backup bool) (*Table, error) {
	var first error
	size := d.disk.Size()
	for _, sector := range []int64{512, 4096} {
		places := []int64{1}
		if h := d.read(sector, sector); h != nil && string(h[:8]) == gptMagic {
			if other := decodeGPT(h).other; other > 1 && other < uint64(size/sector) {
				places = append(places, int64(other))
			}
		}
		if last := size/sector - 1; last > 1 && (len(places) == 1 || places[1] != last) {
			places = append(places, last)
		}
		if !backup {
			places = places[:1]
		}
		for i, block := range places {
			t, err := d.gptAt(block, sector)
			if t != nil {
				if i > 0 {
					d.warn(fmt.Errorf("GPT: primary table lost, its backup at 0x%x is used", block*sector))
				}
				return t, nil
			}
			if err != nil {
				d.warn(err)
			}
			if first == nil {
				first = err
			}
		}
	}
	return nil, first
}

// gptAt reads the table whose header is in a block; nil without an error when there is no header.
func (d *reader) gptAt(block, sector int64) (*Table, error) {
	at := block * sector
	b := d.read(at, sector)
	if b == nil || string(b[:8]) != gptMagic {
		return nil, nil
	}
	h := decodeGPT(b)
	switch {
	case h.headerLen < gptHeaderLen || int64(h.headerLen) > sector:
		return nil, layer.Corrupt("GPT header", at, "%d bytes, want %d to %d", h.headerLen, gptHeaderLen, sector)
	case h.headerCRC != h.computedCRC:
		return nil, layer.Corrupt("GPT header", at, "checksum 0x%08x, want 0x%08x", h.headerCRC, h.computedCRC)
	case h.block != uint64(block):
		return nil, layer.Corrupt("GPT header", at, "says it is in block 0x%x, want 0x%x", h.block, block)
	case h.entries > maxEntries:
		return nil, layer.Corrupt("GPT header", at, "%d entries, want %d at most", h.entries, maxEntries)
	case h.entryLen < gptEntryLen || h.entryLen > maxEntryLen || h.entryLen&(h.entryLen-1) != 0:
		return nil, layer.Corrupt("GPT header", at, "entries of %d bytes, want a power of two from %d to %d",
			h.entryLen, gptEntryLen, maxEntryLen)
	case h.entryBlock > uint64(d.disk.Size()/sector):
		return nil, layer.Corrupt("GPT header", at, "entries at block 0x%x, want them within the disk of 0x%x",
			h.entryBlock, d.disk.Size()/sector)
	}
	array := int64(h.entryBlock) * sector
	b = d.read(array, int64(h.entries)*int64(h.entryLen))
	if b == nil && h.entries > 0 {
		return nil, layer.Corrupt("GPT entries", array, "cannot be read or reach past the end of the disk")
	}
	if sum := crc32.ChecksumIEEE(b); sum != h.entriesCRC {
		return nil, layer.Corrupt("GPT entries", array, "checksum 0x%08x, want 0x%08x", sum, h.entriesCRC)
	}
	return gptTable(h, b, array, sector), nil
}

// gptTable lists the entries in b, the array that lies at array.
func gptTable(h gptHeader, b []byte, array, sector int64) *Table {
	t := &Table{Scheme: GPT, SectorSize: int(sector), ID: h.id}
	for i := range int(h.entries) {
		at := i * int(h.entryLen)
		e := decodeGPTEntry(b[at:][:gptEntryLen])
		if e.kind.IsZero() {
			continue
		}
		if e.first > e.last || e.last >= math.MaxInt64/uint64(sector) {
			t.Warnings = append(t.Warnings, fmt.Errorf("partition %d: %w", i+1,
				layer.Corrupt("GPT entry", array+int64(at), "blocks 0x%x to 0x%x are not a range: not listed", e.first, e.last)))
			continue
		}
		kind := e.kind.String()
		t.Partitions = append(t.Partitions, Partition{
			Number: i + 1, Off: int64(e.first) * sector, Len: int64(e.last-e.first+1) * sector,
			TypeID: kind, Type: gptTypes[kind], Name: e.name, ID: e.id,
		})
	}
	return t
}
