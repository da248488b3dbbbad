package diffstore

import (
	"encoding/binary"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	headerOffset = 0x1e00
	headerSize   = 512
)

// ErrNoSnapshots says that a volume keeps no shadow copies. It matches fs.ErrNotExist.
var ErrNoSnapshots = fmt.Errorf("no shadow copies: %w", fs.ErrNotExist)

// Header is the VSS volume header, the 512 bytes at 0x1e00 of a volume.
type Header struct {
	Version         uint32 // 1 or 2; says nothing of the format of other records
	Catalog         uint64 // bytes from the start of the volume; 0 when VSS is on without snapshots
	MaxSize         uint64 // limit of the diff area in bytes, 0 for none
	VolumeGUID      wintype.GUID
	StorageGUID     wintype.GUID // the volume that holds the diff area
	Application     uint64       // flags of unknown meaning, 0 or 1
	ProtectionFlags uint32       // bit 0: snapshot protection mode

	own [2]uint64 // where it says it is, twice
}

// Local reports whether the volume holds its own diff area.
func (h Header) Local() bool { return h.StorageGUID == h.VolumeGUID }

// ReadHeader returns the VSS volume header of base, or ErrNoSnapshots when VSS was never on there.
func ReadHeader(base layer.Source) (Header, error) {
	if base.Size() < headerOffset+headerSize {
		return Header{}, fmt.Errorf("volume of 0x%x bytes: %w", base.Size(), ErrNoSnapshots)
	}
	var b [headerSize]byte
	if err := layer.ReadFull(base, b[:], headerOffset); err != nil {
		return Header{}, fmt.Errorf("VSS volume header: %w", err)
	}
	h, ok := decodeHeader(b[:])
	if !ok {
		return Header{}, ErrNoSnapshots
	}
	return h, nil
}

// decodeHeader reports false for what is no volume header. It is laid out as a record up to 0x30.
func decodeHeader(b []byte) (Header, bool) {
	le := binary.LittleEndian
	r, ok := decodeRecord(b)
	return Header{
		Version:         r.version,
		own:             [2]uint64{r.relative, r.current},
		Catalog:         le.Uint64(b[0x30:]),
		MaxSize:         le.Uint64(b[0x38:]),
		VolumeGUID:      wintype.GUID(b[0x40:]),
		StorageGUID:     wintype.GUID(b[0x50:]),
		Application:     le.Uint64(b[0x60:]),
		ProtectionFlags: le.Uint32(b[0x7c:]),
	}, ok && r.kind == typeVolume
}

// oddities returns what is unusual of h but does not hinder reading.
func (h Header) oddities() error {
	if h.own != [2]uint64{headerOffset, headerOffset} {
		return layer.Corrupt("VSS volume header", headerOffset, "its own offset is 0x%x and 0x%x", h.own[0], h.own[1])
	}
	if h.Version != 1 && h.Version != 2 {
		return layer.Corrupt("VSS volume header", headerOffset, "version %d, want 1 or 2; read all the same", h.Version)
	}
	return nil
}
