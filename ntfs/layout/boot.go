package layout

import "encoding/binary"

// OEM is BootSector.OEM of an NTFS volume.
const OEM = "NTFS    "

// BootSectorLen is what the boot sector has of use, in bytes, whatever the sector size.
const BootSectorLen = 512

// BootSector is the first sector of a volume, and its last one: struct NTFS_BOOT in ntfs.h.
type BootSector struct {
	OEM               [8]byte // 0x03
	BytesPerSector    uint16  // 0x0b
	SectorsPerCluster uint8   // 0x0d; above 0x80 the negative of a power of two
	Sectors           uint64  // 0x28, of the file system
	MFT               uint64  // 0x30, the LCN of $MFT
	Mirror            uint64  // 0x38, the LCN of $MFTMirr
	ClustersPerRecord uint8   // 0x40, of the $MFT; from 0x80 on the negative of a power of two, of bytes
	Serial            uint64  // 0x48
}

// Decode reads a boot sector of BootSectorLen bytes.
func (s *BootSector) Decode(b []byte) {
	le := binary.LittleEndian
	_ = b[BootSectorLen-1]
	s.OEM = [8]byte(b[0x03:])
	s.BytesPerSector = le.Uint16(b[0x0b:])
	s.SectorsPerCluster = b[0x0d]
	s.Sectors = le.Uint64(b[0x28:])
	s.MFT = le.Uint64(b[0x30:])
	s.Mirror = le.Uint64(b[0x38:])
	s.ClustersPerRecord = b[0x40]
	s.Serial = le.Uint64(b[0x48:])
}

// Cluster is the size of a cluster, in bytes, below 2^47.
func (s *BootSector) Cluster() uint64 {
	return count(s.SectorsPerCluster, 0x80) * uint64(s.BytesPerSector)
}

// Record is the size of a file record, in bytes, below 2^54.
func (s *BootSector) Record() uint64 {
	n := count(s.ClustersPerRecord, 0x7f)
	if s.ClustersPerRecord < 0x80 {
		n *= s.Cluster()
	}
	return n
}

// count reads a number that above limit is the negative of a power of two: 0xf4 stands for 1<<12 (since Windows 10 1709
// for clusters above 64 KiB; always for file records smaller than a cluster).
func count(v, limit byte) uint64 {
	if v <= limit {
		return uint64(v)
	}
	return 1 << min(-int(int8(v)), 31)
}
