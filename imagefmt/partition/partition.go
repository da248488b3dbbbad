// Package partition lists the partitions of a disk: GPT (UEFI specification 2.10, chapter 5), MBR with logical
// partitions, and disks that are one volume without a table; with sectors of 512 and of 4096 bytes.
package partition

import (
	"errors"
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

	Searched = "searched" // there is no table: volumes were found where they mostly are
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

	Searched bool // in no table, but found where volumes mostly are
}

// Table is what a disk says of its partitions.
type Table struct {
	Scheme     string
	SectorSize int          // bytes; 512 for the whole disk
	ID         wintype.GUID // GPT only
	Signature  uint32       // MBR only
	Partitions []Partition  // in the order of their numbers; containers of logical partitions are not among them
	Warnings   []error      // what is damaged, overlaps or reaches past the end

	backup bool // only the copy of a GPT is there
}

// List finds the partitions of disk. A disk with neither table nor volume is a layer.ErrFormat, one whose tables are
// all damaged a layer.ErrCorrupt.
func List(disk layer.Source) (*Table, error) {
	d := reader{disk: disk}
	boot := d.read(0, 512)
	kind := volumeKind(boot)
	table, err := d.tables(boot, kind)
	if table = d.weigh(kind, boot, table); table == nil && kind != "" {
		table = d.whole(kind)
	}
	if kind != "" && table.Scheme == None { // what was odd was no table
		d.warnings = nil
	}
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
		err = fmt.Errorf("%s: %w", lookedFor, layer.ErrFormat)
	}
	return nil, fmt.Errorf("partition table: %w", err)
}

const lookedFor = "looked for GPT, MBR and the boot sectors of NTFS, ReFS, BitLocker, LUKS, exFAT and FAT"

// tables decides between GPT and MBR; nil without an error when there is neither. kind is of the boot sector in sector 0.
func (d *reader) tables(boot []byte, kind string) (*Table, error) {
	mbr := d.readMBR(boot)
	protective := mbr != nil && mbr.protective
	gpt, err := d.readGPT(mbr, kind == "")
	switch {
	case gpt != nil && mbr != nil && !protective:
		return d.older(d.mbrTable(mbr), gpt), nil
	case gpt != nil:
		if mbr == nil {
			d.warn(errors.New("GPT: no protective MBR"))
		} else {
			d.compare(mbr, gpt)
		}
		return gpt, nil
	case mbr != nil && !protective:
		return d.mbrTable(mbr), nil
	case protective:
		return d.hybridAlone(mbr, err)
	case err == nil:
		return d.unsigned(boot), nil
	}
	if t := d.unsigned(boot); t != nil {
		return t, nil
	}
	return nil, err
}

// older decides between an MBR without a protective partition and a GPT. Windows and Linux believe the MBR here: the GPT
// is what an older use of the disk left, unless it alone leads to volumes.
func (d *reader) older(mbr, gpt *Table) *Table {
	if d.found(mbr) == 0 && d.found(gpt) > 0 {
		d.warn(errors.New("an MBR without a protective partition is there too, but only the GPT leads to volumes: the GPT counts"))
		return gpt
	}
	d.warn(errors.New("a GPT is there too, but the MBR has no protective partition: the MBR counts"))
	return mbr
}

// hybridAlone takes what a hybrid MBR lists beside the protective partition, where that leads to volumes.
func (d *reader) hybridAlone(m *mbr, err error) (*Table, error) {
	if err == nil {
		err = layer.Corrupt("MBR", 0, "a protective partition, but no GPT at either end of the disk")
	}
	if t := d.mbrTable(m); d.found(t) > 0 {
		d.warn(fmt.Errorf("%w: the other partitions of the hybrid MBR are used", err))
		return t, nil
	}
	return nil, err
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
