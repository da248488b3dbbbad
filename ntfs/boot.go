package ntfs

import (
	"fmt"
	"math/bits"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

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
	var h layout.BootSector
	h.Decode(b)
	if id := string(h.OEM[:]); id != layout.OEM {
		return boot{}, fmt.Errorf("boot sector: OEM id %q, want %q: %w", id, layout.OEM, layer.ErrFormat)
	}
	sector, cluster, record := uint64(h.BytesPerSector), h.Cluster(), h.Record()
	g := boot{sector: int(sector), serial: h.Serial}
	if !powerOfTwo(sector, 512, 4096) {
		return g, bootError(off, "%d bytes per sector, want a power of two from 512 to 4096", sector)
	}
	if !powerOfTwo(cluster, 1, 2<<20) {
		return g, bootError(off, "%d bytes per cluster, want a power of two up to 2 MiB", cluster)
	}
	if !powerOfTwo(record, 256, 64<<10) {
		return g, bootError(off, "%d bytes per file record, want a power of two from 256 to 65536", record)
	}
	hi, size := bits.Mul64(h.Sectors, sector)
	if hi != 0 || size >= 1<<63 || size < cluster {
		return g, bootError(off, "%d sectors of %d bytes are no volume", h.Sectors, sector)
	}
	g.cluster, g.record, g.size, g.clusters = int(cluster), int(record), int64(size), int64(size/cluster)
	if h.MFT == 0 || h.MFT >= uint64(g.clusters) {
		return g, bootError(off, "$MFT at cluster 0x%x of 0x%x", h.MFT, g.clusters)
	}
	g.mft = int64(h.MFT)
	if h.Mirror < uint64(g.clusters) { // without it only the fallback is lost
		g.mirror = int64(h.Mirror)
	}
	return g, nil
}

func powerOfTwo(n, least, most uint64) bool {
	return least <= n && n <= most && bits.OnesCount64(n) == 1
}

// bootError matches both layer.ErrCorrupt and layer.ErrFormat: nothing but the OEM id speaks for NTFS.
func bootError(off int64, format string, args ...any) error {
	return fmt.Errorf("%w: %w", layer.ErrFormat, layer.Corrupt("boot sector", off, format, args...))
}
