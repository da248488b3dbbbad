// Package security decodes self-relative security descriptors, as NTFS keeps them, and writes them as SDDL.
//
// Integers are little-endian. What is damaged is an error of the ACE, ACL or SID that it is in and hides nothing else.
// All values are immutable once decoded; Data and Raw fields alias what was decoded.
package security

import (
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/layer"
)

// Control is the control field of a security descriptor, [MS-DTYP] 2.4.6.
type Control uint16

// The flags with a meaning on disk.
const (
	DACLPresent       Control = 0x0004
	SACLPresent       Control = 0x0010
	DACLAutoInheritRq Control = 0x0100
	SACLAutoInheritRq Control = 0x0200
	DACLAutoInherited Control = 0x0400
	SACLAutoInherited Control = 0x0800
	DACLProtected     Control = 0x1000
	SACLProtected     Control = 0x2000
	SelfRelative      Control = 0x8000
)

// A Descriptor says who owns a file, who may do what with it, and what of that is recorded.
type Descriptor struct {
	Control      Control
	Owner, Group SID  // zero for none
	DACL         *ACL // nil: everyone may do everything, whether Control has DACLPresent (a NULL DACL) or not
	SACL         *ACL

	ownerErr, groupErr error
}

// descriptorLen is the size of the header.
const descriptorLen = 20

// Decode decodes a self-relative security descriptor. With an error, which wraps layer.ErrCorrupt or
// layer.ErrUnsupported and names all that is damaged, the rest is there too; the Descriptor is nil only when the header
// is unusable.
func Decode(b []byte) (*Descriptor, error) {
	le := binary.LittleEndian
	if len(b) < descriptorLen {
		return nil, layer.Corrupt("security descriptor", 0, "%d bytes, want %d at least", len(b), descriptorLen)
	}
	revision := b[0]
	d := &Descriptor{Control: Control(le.Uint16(b[2:]))}
	owner, group, sacl, dacl := le.Uint32(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:]), le.Uint32(b[16:])
	if revision != 1 || d.Control&SelfRelative == 0 {
		return nil, layer.Corrupt("security descriptor", 0, "revision %d, control 0x%04x, want 1, self-relative (0x%04x)", revision, uint16(d.Control), uint16(SelfRelative))
	}
	d.Owner, d.ownerErr = sidAt(b, owner)
	d.Group, d.groupErr = sidAt(b, group)
	var errs []error
	note := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	note("owner", d.ownerErr)
	note("group", d.groupErr)
	if d.Control&SACLPresent != 0 {
		d.SACL = aclAt(b, sacl)
		note("SACL", d.SACL.damage())
	}
	if d.Control&DACLPresent != 0 {
		d.DACL = aclAt(b, dacl)
		note("DACL", d.DACL.damage())
	}
	return d, errors.Join(errs...)
}

// at returns what follows off; only what is past the header can be anything.
func at(b []byte, off uint32) ([]byte, error) {
	if off < descriptorLen || uint64(off) > uint64(len(b)) {
		return nil, layer.Corrupt("security descriptor", 0, "offset 0x%x of 0x%x bytes", off, len(b))
	}
	return b[off:], nil
}

func sidAt(b []byte, off uint32) (SID, error) {
	if off == 0 {
		return SID{}, nil
	}
	b, err := at(b, off)
	if err != nil {
		return SID{}, err
	}
	return decodeSID(b, int64(off))
}
