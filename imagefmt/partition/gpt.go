package partition

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

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

// readGPT tries the header in the second sector; then, unless an MBR without a protective partition is there, the one it
// names, where the disk ends by the protective MBR, in the last sector, and, if search, before that. A table whose
// checksum is wrong is only used when there is no other. nil without an error means that there is no trace of a GPT; an
// error is that of the first header found.
func (d *reader) readGPT(m *mbr, search bool) (*Table, error) {
	var first error
	backup := m == nil || m.protective
	for _, sector := range []int64{512, 4096} {
		places := d.gptPlaces(m, sector)
		if !backup {
			places = places[:1]
		}
		for i, block := range places {
			t, err := d.gptAt(block, sector)
			if t != nil && i == 0 && backup {
				d.checkBackup(t, places[1:])
			}
			if t != nil {
				return d.tellBackup(t, block*sector), nil
			}
			if err != nil {
				d.warn(err)
			}
			first = cmp.Or(first, err)
		}
	}
	if backup && (search || m != nil) {
		if t := d.searchBackup(); t != nil {
			return t, nil
		}
	}
	if t := d.doubtful; t != nil {
		d.warn(errors.New("GPT: no table has right checksums, one is used that has wrong ones: partitions may be missing or wrong"))
		return t, nil
	}
	return nil, first
}

// tellBackup warns when a table is not the primary one.
func (d *reader) tellBackup(t *Table, off int64) *Table {
	if t.backup {
		d.warn(fmt.Errorf("GPT: primary table lost, its backup at 0x%x is used", off))
	}
	return t
}

// gptPlaces lists the blocks where a header may be.
func (d *reader) gptPlaces(m *mbr, sector int64) []int64 {
	last := d.disk.Size()/sector - 1
	places := []int64{1}
	add := func(block uint64) {
		if block > 1 && block <= uint64(max(last, 0)) && !slices.Contains(places, int64(block)) {
			places = append(places, int64(block))
		}
	}
	if h := d.read(sector, sector); h != nil && string(h[:8]) == gptMagic {
		add(decodeGPT(h).other)
	}
	if m != nil {
		for _, e := range m.entries {
			if e.protective() {
				add(uint64(e.start) + uint64(e.count) - 1)
			}
		}
	}
	add(uint64(max(last, 0)))
	return places
}

// backupSearched is how far before the end of the image the backup is looked for: an image may be longer than its disk
// was, by what was appended or because it was written to a larger one.
const backupSearched = 64 << 20

// searchBackup looks for a backup table by its header, which tells its own place, from the end of the image backwards.
func (d *reader) searchBackup() *Table {
	const chunk = 1 << 20
	end := d.disk.Size() &^ 511
	for stop := max(end-backupSearched, 0); end > stop; end -= chunk {
		start := max(end-chunk, stop)
		quiet := reader{disk: d.disk}
		b := quiet.read(start, end-start)
		for at := len(b) - 512; at >= 0; at -= 512 {
			if string(b[at:at+8]) == gptMagic {
				if t := d.backupHeader(start+int64(at), decodeGPT(b[at:at+512]).block); t != nil {
					return t
				}
			}
		}
	}
	return nil
}

// backupHeader reads the table whose header is at off and says that it is in a block.
func (d *reader) backupHeader(off int64, block uint64) *Table {
	for _, sector := range []int64{512, 4096} {
		if off == sector || off%sector != 0 || block != uint64(off/sector) {
			continue
		}
		if t, err := d.gptAt(off/sector, sector); t != nil {
			return d.tellBackup(t, off)
		} else if err != nil {
			d.warn(err)
		}
	}
	return nil
}

// checkBackup warns when none of the places has a copy of the table.
func (d *reader) checkBackup(t *Table, places []int64) {
	reason := errors.New("not found")
	for _, block := range places {
		other, err := d.gptAt(block, int64(t.SectorSize))
		switch {
		case other != nil && slices.Equal(other.Partitions, t.Partitions):
			return
		case other != nil:
			reason = fmt.Errorf("lists other partitions at 0x%x", block*int64(t.SectorSize))
		case err != nil:
			reason = err
		}
	}
	d.warn(fmt.Errorf("GPT: backup table: %w: the primary one is used", reason))
}

// check reports what is wrong with a header, apart from its checksum, whose block is where it was found.
func (h gptHeader) check(block, sector, size int64) error {
	at := block * sector
	switch {
	case h.block != uint64(block):
		return layer.Corrupt("GPT header", at, "says it is in block 0x%x, want 0x%x", h.block, block)
	case h.entries > maxEntries:
		return layer.Corrupt("GPT header", at, "%d entries, want %d at most", h.entries, maxEntries)
	case h.entryLen < gptEntryLen || h.entryLen > maxEntryLen || h.entryLen&(h.entryLen-1) != 0:
		return layer.Corrupt("GPT header", at, "entries of %d bytes, want a power of two from %d to %d",
			h.entryLen, gptEntryLen, maxEntryLen)
	case h.entryBlock > uint64(size/sector):
		return layer.Corrupt("GPT header", at, "entries at block 0x%x, want them within the disk of 0x%x",
			h.entryBlock, size/sector)
	}
	return nil
}

// gptAt reads the table whose header is in a block; nil without an error when there is no header. One with a wrong
// checksum is an error and kept as doubtful, when nothing else is wrong with it.
func (d *reader) gptAt(block, sector int64) (*Table, error) {
	at := block * sector
	b := d.read(at, sector)
	if b == nil || string(b[:8]) != gptMagic {
		return nil, nil
	}
	h := decodeGPT(b)
	if h.headerLen < gptHeaderLen || int64(h.headerLen) > sector {
		return nil, layer.Corrupt("GPT header", at, "%d bytes, want %d to %d", h.headerLen, gptHeaderLen, sector)
	}
	var sum error
	if h.headerCRC != h.computedCRC {
		sum = layer.Corrupt("GPT header", at, "checksum 0x%08x, want 0x%08x", h.headerCRC, h.computedCRC)
	}
	if err := h.check(block, sector, d.disk.Size()); err != nil {
		return nil, cmp.Or(sum, err)
	}
	array := int64(h.entryBlock) * sector
	b = d.read(array, int64(h.entries)*int64(h.entryLen))
	if b == nil && h.entries > 0 {
		return nil, cmp.Or(sum, layer.Corrupt("GPT entries", array, "cannot be read or reach past the end of the disk"))
	}
	if got := crc32.ChecksumIEEE(b); sum == nil && got != h.entriesCRC {
		sum = layer.Corrupt("GPT entries", array, "checksum 0x%08x, want 0x%08x", got, h.entriesCRC)
	}
	t := gptTable(h, b, array, sector)
	t.backup = block != 1
	if sum != nil {
		d.doubt(t)
		return nil, sum
	}
	return t, nil
}

// doubt keeps a table with a wrong checksum, unless nothing in it can be right.
func (d *reader) doubt(t *Table) {
	t.Partitions = slices.DeleteFunc(t.Partitions, func(p Partition) bool {
		past := p.Len > d.disk.Size()-p.Off
		if past {
			t.Warnings = append(t.Warnings, fmt.Errorf("partition %d: ends past the end of the disk, and the table is damaged: not listed", p.Number))
		}
		return past
	})
	if d.doubtful == nil && len(t.Partitions) > 0 {
		d.doubtful = t
	}
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
