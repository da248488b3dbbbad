package diffstore

import "encoding/binary"

const descriptorSize = 0x20

// The descriptor flags that change reading.
const (
	flagMoved   = 0x1
	flagOverlay = 0x2
	flagUnused  = 0x4
	flagsKnown  = 0xff
	// continued is the relative offset of an overlay that goes on in the data block of an earlier one.
	continued = 1
)

// descriptor is one entry of a block list, 0x20 bytes. Offsets are in bytes.
type descriptor struct {
	original uint64 // block of the volume that it is about
	relative uint64 // in the store file; of a move the target on the volume
	kept     uint64 // where the data is, on the volume that holds the store
	flags    uint32
	sectors  uint32 // of an overlay, bit 0 the first 512 bytes
}

func decodeDescriptor(b []byte) descriptor {
	le := binary.LittleEndian
	return descriptor{
		original: le.Uint64(b[0x00:]),
		relative: le.Uint64(b[0x08:]),
		kept:     le.Uint64(b[0x10:]),
		flags:    le.Uint32(b[0x18:]),
		sectors:  le.Uint32(b[0x1c:]),
	}
}
