package security

import (
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// ACEType says what an ACE does, [MS-DTYP] 2.4.4.1.
type ACEType uint8

// The types of ACE. Callback ones end in a condition.
const (
	Allowed               ACEType = 0x00
	Denied                ACEType = 0x01
	Audit                 ACEType = 0x02
	Alarm                 ACEType = 0x03
	AllowedObject         ACEType = 0x05
	DeniedObject          ACEType = 0x06
	AuditObject           ACEType = 0x07
	AlarmObject           ACEType = 0x08
	AllowedCallback       ACEType = 0x09
	DeniedCallback        ACEType = 0x0a
	AllowedCallbackObject ACEType = 0x0b
	DeniedCallbackObject  ACEType = 0x0c
	AuditCallback         ACEType = 0x0d
	AlarmCallback         ACEType = 0x0e
	AuditCallbackObject   ACEType = 0x0f
	AlarmCallbackObject   ACEType = 0x10
	MandatoryLabel        ACEType = 0x11
	ResourceAttribute     ACEType = 0x12
	ScopedPolicy          ACEType = 0x13
	ProcessTrustLabel     ACEType = 0x14
	AccessFilter          ACEType = 0x15
)

func (t ACEType) isObject() bool {
	return t >= AllowedObject && t <= AlarmObject || t == AllowedCallbackObject || t == DeniedCallbackObject ||
		t == AuditCallbackObject || t == AlarmCallbackObject
}

// hasCondition reports whether an expression may follow the SID.
func (t ACEType) hasCondition() bool {
	return t >= AllowedCallback && t <= AlarmCallbackObject || t == AccessFilter
}

// An ACL is a list of ACEs. Empty, it grants nothing.
type ACL struct {
	Revision uint8
	ACEs     []ACE
	Err      error // of the list; ACEs may be missing. Damaged ACEs have their own.
}

// An ACE is an entry of an ACL.
type ACE struct {
	Type  ACEType
	Flags uint8 // of inheritance and audit, [MS-DTYP] 2.4.4.1
	Mask  uint32

	ObjectType, InheritedType wintype.GUID // of object types; zero for none

	SID  SID
	Data []byte // what follows the SID: a condition, a resource attribute or nothing of interest
	Raw  []byte // the whole ACE
	Err  error  // nothing but Raw, and Type and Flags where there are so many bytes, is to be relied on
}

// aclAt decodes the ACL at off of the descriptor b; 0 is the NULL ACL.
func aclAt(b []byte, off uint32) *ACL {
	if off == 0 {
		return nil
	}
	b, err := at(b, off)
	if err == nil && len(b) < 8 {
		err = layer.Corrupt("ACL", int64(off), "%d bytes, want 8 at least", len(b))
	}
	if err != nil {
		return &ACL{Err: err}
	}
	le := binary.LittleEndian
	l := &ACL{Revision: b[0]}
	size, count := int(le.Uint16(b[2:])), int(le.Uint16(b[4:]))
	if size < 8 || size > len(b) {
		l.Err = layer.Corrupt("ACL", int64(off), "0x%x bytes, 0x%x left", size, len(b))
		return l
	}
	rest := b[8:size]
	for i := range count {
		at := int64(off) + int64(size-len(rest))
		n := len(rest)
		if n >= 4 {
			n = int(le.Uint16(rest[2:]))
		}
		if n < 4 || n > len(rest) { // where the next one starts is not known
			l.Err = layer.Corrupt("ACL", at, "ACE %d of %d: 0x%x bytes, 0x%x left", i, count, n, len(rest))
			return l
		}
		l.ACEs = append(l.ACEs, decodeACE(rest[:n], at))
		rest = rest[n:]
	}
	return l
}

// damage is all that is wrong with the list, nil for none.
func (l *ACL) damage() error {
	if l == nil {
		return nil
	}
	errs := []error{l.Err}
	for i := range l.ACEs {
		if err := l.ACEs[i].Err; err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// decodeACE decodes the ACE that is all of b; off is where b lies, for errors.
func decodeACE(b []byte, off int64) ACE {
	le := binary.LittleEndian
	a := ACE{Type: ACEType(b[0]), Flags: b[1], Raw: b}
	sid := 8
	if a.Type.isObject() {
		sid = 12
	}
	switch {
	case a.Type == 4 || a.Type > AccessFilter:
		a.Err = fmt.Errorf("ACE at 0x%x: type 0x%02x: %w", off, uint8(a.Type), layer.ErrUnsupported)
		return a
	case len(b) < sid:
		a.Err = layer.Corrupt("ACE", off, "type 0x%02x in %d bytes, want %d at least", uint8(a.Type), len(b), sid)
		return a
	}
	a.Mask = le.Uint32(b[4:])
	if a.Type.isObject() {
		flags := le.Uint32(b[8:])
		for i, guid := range []*wintype.GUID{&a.ObjectType, &a.InheritedType} {
			if flags>>i&1 != 0 {
				sid += copy(guid[:], b[min(sid, len(b)):])
			}
		}
	}
	if a.SID, a.Err = decodeSID(b[sid:], off+int64(sid)); a.Err == nil {
		a.Data = b[sid+a.SID.size():]
	}
	return a
}
