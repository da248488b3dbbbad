package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
)

// Found is a volume that was found by what it keeps at its ends, not by a table.
type Found struct {
	Off   int64  // bytes
	Len   int64  // bytes, past the end of the disk where that is cut; up to the next volume where nothing tells
	Kind  string // as FileSystem names it; "" when only a VSS header is there
	Sized bool   // Len is what the volume says
	Sound bool   // what the boot sector names is where it says: of NTFS the record of $MFT, or its copy
	Marks []Mark // what it is known by, in order of their places
	Outer int64  // where a sound volume begins, for which more speaks, that this one lies in or overlaps; -1 for none
}

// Mark is a sector that a volume is known by.
type Mark struct {
	Off  int64  // bytes
	What string // BootSector, BootCopy, VSSHeader or Metadata
}

// What a Mark is.
const (
	BootSector = "boot sector"
	BootCopy   = "copy of the boot sector" // of NTFS the last sector of the volume
	VSSHeader  = "VSS header"              // at 0x1e00 of a volume
	Metadata   = "BitLocker metadata"      // one of three copies, with a right checksum, which names the places of all
)

// Scan is what a search of a disk found.
type Scan struct {
	Found    []Found // in the order of their offsets
	Unread   []Range // what could not be read
	Complete bool    // all was looked at that was to be; else there was more than is looked at
}

// Range is a part of a disk, in bytes.
type Range struct{ Off, Len int64 }

const (
	vssHeaderOffset = 0x1e00
	vssIdentifier   = "\x6b\x87\x08\x38\x76\xc1\x48\x4e\xb7\xae\x04\x04\x6e\x6c\xc7\x52" // 3808876b-c176-4e48-b7ae-04046e6cc752
	vssVolumeHeader = 1                                                                  // type of record, at 0x14
)

// aBlock is no kind of a boot sector.
const aBlock = "metadata"

// maxHits bounds how many boot sectors and headers of one disk are weighed.
const maxHits = 1 << 14

// hit is a sector that a volume could be known by.
type hit struct {
	off      int64
	kind     string // "" for a VSS header, aBlock for what could be metadata of BitLocker
	doubtful bool   // it could be of several volumes
	geometry
}

// scanner looks at sectors and keeps hits.
type scanner struct {
	reader
	hits   []hit
	at     map[int64]bool // of hits
	unread []Range
	short  bool // there were too many
}

// look takes the sectors of b, which is at off, a multiple of 512.
func (s *scanner) look(off int64, b []byte) {
	for ; len(b) >= 512; off, b = off+512, b[512:] {
		sector := b[:512]
		h := hit{off: off, kind: volumeKind(sector)}
		switch {
		case h.kind != "":
			h.geometry = geometryOf(h.kind, sector)
		case bitlocker.IsMetadata(sector):
			h.kind = aBlock
		case string(sector[:16]) != vssIdentifier || sector[0x14] != vssVolumeHeader || off < vssHeaderOffset:
			continue
		}
		switch {
		case s.at[off]:
		case len(s.hits) == maxHits:
			s.short = true
		default:
			s.hits, s.at[off] = append(s.hits, h), true
		}
	}
}

// ScanAll reads every sector of a disk, but for holes, and finds the volumes that begin or end in any of them. What cannot
// be read costs nothing else. Its error is the cause of ctx.
func ScanAll(ctx context.Context, disk layer.Mapper, progress layer.Progress) (*Scan, error) {
	const window = 1 << 20
	s := scanner{reader: reader{disk: disk}, at: map[int64]bool{}}
	size := disk.Size()
	for w, err := range layer.Scan(disk, size, 512, window) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		progress.Tell("scanning: byte", w.Off, size)
		if err != nil {
			s.unread = append(s.unread, Range{w.Off, w.Len})
			continue
		}
		s.look(w.Off, w.Data)
	}
	progress.Tell("scanning: byte", size, size)
	found := s.merge()
	return &Scan{Found: found, Unread: s.unread, Complete: !s.short}, nil
}

// Find is List; where no table leads to a volume, the partitions are those found at the likely places, with the numbers
// behind those that are there. That is told by warnings, and no proof that there are no others: see ScanAll.
func Find(ctx context.Context, disk layer.Source) (*Table, error) {
	t, err := List(disk)
	d := reader{disk: disk}
	if t != nil && d.usable(t) {
		return t, nil
	}
	likely, ended := ScanLikely(ctx, disk)
	if ended != nil {
		return t, ended
	}
	if added := t.with(likely, err); added != nil {
		return added, nil
	}
	if t == nil && errors.Is(err, layer.ErrFormat) {
		err = fmt.Errorf("partition table: %s, in the likely places too (scan searches the whole disk): %w", lookedFor, layer.ErrFormat)
	}
	return t, err
}

// usable reports whether a table leads to a volume. A volume that is said to have the whole disk has to be there, or its
// snapshots: all that is found otherwise lies within.
func (d *reader) usable(t *Table) bool {
	if t.Scheme != None {
		return d.found(t) > 0
	}
	boot := d.read(0, 512)
	if kind := volumeKind(boot); kind != "" && d.leads(0, kind, geometryOf(kind, boot)) {
		return true
	}
	if b := d.bootCopy(0, d.disk.Size()); b != nil && d.leads(0, "ntfs", geometryOf("ntfs", b)) {
		return true
	}
	b := d.read(vssHeaderOffset, 16)
	return string(b) == vssIdentifier
}

// with returns a table with the volumes found added, in place of one volume on all the disk; nil when there are none. err
// is why t is nil.
func (t *Table) with(s *Scan, err error) *Table {
	out := &Table{Scheme: Searched, SectorSize: 512}
	number := 0
	switch {
	case t == nil:
		if errors.Is(err, layer.ErrCorrupt) {
			out.Warnings = []error{err}
		}
	case t.Scheme == None && slices.ContainsFunc(s.Found, func(f Found) bool { return f.Sound && f.Off == 0 }):
		return nil // it is that one
	case t.Scheme == None:
		out.Warnings = append(slices.Clone(t.Warnings), fmt.Errorf("the %s boot sector in sector 0 leads nowhere: it is not used", t.Partitions[0].Type))
	default:
		copied := *t
		out = &copied
		for _, p := range t.Partitions {
			number = max(number, p.Number)
		}
	}
	before := len(out.Partitions)
	for _, f := range s.Found {
		here := func(p Partition) bool { return p.Off == f.Off }
		if f.Outer >= 0 || !f.Sound && !f.has(VSSHeader) || slices.ContainsFunc(out.Partitions, here) {
			continue
		}
		number++
		out.Partitions = append(out.Partitions, Partition{Number: number, Off: f.Off, Len: f.Len, Type: "in no table, found by searching", Searched: true})
		out.Warnings = append(out.Warnings, fmt.Errorf("partition %d is in no table: 0x%x bytes at 0x%x, found by the %s", number, f.Len, f.Off, f.Marks[0].What))
	}
	if len(out.Partitions) == before {
		return nil
	}
	out.Warnings = append(out.Warnings, errors.New("no table leads to a volume: there may be more than were found in the likely places; scan searches the whole disk"))
	return out
}

// BothEnds reports whether a volume is known by its boot sector and by the copy of it.
func (f *Found) BothEnds() bool { return f.has(BootSector) && f.has(BootCopy) }

// has reports whether a volume is known by a kind of mark.
func (f *Found) has(what string) bool {
	return slices.ContainsFunc(f.Marks, func(m Mark) bool { return m.What == what })
}
