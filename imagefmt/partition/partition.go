// Package partition lists the partitions of a disk: GPT (UEFI specification 2.10, chapter 5), MBR with logical
// partitions, and disks that are one volume without a table; with sectors of 512 and of 4096 bytes.
package partition

import (
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Schemes of a Table.
const (
	GPT  = "gpt"
	MBR  = "mbr"
	None = "none" // the disk is one volume
)

// Partition is a range of the disk.
type Partition struct {
	Number int    // as Linux counts: entry of a GPT from 1; MBR 1 to 4, logical ones from 5; 0 is the whole disk
	Off    int64  // bytes
	Len    int64  // bytes; may reach past the end of the disk, see Table.Warnings
	TypeID string // "0x07", or a GUID in lower case; "" for the whole disk
	Type   string // what TypeID stands for, in words; for the whole disk as by FileSystem
	Name   string // GPT only
	ID     wintype.GUID
	Active bool // MBR only
}

// Table is what a disk says of its partitions.
type Table struct {
	Scheme     string
	SectorSize int          // bytes; 512 for the whole disk
	ID         wintype.GUID // GPT only
	Signature  uint32       // MBR only
	Partitions []Partition  // in the order of their numbers; containers of logical partitions are not among them
	Warnings   []error      // what is damaged, overlaps or reaches past the end
}

// List finds the partitions of disk. A disk with neither table nor volume is a layer.ErrFormat, one whose tables are
// all damaged a layer.ErrCorrupt.
func List(disk layer.Source) (*Table, error) {
	d := reader{disk: disk}
	boot := d.read(0, 512)
	if kind := volumeKind(boot); kind != "" {
		return d.whole(kind), nil
	}
	table, err := d.tables(boot)
	if table == nil && err == nil {
		table = d.backupVolume()
	}
	if table != nil {
		table.Warnings = append(d.warnings, table.Warnings...)
		table.Warnings = append(table.Warnings, table.pools(&d)...)
		table.check(disk.Size())
		return table, nil
	}
	if err == nil && d.readErr != nil {
		err = d.readErr
	}
	if err == nil {
		err = fmt.Errorf("looked for GPT, MBR and the boot sectors of NTFS, ReFS, BitLocker, exFAT and FAT: %w", layer.ErrFormat)
	}
	return nil, fmt.Errorf("partition table: %w", err)
}

// tables decides between GPT and MBR; nil without an error when there is neither.
func (d *reader) tables(boot []byte) (*Table, error) {
	mbr := d.readMBR(boot)
	protective := mbr != nil && mbr.protective
	gpt, err := d.readGPT(mbr == nil || protective)
	switch {
	case gpt != nil && mbr != nil && !protective:
		// Windows and Linux believe the MBR here; the GPT is what an older use of the disk left.
		d.warn(fmt.Errorf("a GPT is there too, but the MBR has no protective partition: the MBR counts"))
		return d.mbrTable(mbr), nil
	case gpt != nil:
		if mbr == nil {
			d.warn(fmt.Errorf("GPT: no protective MBR"))
		}
		return gpt, nil
	case mbr != nil && !protective:
		return d.mbrTable(mbr), nil
	case err != nil:
		return nil, err
	case protective:
		return nil, layer.Corrupt("MBR", 0, "a protective partition, but no GPT at either end of the disk")
	}
	return nil, nil
}

// reader reads a disk and keeps what is worth a warning.
type reader struct {
	disk     layer.Source
	warnings []error
	readErr  error  // the first
	doubtful *Table // a GPT with a wrong checksum
}

func (d *reader) warn(err error) { d.warnings = append(d.warnings, err) }

// read returns n bytes at off, or nil when the disk ends before; a failing disk is a warning.
func (d *reader) read(off, n int64) []byte {
	if n == 0 || layer.Clip(d.disk.Size(), off, n) < n {
		return nil
	}
	b := make([]byte, n)
	if err := layer.ReadFull(d.disk, b, off); err != nil {
		err = fmt.Errorf("sector at 0x%x: %w", off, err)
		if d.readErr == nil {
			d.readErr = err
		}
		d.warn(err)
		return nil
	}
	return b
}

// whole is the table of a disk that is one volume.
func (d *reader) whole(kind string) *Table {
	return &Table{Scheme: None, SectorSize: 512, Partitions: []Partition{{Len: d.disk.Size(), Type: kind}}}
}

// check warns of partitions that reach past the end or into each other.
func (t *Table) check(size int64) {
	byOff := slices.Clone(t.Partitions)
	slices.SortStableFunc(byOff, func(a, b Partition) int { return int(min(1, max(-1, a.Off-b.Off))) })
	var last Partition // the one that reaches furthest
	for i, p := range byOff {
		if p.Len > size-p.Off {
			t.Warnings = append(t.Warnings, fmt.Errorf("partition %d: ends at 0x%x, past the end of the disk at 0x%x", p.Number, p.Off+p.Len, size))
		}
		if i > 0 && p.Off < last.Off+last.Len {
			t.Warnings = append(t.Warnings, fmt.Errorf("partition %d: overlaps partition %d", p.Number, last.Number))
		}
		if i == 0 || p.Off+p.Len > last.Off+last.Len {
			last = p
		}
	}
}
