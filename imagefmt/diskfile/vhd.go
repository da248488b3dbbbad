package diskfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"snapmount/imagefmt/layer"
)

// maxVHD is the largest fixed disk that Windows opens: 2040 GiB.
const maxVHD = 2040 << 30

// vhdFooter appends the footer of a fixed disk, which is 512 bytes, big-endian: 0 cookie, 8 features (2), 12 version, 16 no
// dynamic header, 24 time, 28 creator, 36 its host, 40 and 48 size, 56 cylinders, heads and sectors, 60 type (2), 64 sum, 68
// identifier. It is that of Microsoft's Virtual Hard Disk Image Format Specification. The time is left 0, so that the same
// disk is the same file.
func (w *writer) vhdFooter(id [16]byte) error {
	if w.size > maxVHD {
		return fmt.Errorf("a disk of 0x%x bytes: a VHD has 0x%x at most: %w", w.size, int64(maxVHD), layer.ErrUnsupported)
	}
	b := make([]byte, 512)
	be := binary.BigEndian
	copy(b, "conectix")
	be.PutUint32(b[8:], 2)
	be.PutUint32(b[12:], 0x10000)
	be.PutUint64(b[16:], math.MaxUint64)
	copy(b[28:], "win \x00\x0a\x00\x00Wi2k") // the size counts then, not the geometry
	be.PutUint64(b[40:], uint64(w.size))
	be.PutUint64(b[48:], uint64(w.size))
	c, h, s := geometry(w.size / 512)
	be.PutUint16(b[56:], c)
	b[58], b[59] = h, s
	be.PutUint32(b[60:], 2)
	copy(b[68:], id[:])
	sum := uint32(0)
	for _, x := range b {
		sum += uint32(x)
	}
	be.PutUint32(b[64:], ^sum)
	_, err := w.f.WriteAt(b, w.size)
	return err
}

// geometry is the nearest that the specification's appendix gives for a number of sectors.
func geometry(sectors int64) (cylinders uint16, heads, perTrack byte) {
	sectors = min(sectors, 65535*16*255)
	if sectors >= 65535*16*63 {
		return uint16(sectors / 255 / 16), 16, 255
	}
	track, n := int64(17), int64(0)
	perCylinder := sectors / track
	if n = max((perCylinder+1023)/1024, 4); perCylinder >= n*1024 || n > 16 {
		track, n = 31, 16
		perCylinder = sectors / track
	}
	if perCylinder >= n*1024 {
		track, n = 63, 16
		perCylinder = sectors / track
	}
	return uint16(perCylinder / n), byte(n), byte(track)
}
