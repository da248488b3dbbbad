package device

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// What is taken for the size of sectors where a device does not tell: a multiple of that of all disks there are.
const usualSector = 4096

// geometryOf makes sense of what a device of Windows answers: its length by IOCTL_DISK_GET_LENGTH_INFO, 0 where it has none,
// and b by IOCTL_DISK_GET_DRIVE_GEOMETRY_EX or, without the last field, IOCTL_DISK_GET_DRIVE_GEOMETRY; empty where it has
// neither. Numbers are little-endian. Source: winioctl.h, DISK_GEOMETRY (24 bytes) and DISK_GEOMETRY_EX.
func geometryOf(length int64, b []byte) (Geometry, error) {
	g := Geometry{Size: length, Sector: usualSector}
	if len(b) >= 24 {
		cylinders, tracks := binary.LittleEndian.Uint64(b[0:]), binary.LittleEndian.Uint32(b[12:])
		sectors, sector := binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])
		if sector >= 512 && sector <= 1<<16 && sector&(sector-1) == 0 {
			g.Sector = int64(sector)
		}
		over, track := bits.Mul64(uint64(tracks), uint64(sectors)*uint64(sector))
		over2, size := bits.Mul64(cylinders, track)
		if g.Size <= 0 && over|over2 == 0 && int64(size) > 0 { // by what a disk was said to be made of, once
			g.Size = int64(size)
		}
	}
	if len(b) >= 32 && length <= 0 {
		if size := int64(binary.LittleEndian.Uint64(b[24:])); size > 0 {
			g.Size = size
		}
	}
	if g.Size <= 0 {
		return Geometry{}, errors.New("the device does not tell it")
	}
	return g, nil
}
