package ntfs

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"snapmount/imagefmt/layer"
)

// bootSize is the part of the boot sector that is read, whatever the sector size.
const bootSize = 512

// boot is the geometry of a volume, from its boot sector.
type boot struct {
	sector, cluster, record int   // bytes
	size                    int64 // bytes of the file system
	clusters                int64
	mft, mirror             int64 // LCN of $MFT and $MFTMirr
	serial                  uint64
}

// decodeBoot decodes and checks the 512 bytes at off. It wraps layer.ErrFormat when they are no NTFS boot sector.
func decodeBoot(b []byte, off int64) (boot, error) {
	le := binary.LittleEndian
	if id := string(b[3:11]); id != oemID {
		return boot{}, fmt.Errorf("boot sector: OEM id %q, want %q: %w", id, oemID, layer.ErrFormat)
	}
	sector := uint64(le.Uint16(b[0x0b:]))
	perCluster := sizeField(b[0x0d], 0x80)
	sectors := le.Uint64(b[0x28:])
	mft, mirror := le.Uint64(b[0x30:]), le.Uint64(b[0x38:])
	g := boot{sector: int(sector), serial: le.Uint64(b[0x48:])}
	if sector < 512 || sector > 4096 || bits.OnesCount64(sector) != 1 {
		return g, bootError(off, "%d bytes per sector, want a power of two from 512 to 4096", sector)
	}
	cluster := perCluster * sector // at most 2^31 * 2^12
	if cluster > 2<<20 || bits.OnesCount64(cluster) != 1 {
		return g, bootError(off, "%d bytes per cluster, want a power of two up to 2 MiB", cluster)
	}
	record := sizeField(b[0x40], 0x7f)
	if b[0x40] < 0x80 {
		record *= cluster
	}
	if record < 256 || record > 64<<10 || bits.OnesCount64(record) != 1 {
		return g, bootError(off, "%d bytes per file record, want a power of two from 256 to 65536", record)
	}
	hi, size := bits.Mul64(sectors, sector)
	if hi != 0 || size >= 1<<63 || size < cluster {
		return g, bootError(off, "%d sectors of %d bytes are no volume", sectors, sector)
	}
	g.cluster, g.record, g.size, g.clusters = int(cluster), int(record), int64(size), int64(size/cluster)
	if mft == 0 || mft >= uint64(g.clusters) {
		return g, bootError(off, "$MFT at cluster 0x%x of 0x%x", mft, g.clusters)
	}
	g.mft = int64(mft)
	if mirror < uint64(g.clusters) { // without it only the fallback is lost
		g.mirror = int64(mirror)
	}
	return g, nil
}

// sizeField decodes a count that above limit is a negative power of two: 0xf4 stands for 1<<12 (Windows 10 1709 and
// later for clusters above 64 KiB; always for file records smaller than a cluster).
func sizeField(v byte, limit byte) uint64 {
	if v <= limit {
		return uint64(v)
	}
	return 1 << min(-int(int8(v)), 31)
}

// bootError matches both layer.ErrCorrupt and layer.ErrFormat: nothing but the OEM id speaks for NTFS.
func bootError(off int64, format string, args ...any) error {
	return fmt.Errorf("%w: %w", layer.ErrFormat, layer.Corrupt("boot sector", off, format, args...))
}
