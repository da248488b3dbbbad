package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// tailSearched is how far before the end of a partition the copy of the boot sector is looked for, where the boot sector
// does not tell: partitions are larger than their volumes by what rounding, a failed resize or another system left.
const tailSearched = 64 << 20

// What speaks for a boot sector, as the bits of its merit.
const (
	meritPlace  = 1 << iota // it is where the volume that it tells of has its copy
	meritMirror             // it leads to $MFTMirr
	meritTable              // it leads to the record of $MFT, which says that it lies there
)

// A bootCopy is a boot sector, or its copy, and what speaks for it.
type bootCopy struct {
	boot
	off   int64
	merit int
}

// Probe is nil where s holds an NTFS volume that can be found by its boot sector or a copy of it, whatever of them is
// damaged; else a layer.ErrFormat or why s cannot be read. It is for what has no sound boot sector: it may read 64 MiB.
func Probe(s layer.Source) error {
	best, err := bestBoot(s)
	if err == nil && best.merit&^meritPlace == 0 {
		err = fmt.Errorf("boot sector at 0x%x: no $MFT where it says: %w", best.off, layer.ErrFormat)
	}
	return err
}

// readBoot reads the boot sector. Unless its copy says the same, both are weighed by what they lead to.
func readBoot(s layer.Source, warn func(error)) (boot, error) {
	first, err := copyAt(s, 0)
	second, missing := bootCopy{}, err
	if err == nil {
		if second, missing = copyAt(s, first.size); missing == nil && second.boot == first.boot {
			return first.boot, nil
		}
	}
	best, err2 := bestBoot(s)
	switch {
	case err2 != nil:
		return boot{}, err2
	case best.off != 0 && err != nil:
		warn(fmt.Errorf("boot sector is unusable, its copy at 0x%x is used: %w", best.off, err))
	case best.off != 0:
		warn(layer.Corrupt("boot sector", 0, "leads nowhere or to another end of the volume; its copy at 0x%x is used", best.off))
	case best.merit&meritTable == 0:
		warn(layer.Corrupt("boot sector", 0, "the record of $MFT is not where it says"))
	case err != nil:
		warn(fmt.Errorf("boot sector: the size of the partition is taken for that of the volume: %w", err))
	case missing == nil:
		warn(layer.Corrupt("boot sector", second.off, "the copy says otherwise than the boot sector, which is used"))
	}
	return best.boot, nil
}

// bestBoot weighs the boot sector and all copies that are found. Of those that weigh the same it takes the first.
func bestBoot(s layer.Source) (bootCopy, error) {
	_, err := copyAt(s, 0)
	var list []bootCopy
	for _, off := range append([]int64{0}, copyPlaces(s)...) {
		if c, err := copyAt(s, off); err == nil {
			list = append(list, c)
		}
	}
	best := heaviest(s, list)
	if best == nil || best.doubtful(s) {
		if found := heaviest(s, searchTail(s)); found != nil && (best == nil || found.merit > best.merit) {
			best = found
		}
	}
	if best == nil {
		if best = heaviest(s, resized(s)); best == nil || best.merit&^meritPlace == 0 { // made up, and it leads nowhere
			return bootCopy{}, err
		}
	}
	return *best, nil
}

// doubtful reports whether it is worth looking for another copy: this one leads to no $MFT, or to one that goes on behind
// a volume whose end no copy confirms.
func (c *bootCopy) doubtful(s layer.Source) bool {
	return c.merit&meritTable == 0 || c.off == 0 && c.size < s.Size() && c.merit&meritPlace == 0 && !mapsWithin(s, c)
}

// heaviest returns the one of list that most speaks for, nil for none.
func heaviest(s layer.Source, list []bootCopy) *bootCopy {
	var best *bootCopy
	for i := range list {
		c := &list[i]
		if c.merit = c.boot.leads(s); c.off == c.size {
			c.merit |= meritPlace
		} else if second, err := copyAt(s, c.size); err == nil && second.size == c.size {
			c.merit |= meritPlace
		}
		if best == nil || c.merit > best.merit {
			best = c
		}
	}
	return best
}

// copyPlaces gives where the copy is: behind the volume, as the first boot sector tells even where all else of it is
// spoiled, and at the end of the partition.
func copyPlaces(s layer.Source) []int64 {
	var out []int64
	b := make([]byte, layout.BootSectorLen)
	if layer.ReadFull(s, b, 0) == nil && string(b[3:11]) == layout.OEM {
		le := binary.LittleEndian
		sectors := le.Uint64(b[0x28:])
		for _, sector := range []uint64{uint64(le.Uint16(b[0x0b:])), 512, 4096} {
			if size := sectors * sector; sectors < 1<<48 && size > 0 && int64(size) <= s.Size()-layout.BootSectorLen {
				out = append(out, int64(size))
			}
		}
	}
	for sector := int64(512); sector <= 4096; sector *= 2 {
		if off := s.Size() - sector; off > 0 {
			out = append(out, off)
		}
	}
	return out
}

