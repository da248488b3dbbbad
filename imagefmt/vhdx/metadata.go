package vhdx

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	metadataMagic    = "metadata"
	metadataTableLen = 64 << 10
	maxItemLen       = 1 << 20
	maxDisk          = 64 << 40
	minBlock         = 1 << 20
	maxBlock         = 256 << 20
)

// Items of the metadata table.
const (
	fileParameters     = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
	virtualDiskSize    = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
	virtualDiskID      = "beca12ab-b2e6-4523-93ef-c309e000c746"
	logicalSectorSize  = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
	physicalSectorSize = "cda348c7-445d-4471-9cc9-e9885251c556"
	parentLocator      = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
)

// item is a row of the metadata table. Little-endian.
type item struct {
	id       string
	off      uint32 // from the start of the region
	length   uint32
	user     bool
	required bool
}

// decodeItem reads 32 bytes, MS-VHDX 2.6.1.2.
func decodeItem(b []byte) item {
	le := binary.LittleEndian
	flags := le.Uint32(b[24:])
	return item{
		id:       wintype.GUID(b[0:16]).String(),
		off:      le.Uint32(b[16:]),
		length:   le.Uint32(b[20:]),
		user:     flags&1 != 0,
		required: flags&4 != 0,
	}
}

// metadata is what the items say.
type metadata struct {
	blockSize  int64
	hasParent  bool
	size       int64 // of the virtual disk, bytes
	sectorSize int64
	locator    []byte // nil without a parent
}

// items are the rows of the metadata table, by id.
type items struct {
	src    layer.Source
	region span
	rows   map[string]item
}

// readMetadata reads the items that a reader needs.
func readMetadata(src layer.Source, region span) (m metadata, err error) {
	t := items{src, region, make(map[string]item)}
	if err := t.readTable(); err != nil {
		return m, err
	}
	le := binary.LittleEndian
	b, err := t.value(fileParameters, "file parameters", 8)
	if err != nil {
		return m, err
	}
	m.blockSize, m.hasParent = int64(le.Uint32(b)), b[4]&2 != 0
	if m.blockSize < minBlock || m.blockSize > maxBlock || m.blockSize&(m.blockSize-1) != 0 {
		return m, layer.Corrupt("file parameters", t.at(fileParameters),
			"blocks of 0x%x bytes, want a power of two from 1 to 256 MiB", m.blockSize)
	}
	if b, err = t.value(virtualDiskSize, "virtual disk size", 8); err != nil {
		return m, err
	}
	if size := le.Uint64(b); size > maxDisk {
		return m, layer.Corrupt("virtual disk size", t.at(virtualDiskSize), "0x%x bytes, want 64 TiB at most", size)
	}
	m.size = int64(le.Uint64(b))
	if b, err = t.value(logicalSectorSize, "logical sector size", 4); err != nil {
		return m, err
	}
	if m.sectorSize = int64(le.Uint32(b)); m.sectorSize != 512 && m.sectorSize != 4096 {
		return m, layer.Corrupt("logical sector size", t.at(logicalSectorSize), "%d, want 512 or 4096", m.sectorSize)
	}
	if m.hasParent {
		m.locator, err = t.value(parentLocator, "parent locator", 0)
	}
	return m, err
}

// readTable keeps the rows that are known and refuses others that are required.
func (t *items) readTable() error {
	b := make([]byte, metadataTableLen)
	if layer.Clip(t.src.Size(), t.region.off, metadataTableLen) < metadataTableLen {
		return layer.Corrupt("metadata table", t.region.off, "past the end of the file of 0x%x bytes", t.src.Size())
	}
	if err := layer.ReadFull(t.src, b, t.region.off); err != nil {
		return fmt.Errorf("metadata table at 0x%x: %w", t.region.off, err)
	}
	count := int(binary.LittleEndian.Uint16(b[10:]))
	if string(b[:8]) != metadataMagic || count > maxTableEntries {
		return layer.Corrupt("metadata table", t.region.off,
			"signature %q and %d items, want %q and %d at most", b[:8], count, metadataMagic, maxTableEntries)
	}
	for i := range count {
		it := decodeItem(b[32+32*i:])
		if it.user || !known(it.id) {
			if it.required {
				return fmt.Errorf("metadata item %s is required and not known: %w", it.id, layer.ErrUnsupported)
			}
			continue
		}
		if _, twice := t.rows[it.id]; twice {
			return layer.Corrupt("metadata table", t.region.off, "item %s is there twice", it.id)
		}
		t.rows[it.id] = it
	}
	return nil
}

func known(id string) bool {
	switch id {
	case fileParameters, virtualDiskSize, virtualDiskID, logicalSectorSize, physicalSectorSize, parentLocator:
		return true
	}
	return false
}

// at is the offset of an item in the file.
func (t *items) at(id string) int64 { return t.region.off + int64(t.rows[id].off) }

// value reads an item of n bytes at least.
func (t *items) value(id, name string, n uint32) ([]byte, error) {
	it, ok := t.rows[id]
	if !ok {
		return nil, layer.Corrupt("metadata table", t.region.off, "no %s", name)
	}
	end := uint64(it.off) + uint64(it.length)
	if it.length < n || it.length > maxItemLen || it.off < metadataTableLen || end > uint64(t.region.n) {
		return nil, layer.Corrupt("metadata table", t.region.off,
			"%s of %d bytes at 0x%x, want %d or more behind the table and within 0x%x", name, it.length, it.off, n, t.region.n)
	}
	if at := t.at(id); layer.Clip(t.src.Size(), at, int64(it.length)) < int64(it.length) {
		return nil, layer.Corrupt(name, at, "past the end of the file of 0x%x bytes", t.src.Size())
	}
	b := make([]byte, it.length)
	if err := layer.ReadFull(t.src, b, t.at(id)); err != nil {
		return nil, fmt.Errorf("%s at 0x%x: %w", name, t.at(id), err)
	}
	return b, nil
}
