package partition

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

const maxLogical = 256 // partitions in one extended one; Linux stops there too

// mbr is the first sector of a disk.
type mbr struct {
	signature  uint32
	entries    [4]mbrEntry
	protective bool // one of them stands for a GPT
}

// mbrEntry is one of four partitions, little-endian. The cylinders, heads and sectors have no use.
type mbrEntry struct {
	status byte
	kind   byte
	start  uint32 // sectors; in an extended partition from a place that differs by kind
	count  uint32 // sectors
}

func decodeEntry(b []byte) mbrEntry {
	le := binary.LittleEndian
	return mbrEntry{status: b[0], kind: b[4], start: le.Uint32(b[8:]), count: le.Uint32(b[12:])}
}

// decodeEntries reads the four entries of a sector, and whether that has the signature.
func decodeEntries(b []byte) (entries [4]mbrEntry, signed bool) {
	if len(b) < 512 {
		return entries, false
	}
	for i := range entries {
		entries[i] = decodeEntry(b[446+16*i:])
	}
	return entries, b[510] == 0x55 && b[511] == 0xaa
}

func (e mbrEntry) empty() bool    { return e.kind == 0 || e.count == 0 }
func (e mbrEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

// protective reports whether an entry stands for a GPT.
func (e mbrEntry) protective() bool { return e.kind == 0xee }

// readMBR returns nil when the sector is no MBR or has no partitions.
func (d *reader) readMBR(boot []byte) *mbr {
	if _, signed := decodeEntries(boot); !signed {
		return nil
	}
	return d.entriesOf(boot)
}

// entriesOf is readMBR whether or not the sector is signed.
func (d *reader) entriesOf(boot []byte) *mbr {
	entries, _ := decodeEntries(boot)
	m := &mbr{signature: binary.LittleEndian.Uint32(boot[440:]), entries: entries}
	used := false
	for i, e := range entries {
		m.protective = m.protective || e.protective()
		used = used || !e.empty()
		if e.status&0x7f != 0 { // code or data, not a table: Linux looks at this too
			return nil
		}
		if e.kind != 0 && e.count == 0 {
			d.warn(fmt.Errorf("MBR: partition %d of type 0x%02x has no sectors", i+1, e.kind))
		}
	}
	if !used {
		return nil
	}
	return m
}

// mbrTable lists the primary partitions, but for what stands for a GPT, then the logical ones.
func (d *reader) mbrTable(m *mbr) *Table {
	sector := d.mbrSector(m)
	t := &Table{Scheme: MBR, SectorSize: int(sector), Signature: m.signature}
	for i, e := range m.entries {
		if !e.empty() && !e.extended() && !e.protective() {
			t.Partitions = append(t.Partitions, e.partition(i+1, 0, sector))
		}
	}
	next := 5
	for _, e := range m.entries {
		if !e.empty() && e.extended() {
			logical := d.logical(int64(e.start), sector, next)
			next += len(logical)
			t.Partitions = append(t.Partitions, logical...)
		}
	}
	return t
}

// partition gives an entry in bytes; base is in sectors. 32-bit sectors of 4096 bytes cannot overflow.
func (e mbrEntry) partition(number int, base, sector int64) Partition {
	return Partition{
		Number: number, Off: (base + int64(e.start)) * sector, Len: int64(e.count) * sector,
		TypeID: fmt.Sprintf("0x%02x", e.kind), Type: mbrTypes[e.kind], Active: e.status == 0x80,
	}
}

// logical walks the chain of boot records in an extended partition that begins at sector first. The start of a logical
// partition counts from its own record, that of the next record from the first one.
func (d *reader) logical(first, sector int64, number int) []Partition {
	var list []Partition
	seen := make(map[int64]bool)
	for at := first; ; {
		if seen[at] || len(seen) == maxLogical {
			d.warn(fmt.Errorf("logical partitions: %w", layer.Corrupt("extended boot record", at*sector, "the chain does not end")))
			return list
		}
		seen[at] = true
		entries, signed := decodeEntries(d.read(at*sector, 512))
		if !signed && !d.unsignedRecord(entries, at, sector) {
			d.warn(fmt.Errorf("logical partitions: %w", layer.Corrupt("extended boot record", at*sector,
				"no signature, unreadable, or past the end of the disk: those behind it are not listed")))
			return list
		}
		next := int64(-1)
		for _, e := range entries {
			switch {
			case e.empty():
			case !e.extended():
				list = append(list, e.partition(number+len(list), at, sector))
			case next < 0:
				next = first + int64(e.start)
			}
		}
		if next < 0 {
			return list
		}
		at = next
	}
}

// unsignedRecord reports whether the entries of a boot record without a signature make sense: none of them is code, and
// the first leads to a volume.
func (d *reader) unsignedRecord(entries [4]mbrEntry, at, sector int64) bool {
	for i, e := range entries {
		if e.status&0x7f != 0 || i > 1 && !e.empty() {
			return false
		}
	}
	quiet := reader{disk: d.disk}
	p := entries[0].partition(0, at, sector)
	if entries[0].empty() || entries[0].start == 0 || quiet.kindAt(p.Off, p.Len) == "" {
		return false
	}
	d.warn(fmt.Errorf("logical partitions: extended boot record at 0x%x: no signature 55aa: its entry leads to a volume and is used", at*sector))
	return true
}

// mbrSector decides how many bytes a sector has, which an MBR does not tell: 4096 when boot sectors are found where
// sectors of 4096 bytes put them and fewer where sectors of 512 bytes do.
func (d *reader) mbrSector(m *mbr) int64 {
	found := func(sector int64) (n int) {
		quiet := reader{disk: d.disk}
		for _, e := range m.entries {
			if e.empty() || e.start == 0 || e.protective() {
				continue
			}
			off := int64(e.start) * sector
			_, record := decodeEntries(quiet.read(off, 512))
			if e.extended() && record || quiet.kindAt(off, int64(e.count)*sector) != "" {
				n++
			}
		}
		return n
	}
	if found(4096) > found(512) {
		return 4096
	}
	return 512
}