// searchTail looks for copies near the end of a partition that is larger than its volume: each of them lies at the very
// offset that is the size of its volume.
func searchTail(s layer.Source) (out []bootCopy) {
	const most = 16
	start := max(s.Size()-tailSearched, layout.BootSectorLen) &^ (layout.BootSectorLen - 1)
	tail, err := layer.Section(s, start, s.Size()-start)
	if err != nil {
		return nil
	}
	for w, err := range layer.Scan(tail, tail.Size(), layout.BootSectorLen, scanWindow) {
		if err != nil {
			continue // the copy may be elsewhere
		}
		for at := 0; at+layout.BootSectorLen <= len(w.Data) && len(out) < most; at += layout.BootSectorLen {
			b := w.Data[at:][:layout.BootSectorLen]
			if string(b[3:11]) != layout.OEM {
				continue
			}
			off := start + w.Off + int64(at)
			if g, err := decodeBoot(b, off); err == nil && g.size == off {
				out = append(out, bootCopy{boot: g, off: off})
			}
		}
	}
	return out
}

// resized gives boot sectors whose size of the volume makes no sense, with that of the partition in its place.
func resized(s layer.Source) (out []bootCopy) {
	for _, off := range append([]int64{0}, copyPlaces(s)...) {
		b := make([]byte, layout.BootSectorLen)
		if layer.ReadFull(s, b, off) != nil {
			continue
		}
		if sector := int64(binary.LittleEndian.Uint16(b[0x0b:])); sector > 0 {
			binary.LittleEndian.PutUint64(b[0x28:], uint64(s.Size()/sector))
		}
		if g, err := decodeBoot(b, off); err == nil {
			out = append(out, bootCopy{boot: g, off: off})
		}
	}
	return out
}

// copyAt decodes the boot sector at off.
func copyAt(s layer.Source, off int64) (bootCopy, error) {
	if layer.Clip(s.Size(), off, layout.BootSectorLen) < layout.BootSectorLen {
		return bootCopy{}, fmt.Errorf("boot sector: %d bytes are too few: %w", s.Size(), layer.ErrFormat)
	}
	b := make([]byte, layout.BootSectorLen)
	if err := layer.ReadFull(s, b, off); err != nil {
		return bootCopy{}, fmt.Errorf("boot sector: %w", err)
	}
	g, err := decodeBoot(b, off)
	return bootCopy{boot: g, off: off}, err
}

// leads tells what is where a boot sector says: the record of $MFT, in $MFT and in $MFTMirr, which says the same.
func (g *boot) leads(s layer.Source) (merit int) {
	if r, err := g.tableRecord(s, g.mft); err == nil && firstRun(&r) == g.mft {
		merit |= meritTable
	}
	if g.mirror == 0 {
		return merit
	}
	if r, err := g.tableRecord(s, g.mirror); err == nil && firstRun(&r) == g.mft {
		merit |= meritMirror
	}
	return merit
}

// tableRecord reads the record of $MFT that is at a cluster.
func (g *boot) tableRecord(s layer.Source, lcn int64) (fileRecord, error) {
	b, off := make([]byte, g.record), lcn*int64(g.cluster)
	err := layer.ReadFull(s, b, off)
	if err == nil {
		err = layout.Protected(b, layout.FileMagic, "file record", off)
	}
	if err != nil {
		return fileRecord{}, err
	}
	r, err := decodeRecord(b, recordMFT, 0)
	if number, ok := ownNumber(b); err == nil && ok && number != recordMFT {
		err = layer.Corrupt("file record", off, "number %d, want that of $MFT", number)
	}
	if err == nil && (r.flags&layout.RecordInUse == 0 || r.base != Ref{}) {
		err = layer.Corrupt("file record", off, "not in use, or an extension record: want that of $MFT")
	}
	return r, err
}

// firstRun is the cluster that the content of $MFT begins at, by its record; -1 when that does not tell.
func firstRun(r *fileRecord) int64 {
	for c := r.cursor(); c.next(); {
		if c.typ != typeData || len(c.name) > 0 || c.attribute.err != nil || c.resident || c.low != 0 {
			continue
		}
		for _, lcn := range pairs(c.pairs, maxVCN) {
			return lcn
		}
	}
	return -1
}

// mapsWithin reports whether $MFT maps no cluster past the end of the volume that a boot sector tells of.
func mapsWithin(s layer.Source, c *bootCopy) bool {
	r, err := c.tableRecord(s, c.mft)
	if err != nil {
		return false
	}
	for at := r.cursor(); at.next(); {
		if at.typ != typeData || at.attribute.err != nil || at.resident {
			continue
		}
		for n, lcn := range pairs(at.pairs, maxVCN) {
			if checkRun(lcn, n, c.clusters) != nil {
				return false
			}
		}
	}
	return true
}
