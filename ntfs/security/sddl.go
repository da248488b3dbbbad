package security

import (
	"encoding/hex"
	"fmt"
	"strings"

	"snapmount/imagefmt/wintype"
)

// SDDL writes the descriptor in the security descriptor definition language ([MS-DTYP] 2.5.1), as Windows'
// ConvertSecurityDescriptorToStringSecurityDescriptor does, except for the letters of domain accounts: they are SIDs.
//
// What cannot be written is marked by a question mark, which SDDL does not have: "O:?" for a damaged owner,
// "(?...)" for an ACE, with all of its bytes in hexadecimal, and "(A;;...;?...)" for the part after the SID.
func (d *Descriptor) SDDL() string {
	var out strings.Builder
	for _, s := range []struct {
		letter string
		sid    SID
		err    error
	}{{"O:", d.Owner, d.ownerErr}, {"G:", d.Group, d.groupErr}} {
		if s.err != nil {
			out.WriteString(s.letter + "?")
		} else if !s.sid.IsZero() {
			out.WriteString(s.letter + s.sid.sddl())
		}
	}
	if d.Control&DACLPresent != 0 {
		out.WriteString("D:")
		writeACL(&out, d.DACL, d.Control&DACLProtected != 0, d.Control&DACLAutoInheritRq != 0, d.Control&DACLAutoInherited != 0)
	}
	if d.Control&SACLPresent != 0 {
		out.WriteString("S:")
		writeACL(&out, d.SACL, d.Control&SACLProtected != 0, d.Control&SACLAutoInheritRq != 0, d.Control&SACLAutoInherited != 0)
	}
	return out.String()
}

func writeACL(out *strings.Builder, l *ACL, protected, inheritRq, inherited bool) {
	if protected {
		out.WriteString("P")
	}
	if inheritRq {
		out.WriteString("AR")
	}
	if inherited {
		out.WriteString("AI")
	}
	if l == nil {
		out.WriteString("NO_ACCESS_CONTROL")
		return
	}
	for i := range l.ACEs {
		l.ACEs[i].write(out)
	}
	if l.Err != nil {
		out.WriteString("(?)")
	}
}

// typeLetters are the types that SDDL has.
var typeLetters = map[ACEType]string{
	Allowed: "A", Denied: "D", Audit: "AU", Alarm: "AL", AllowedObject: "OA", DeniedObject: "OD", AuditObject: "OU",
	AlarmObject: "OL", AllowedCallback: "XA", DeniedCallback: "XD", AllowedCallbackObject: "ZA", AuditCallback: "XU",
	MandatoryLabel: "ML", ResourceAttribute: "RA", ScopedPolicy: "SP", ProcessTrustLabel: "TL", AccessFilter: "FL",
}

// write writes type;flags;rights;object;inherited object;SID and, where there is one, the condition or attribute.
func (a *ACE) write(out *strings.Builder) {
	letters, ok := typeLetters[a.Type]
	if a.Err != nil || !ok {
		fmt.Fprintf(out, "(?%x)", a.Raw)
		return
	}
	fmt.Fprintf(out, "(%s;%s;%s;%s;%s;%s", letters, a.flags(), a.rights(), guidText(a.ObjectType), guidText(a.InheritedType), a.SID.sddl())
	text, err := "", error(nil)
	switch {
	case a.Type == ResourceAttribute:
		text, err = claim(a.Data)
	case a.Type.hasCondition() && len(a.Data) > 0:
		text, err = condition(a.Data)
	}
	if err != nil {
		text = "?" + hex.EncodeToString(a.Data)
	}
	if text != "" {
		out.WriteString(";" + text)
	}
	out.WriteString(")")
}

func guidText(g wintype.GUID) string {
	if g.IsZero() {
		return ""
	}
	return g.String()
}

// flagLetters are the flags of an ACE in the order of SDDL.
var flagLetters = [...]struct {
	bit     uint8
	letters string
}{{0x01, "OI"}, {0x02, "CI"}, {0x04, "NP"}, {0x08, "IO"}, {0x10, "ID"}, {0x20, "CR"}, {0x40, "SA"}, {0x80, "FA"}}

func (a *ACE) flags() string {
	var out strings.Builder
	for _, f := range flagLetters {
		switch {
		case a.Flags&f.bit == 0:
		case f.bit == 0x40 && a.Type == AccessFilter:
			out.WriteString("TP") // trust-protected filter
		default:
			out.WriteString(f.letters)
		}
	}
	return out.String()
}

// wholeRights are written where they are all of a mask: of files and of registry keys.
var wholeRights = map[uint32]string{
	0x1f01ff: "FA", 0x120089: "FR", 0x120116: "FW", 0x1200a0: "FX", 0xf003f: "KA", 0x20019: "KR", 0x20006: "KW",
}

type rightLetters struct {
	bit     uint32
	letters string
}

var singleRights = []rightLetters{
	{0x1, "CC"}, {0x2, "DC"}, {0x4, "LC"}, {0x8, "SW"}, {0x10, "RP"}, {0x20, "WP"}, {0x40, "DT"}, {0x80, "LO"}, {0x100, "CR"},
	{0x10000, "SD"}, {0x20000, "RC"}, {0x40000, "WD"}, {0x80000, "WO"},
	{0x10000000, "GA"}, {0x20000000, "GX"}, {0x40000000, "GW"}, {0x80000000, "GR"},
}

var labelRights = []rightLetters{{1, "NW"}, {2, "NR"}, {4, "NX"}}

// rights writes the mask: by letters where they say all of it, in ascending order as Windows has it, else as a number.
func (a *ACE) rights() string {
	letters := singleRights
	if a.Type == MandatoryLabel {
		letters = labelRights
	} else if whole, ok := wholeRights[a.Mask]; ok {
		return whole
	}
	var out strings.Builder
	rest := a.Mask
	for _, r := range letters {
		if rest&r.bit != 0 {
			out.WriteString(r.letters)
			rest &^= r.bit
		}
	}
	if rest != 0 {
		return fmt.Sprintf("0x%x", a.Mask)
	}
	return out.String()
}
