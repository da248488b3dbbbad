package security

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
)

// Types of the values of a resource attribute, [MS-DTYP] 2.4.10.1.
const (
	claimInt64   = 1
	claimUint64  = 2
	claimString  = 3
	claimSID     = 5
	claimBoolean = 6
	claimOctets  = 0x10
)

var claimLetters = map[uint16]string{
	claimInt64: "TI", claimUint64: "TU", claimString: "TS", claimSID: "TD", claimBoolean: "TB", claimOctets: "TX",
}

// claim writes the CLAIM_SECURITY_ATTRIBUTE_RELATIVE_V1 of a resource attribute ACE as SDDL: ("name",type,flags,values).
func claim(b []byte) (string, error) {
	le := binary.LittleEndian
	if len(b) < 16 {
		return "", layer.Corrupt("resource attribute", 0, "%d bytes, want 16 at least", len(b))
	}
	name, typ, flags, count := le.Uint32(b[0:]), le.Uint16(b[4:]), le.Uint32(b[8:]), le.Uint32(b[12:])
	if uint64(count) > uint64(len(b)-16)/4 {
		return "", layer.Corrupt("resource attribute", 0, "%d values in 0x%x bytes", count, len(b))
	}
	text, err := claimText(b, name)
	letters, ok := claimLetters[typ]
	if err == nil && !ok {
		err = fmt.Errorf("resource attribute of type %d: %w", typ, layer.ErrUnsupported)
	}
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "(%s,%s,0x%x", text, letters, flags)
	for i := range count {
		text, err := claimValue(b, typ, le.Uint32(b[16+4*i:]))
		if err != nil {
			return "", err
		}
		if out.WriteString("," + text); out.Len() > 16*len(b) { // values do not overlap where they are sound
			return "", layer.Corrupt("resource attribute", 0, "values overlap")
		}
	}
	return out.String() + ")", nil
}

func claimValue(b []byte, typ uint16, off uint32) (string, error) {
	le := binary.LittleEndian
	need := map[uint16]int{claimInt64: 8, claimUint64: 8, claimBoolean: 8, claimSID: 4, claimOctets: 4}[typ]
	if uint64(off)+uint64(need) > uint64(len(b)) {
		return "", layer.Corrupt("resource attribute", int64(off), "value past 0x%x bytes", len(b))
	}
	v := b[off:]
	switch typ {
	case claimInt64:
		return fmt.Sprint(int64(le.Uint64(v))), nil
	case claimUint64, claimBoolean:
		return fmt.Sprint(le.Uint64(v)), nil
	case claimString:
		return claimText(b, off)
	}
	n := le.Uint32(v)
	if v = v[4:]; uint64(n) > uint64(len(v)) {
		return "", layer.Corrupt("resource attribute", int64(off), "value of 0x%x bytes, 0x%x left", n, len(v))
	}
	if typ == claimOctets {
		return fmt.Sprintf("#%x", v[:n]), nil
	}
	s, err := decodeSID(v[:n], int64(off)+4)
	return "SID(" + s.sddl() + ")", err
}

// claimText writes the UTF-16 at off, which a zero ends.
func claimText(b []byte, off uint32) (string, error) {
	if uint64(off) > uint64(len(b)) {
		return "", layer.Corrupt("resource attribute", int64(off), "text past 0x%x bytes", len(b))
	}
	v := b[off:]
	for i := 0; i+1 < len(v); i += 2 {
		if bytes.Equal(v[i:i+2], []byte{0, 0}) {
			return quoted(v[:i])
		}
	}
	return "", layer.Corrupt("resource attribute", int64(off), "text without an end")
}
