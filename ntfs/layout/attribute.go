package layout

import "encoding/binary"

// EndMarker stands in the place of Attribute.Type behind the last attribute of a record.
const EndMarker = 0xffffffff

// Sizes of what attributes begin with, in bytes: all of them, resident and non-resident ones. TotalLen is that of a
// non-resident one which tells its total.
const (
	AttributeLen   = 16
	ResidentLen    = 24
	NonResidentLen = 64
	TotalLen       = 72
)

// Bits of Attribute.Flags.
const (
	Compressed = 0x00ff // a method; only 1, LZNT1, is known
	Encrypted  = 0x4000
	Sparse     = 0x8000
)

// Attribute is what every attribute record begins with: struct ATTRIB in ntfs.h.
type Attribute struct {
	Type        uint32 // 0x00
	Len         uint32 // 0x04, of the whole record, in bytes
	NonResident uint8  // 0x08, 0 or 1
	NameLen     uint8  // 0x09, in UTF-16 units
	NameOff     uint16 // 0x0a
	Flags       uint16 // 0x0c
	ID          uint16 // 0x0e
}

// Decode reads the start of an attribute record, of AttributeLen bytes or more.
func (a *Attribute) Decode(b []byte) {
	le := binary.LittleEndian
	_ = b[AttributeLen-1]
	a.Type = le.Uint32(b[0x00:])
	a.Len = le.Uint32(b[0x04:])
	a.NonResident = b[0x08]
	a.NameLen = b[0x09]
	a.NameOff = le.Uint16(b[0x0a:])
	a.Flags = le.Uint16(b[0x0c:])
	a.ID = le.Uint16(b[0x0e:])
}

// Resident is what goes on with a resident attribute: struct ATTR_RESIDENT in ntfs.h.
type Resident struct {
	ValueLen uint32 // 0x10, in bytes
	ValueOff uint16 // 0x14
}

// Decode reads a resident attribute record, of ResidentLen bytes or more.
func (r *Resident) Decode(b []byte) {
	le := binary.LittleEndian
	_ = b[ResidentLen-1]
	r.ValueLen = le.Uint32(b[0x10:])
	r.ValueOff = le.Uint16(b[0x14:])
}

// NonResident is what goes on with an attribute whose value has clusters: struct ATTR_NONRESIDENT in ntfs.h. Its sizes
// are bytes, and count in the record with Low 0 only.
type NonResident struct {
	Low, High   uint64 // 0x10, 0x18: VCNs that this record maps; High is Low-1 when there are none
	PairsOff    uint16 // 0x20, of the mapping pairs
	Unit        uint8  // 0x22, log2 of the clusters of a compression unit
	Allocated   uint64 // 0x28
	Size        uint64 // 0x30
	Initialized uint64 // 0x38
}

// Decode reads a non-resident attribute record, of NonResidentLen bytes or more.
func (n *NonResident) Decode(b []byte) {
	le := binary.LittleEndian
	_ = b[NonResidentLen-1]
	n.Low = le.Uint64(b[0x10:])
	n.High = le.Uint64(b[0x18:])
	n.PairsOff = le.Uint16(b[0x20:])
	n.Unit = b[0x22]
	n.Allocated = le.Uint64(b[0x28:])
	n.Size = le.Uint64(b[0x30:])
	n.Initialized = le.Uint64(b[0x38:])
}

// Total is what is allocated without the holes, at 0x40 of the record that is all of b, in bytes. Only compressed and
// sparse attributes tell; it is Allocated where the mapping pairs leave no room for it.
func (n *NonResident) Total(b []byte) uint64 {
	if n.PairsOff < TotalLen || len(b) < TotalLen {
		return n.Allocated
	}
	return binary.LittleEndian.Uint64(b[0x40:])
}
