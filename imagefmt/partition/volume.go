package partition

import (
	"cmp"
	"encoding/binary"
	"errors"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
)

// volumeKind names the file system, or the encryption, whose boot sector b begins with, "" when it is none. A boot sector and an MBR share
// their signature at 510, so this comes before the MBR.
func volumeKind(b []byte) string {
	if len(b) < 512 {
		return ""
	}
	signed := b[510] == 0x55 && b[511] == 0xaa
	switch {
	case string(b[3:11]) == "NTFS    " && (signed || ntfsFields(b)):
		return "ntfs"
	case signed && isBitLocker(b):
		return "bitlocker"
	case string(b[:6]) == luks && b[6] == 0 && (b[7] == 1 || b[7] == 2):
		return "luks"
	case string(b[3:11]) == "EXFAT   " && signed:
		return "exfat"
	case string(b[3:11]) == "ReFS\x00\x00\x00\x00" && string(b[16:20]) == "FSRS":
		return "refs"
	case signed:
		return fat(b)
	}
	return ""
}

// ntfsFields reports whether a boot sector without its signature has the fields of NTFS: sizes of sectors and clusters,
// zeros where FAT has its own, the place of $MFT.
func ntfsFields(b []byte) bool {
	le := binary.LittleEndian
	sector, perCluster := le.Uint16(b[11:]), b[13]
	return sector >= 512 && sector <= 4096 && sector&(sector-1) == 0 && (perCluster&(perCluster-1) == 0 || perCluster >= 0xf4) && perCluster != 0 &&
		le.Uint32(b[14:])&0xffffff == 0 && le.Uint16(b[22:]) == 0 && le.Uint32(b[32:]) == 0 && le.Uint64(b[0x28:]) != 0 && le.Uint64(b[0x30:]) != 0
}

// luks begins the header of Linux' disk encryption, before its version, 1 or 2, in big endian.
const luks = "LUKS\xba\xbe"

// isBitLocker knows boot sectors of encrypted volumes, removable ones too, whose boot sector is of FAT32 otherwise.
func isBitLocker(b []byte) bool {
	_, ok := bitlocker.Boot(b)
	return ok
}

// fat returns which FAT has a boot sector with a sound parameter block and one of its names, "" for none. As Microsoft
// says, the names tell nothing more and the number of clusters decides.
func fat(b []byte) string {
	name := string(b[54:62])
	if string(b[82:90]) == "FAT32   " {
		name = "FAT32   "
	}
	switch name {
	case "FAT     ", "FAT12   ", "FAT16   ", "FAT32   ":
	default:
		return ""
	}
	le := binary.LittleEndian
	sector, perCluster := uint64(le.Uint16(b[11:])), uint64(b[13])
	if sector < 512 || sector > 4096 || sector&(sector-1) != 0 || perCluster == 0 || perCluster&(perCluster-1) != 0 ||
		le.Uint16(b[14:]) == 0 || b[16] != 1 && b[16] != 2 || b[21] < 0xf0 {
		return ""
	}
	table := uint64(le.Uint16(b[22:]))
	if table == 0 {
		return "fat32"
	}
	total := cmp.Or(uint64(le.Uint16(b[19:])), uint64(le.Uint32(b[32:])))
	used := uint64(le.Uint16(b[14:])) + uint64(b[16])*table + (32*uint64(le.Uint16(b[17:]))+sector-1)/sector
	switch {
	case total < used:
		return ""
	case (total-used)/perCluster < 4085:
		return "fat12"
	}
	return "fat16"
}

// backupVolume recognises an NTFS volume whose boot sector is lost by the copy in its last sector, and only on a disk
// without a table.
func (d *reader) backupVolume() *Table {
	if d.bootCopy(0, d.disk.Size()) == nil {
		return nil
	}
	d.warn(errors.New("NTFS: boot sector damaged, its copy in the last sector is there"))
	return d.whole("ntfs")
}

// bootCopy looks for the copy of an NTFS boot sector in the last sector, of either size, of the n bytes at off. One that
// tells of a volume which begins elsewhere is none: a range may end where another volume does.
func (d *reader) bootCopy(off, n int64) []byte {
	for _, sector := range []int64{512, 4096} {
		at := off + n - sector
		if at < off {
			continue
		}
		b := d.read(at, 512)
		if volumeKind(b) != "ntfs" {
			continue
		}
		if g := geometryOf("ntfs", b); g.copy == 0 || g.copy == at-off || d.leads(off, "ntfs", g) {
			return b
		}
	}
	return nil
}

// kindAt names what the n bytes at off hold, as FileSystem does.
func (d *reader) kindAt(off, n int64) string {
	if kind := volumeKind(d.read(off, 512)); kind != "" {
		return kind
	}
	if d.bootCopy(off, n) != nil {
		return "ntfs"
	}
	return ""
}

// FileSystem names what a volume holds by its boot sector: "ntfs", "refs", "bitlocker", "luks", "exfat", "fat12", "fat16"
// or "fat32"; "" when it is something else or cannot be read. NTFS is also known by the copy of its boot sector at the end.
func FileSystem(volume layer.Source) string {
	d := reader{disk: volume}
	return d.kindAt(0, volume.Size())
}
