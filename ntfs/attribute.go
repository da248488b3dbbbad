package ntfs

import (
	"encoding/binary"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// Attribute types.
const (
	typeStandardInformation = 0x10
	typeAttributeList       = 0x20
	typeFileName            = 0x30
	typeVolumeName          = 0x60
	typeVolumeInformation   = 0x70
	typeData                = 0x80
	typeIndexRoot           = 0x90
	typeIndexAllocation     = 0xa0
	typeBitmap              = 0xb0
	typeReparsePoint        = 0xc0
	typeLoggedUtility       = 0x100 // $LOGGED_UTILITY_STREAM

	// maxType is the largest type that $AttrDef may define. Types are multiples of the first one.
	maxType = 0xffff
)

// maxVCN is more than the 2^32 clusters that a volume or file can have, and little enough to count bytes in an int64.
const maxVCN = 1 << 40

// An attribute is one attribute record. The slices alias the record.
type attribute struct {
	typ      uint32
	resident bool
	name     []byte // UTF-16LE
	flags    uint16
	id       uint16
	value    []byte // of a resident attribute

	// What follows is of non-resident attributes. Sizes are bytes and are set where low is 0 only.
	low, high                    uint64 // VCNs mapped; high is low-1 when there are none
	allocated, size, initialized uint64
	taken                        uint64 // allocated without the holes, where compressed or sparse; else allocated
	pairs                        []byte // mapping pairs
	unit                         uint8  // log2 of the clusters of a compression unit

	err error // set, beside typ, name and low, when a record named by the attribute list is missing or damaged
}

// decode decodes the attribute record that is all of b and begins with h; off is where b lies, for errors. It works in
// place, because all that is done with a volume starts with it.
func (a *attribute) decode(h *layout.Attribute, b []byte, off int64) error {
	*a = attribute{}
	if len(b) < layout.ResidentLen {
		return layer.Corrupt("attribute", off, "%d bytes, want %d at least", len(b), layout.ResidentLen)
	}
	a.typ, a.resident, a.flags, a.id = h.Type, h.NonResident == 0, h.Flags, h.ID
	if n, at := int(h.NameLen), int(h.NameOff); n > 0 {
		if at+2*n > len(b) {
			return layer.Corrupt("attribute", off, "name of %d characters at 0x%x of 0x%x bytes", n, at, len(b))
		}
		a.name = b[at:][:2*n]
	}
	if !a.resident {
		return a.decodeMapped(b, off)
	}
	var r layout.Resident
	r.Decode(b)
	if uint64(r.ValueOff)+uint64(r.ValueLen) > uint64(len(b)) {
		return layer.Corrupt("attribute", off, "value of 0x%x bytes at 0x%x of 0x%x", r.ValueLen, r.ValueOff, len(b))
	}
	a.value = b[r.ValueOff:][:r.ValueLen]
	return nil
}

// decodeMapped decodes what is special to a non-resident attribute.
func (a *attribute) decodeMapped(b []byte, off int64) error {
	if len(b) < layout.NonResidentLen {
		return layer.Corrupt("attribute", off, "%d bytes, want %d at least when non-resident", len(b), layout.NonResidentLen)
	}
	var h layout.NonResident
	h.Decode(b)
	a.low, a.high, a.unit = h.Low, h.High, h.Unit
	a.allocated, a.size, a.initialized, a.taken = h.Allocated, h.Size, h.Initialized, h.Allocated
	if a.flags&(layout.Compressed|layout.Sparse) != 0 {
		a.taken = h.Total(b)
	}
	at := int(h.PairsOff)
	if at < layout.NonResidentLen || at > len(b) {
		return layer.Corrupt("attribute", off, "mapping pairs at 0x%x of 0x%x bytes", at, len(b))
	}
	if a.low > maxVCN || a.high+1 > maxVCN || a.high+1 < a.low {
		return layer.Corrupt("attribute", off, "VCNs 0x%x to 0x%x", a.low, a.high)
	}
	a.pairs = b[at:]
	return nil
}

// is reports whether a is of that type and, the name being ASCII, exactly of that name.
func (a *attribute) is(typ uint32, name string) bool {
	if a.typ != typ || len(a.name) != 2*len(name) {
		return false
	}
	for i := range len(name) {
		if a.name[2*i] != name[i] || a.name[2*i+1] != 0 {
			return false
		}
	}
	return true
}

func (a *attribute) nameString() string { return wintype.DecodeUTF16(a.name) }

// A cursor steps through the attributes of a record without allocating.
type cursor struct {
	attribute
	raw  []byte // the bytes of the attribute
	rest []byte
	off  int64
	err  error
}

func (r *fileRecord) cursor() cursor { return cursor{rest: r.attrs, off: r.off + int64(r.first)} }

// next reports whether there is another attribute; after false, err tells whether the record ended as it must.
func (c *cursor) next() bool {
	c.off += int64(len(c.raw))
	if len(c.rest) < 4 {
		c.err = layer.Corrupt("file record", c.off, "attributes end without an end marker")
		return false
	}
	if binary.LittleEndian.Uint32(c.rest) == layout.EndMarker {
		return false
	}
	if len(c.rest) < layout.AttributeLen {
		c.err = layer.Corrupt("attribute", c.off, "%d bytes left", len(c.rest))
		return false
	}
	var h layout.Attribute
	h.Decode(c.rest)
	n := h.Len
	if n < layout.ResidentLen || uint64(n) > uint64(len(c.rest)) || n%8 != 0 {
		c.err = layer.Corrupt("attribute", c.off, "length 0x%x of 0x%x left", n, len(c.rest))
		return false
	}
	c.raw, c.rest = c.rest[:n], c.rest[n:]
	c.attribute.err = c.attribute.decode(&h, c.raw, c.off)
	return true
}
