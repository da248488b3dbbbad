package partition

import (
	"cmp"
	"encoding/binary"
	"math/bits"

	"snapmount/imagefmt/bitlocker"
)

// geometry is what a boot sector says of its volume, in bytes from the volume's start; 0 where it does not tell.
type geometry struct {
	size    int64 // to the end of the last sector
	copy    int64 // where the copy of the boot sector is: of NTFS in the last sector, of FAT32 and exFAT near the first
	anchors []anchor
}

// anchor is a place that a boot sector names, and how to know what has to be there by its first anchorLen bytes.
type anchor struct {
	off int64
	is  func(b []byte) bool
}

const anchorLen = 64

// maxVolume bounds what is believed of sizes and places: the largest NTFS volume has 2^32 clusters of 2 MiB.
const maxVolume = 1 << 53

// geometryOf decodes the boot sector b of a kind as volumeKind names it. It knows no place to look at for ReFS and LUKS.
func geometryOf(kind string, b []byte) (g geometry) {
	switch kind {
	case "ntfs":
		g = ntfsGeometry(b)
	case "bitlocker":
		copies, _ := bitlocker.Boot(b)
		g = bitLockerGeometry(copies)
	case "exfat":
		g = exFATGeometry(b)
	case "fat12", "fat16", "fat32":
		g = fatGeometry(b)
	case "refs": // sectors at 0x18, bytes of one at 0x20
		g.size = product(binary.LittleEndian.Uint64(b[24:]), uint64(binary.LittleEndian.Uint32(b[32:])))
	}
	return g
}

// product multiplies; 0 where that is no size of a volume.
func product(a, b uint64) int64 {
	if hi, lo := bits.Mul64(a, b); hi == 0 && lo <= maxVolume {
		return int64(lo)
	}
	return 0
}

// ntfsGeometry reads bytes per sector (0x0b), sectors per cluster (0x0d, from 0xf4 on a power of two), sectors (0x28) and
// the clusters of $MFT (0x30) and $MFTMirr (0x38).
func ntfsGeometry(b []byte) (g geometry) {
	le := binary.LittleEndian
	sector, perCluster := uint64(le.Uint16(b[11:])), uint64(b[13])
	if perCluster >= 0xf4 {
		perCluster = 1 << (256 - perCluster)
	}
	if sector < 256 || bits.OnesCount64(sector) != 1 || bits.OnesCount64(perCluster) != 1 {
		return g
	}
	if g.copy = product(le.Uint64(b[0x28:]), sector); g.copy > 0 {
		g.size = g.copy + int64(sector)
	}
	for _, at := range []int{0x30, 0x38} {
		g.add(product(le.Uint64(b[at:]), sector*perCluster), isTableRecord)
	}
	return g
}

func (g *geometry) add(off int64, is func([]byte) bool) {
	if off > 0 {
		g.anchors = append(g.anchors, anchor{off, is})
	}
}

// isTableRecord knows the record of $MFT: number 0, where records have one (0x2c, before the update sequence at 0x30).
func isTableRecord(b []byte) bool {
	le := binary.LittleEndian
	return string(b[:4]) == "FILE" && le.Uint16(b[22:])&1 != 0 && (le.Uint16(b[4:]) < 0x30 || le.Uint32(b[44:]) == 0)
}

// bitLockerGeometry is of a volume whose metadata blocks are at these places.
func bitLockerGeometry(copies []int64) (g geometry) {
	for _, off := range copies {
		g.add(off, bitlocker.IsMetadata)
	}
	return g
}

// exFATGeometry reads sectors (72), the sector of the table (80) and the power of two of a sector's bytes (108).
func exFATGeometry(b []byte) (g geometry) {
	le := binary.LittleEndian
	if b[108] > 12 {
		return g
	}
	g.size, g.copy = product(le.Uint64(b[72:]), 1<<b[108]), 12<<b[108]
	g.add(product(uint64(le.Uint32(b[80:])), 1<<b[108]), func(b []byte) bool { return string(b[:4]) == "\xf8\xff\xff\xff" })
	return g
}

// fatGeometry reads bytes per sector (11), reserved sectors (14), sectors (19, or 32), the medium (21), which the table
// begins with, and of FAT32 the sector of the copy (50).
func fatGeometry(b []byte) (g geometry) {
	le := binary.LittleEndian
	sector := uint64(le.Uint16(b[11:]))
	g.size = product(cmp.Or(uint64(le.Uint16(b[19:])), uint64(le.Uint32(b[32:]))), sector)
	if le.Uint16(b[22:]) == 0 {
		g.copy = product(uint64(le.Uint16(b[50:])), sector)
	}
	table := string([]byte{b[21], 0xff, 0xff})
	g.add(product(uint64(le.Uint16(b[14:])), sector), func(b []byte) bool { return string(b[:3]) == table })
	return g
}

// weight counts what is where the boot sector of the volume at off says.
func (d *reader) weight(off int64, g geometry) (n int) {
	for _, a := range g.anchors {
		if b := d.read(off+a.off, anchorLen); b != nil && a.is(b) {
			n++
		}
	}
	return n
}

// leads reports whether something is where a boot sector says, or it names nothing that could be looked at.
func (d *reader) leads(off int64, kind string, g geometry) bool {
	return d.weight(off, g) > 0 || kind == "refs"
}
