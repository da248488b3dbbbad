package partition

import (
	"errors"
	"fmt"
	"slices"
)

// found counts the partitions of a table that hold a volume, by its boot sector. An entry that begins at sector 0 is
// what some programs write into the boot sector of a volume that has the whole disk.
func (d *reader) found(t *Table) (n int) {
	quiet := reader{disk: d.disk}
	for _, p := range t.Partitions {
		if p.Off > 0 && quiet.kindAt(p.Off, p.Len) != "" {
			n++
		}
	}
	return n
}

// sane reports whether a table lists ranges of the disk, behind sector 0 and apart from each other.
func (t *Table) sane(size int64) bool {
	check := Table{Partitions: t.Partitions}
	check.check(size)
	return len(t.Partitions) > 0 && len(check.Warnings) == 0 &&
		!slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.Off == 0 || p.Len == 0 })
}

// weigh decides between the volume of a kind whose boot sector is in sector 0 and a table: one of them may be left from
// another use of the disk. A table is written without the boot code and the BPB before it, a boot sector with all that
// lies where the table has its entries. So a table that leads to volumes is the younger one, unless only its copy at the
// end is there; after that the boot sector counts, where it leads to its own volume or the table makes no sense.
func (d *reader) weigh(kind string, boot []byte, t *Table) *Table {
	if t == nil || kind == "" {
		return t
	}
	leads, sane := d.leads(0, kind, geometryOf(kind, boot)), t.sane(d.disk.Size())
	switch found := d.found(t); {
	case found > 0 && !(t.backup && leads), sane && !leads:
		t.Warnings = append(t.Warnings, fmt.Errorf("the %s boot sector in sector 0 is left from another use of the disk: the partition table counts, of which %d of %d partitions hold a volume", kind, found, len(t.Partitions)))
		return t
	case found > 0 || sane:
		whole := d.whole(kind)
		whole.Warnings = []error{fmt.Errorf("a partition table (%s) is there too, but the volume in sector 0 is where its boot sector says: the table does not count", t.Scheme)}
		return whole
	}
	return d.whole(kind)
}

// unsigned takes an MBR without its signature, if its entries make sense and one of them leads to a volume.
func (d *reader) unsigned(boot []byte) *Table {
	if len(boot) < 512 {
		return nil
	}
	quiet := reader{disk: d.disk}
	m := quiet.entriesOf(boot)
	if m == nil || m.protective {
		return nil
	}
	t := quiet.mbrTable(m)
	if !t.sane(d.disk.Size()) || d.found(t) == 0 {
		return nil
	}
	d.warn(errors.New("MBR: no signature 55aa at 0x1fe: its entries lead to volumes and are used"))
	d.warnings = append(d.warnings, quiet.warnings...)
	return t
}

// compare tells which partitions that a hybrid MBR lists beside the protective one are not in the GPT.
func (d *reader) compare(m *mbr, gpt *Table) {
	for _, p := range d.mbrTable(m).Partitions {
		if !slices.ContainsFunc(gpt.Partitions, func(q Partition) bool { return q.Off == p.Off && q.Len == p.Len }) {
			d.warn(fmt.Errorf("hybrid MBR: partition %d, 0x%x bytes at 0x%x, is not in the GPT, which counts", p.Number, p.Len, p.Off))
		}
	}
}
