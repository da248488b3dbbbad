package security

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
)

func sidBytes(authority byte, sub ...uint32) []byte {
	b := []byte{1, byte(len(sub)), 0, 0, 0, 0, 0, authority}
	for _, v := range sub {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

var (
	everyone = sidBytes(1, 0)
	system   = sidBytes(5, 18)
	admins   = sidBytes(5, 32, 544)
)

func ace(typ ACEType, flags byte, mask uint32, tail ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte{byte(typ), flags, 0, 0}, mask)
	b = append(b, bytes.Join(tail, nil)...)
	binary.LittleEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

func acl(aces ...[]byte) []byte {
	all := bytes.Join(aces, nil)
	b := []byte{2, 0, 0, 0, byte(len(aces)), 0, 0, 0}
	binary.LittleEndian.PutUint16(b[2:], uint16(8+len(all)))
	return append(b, all...)
}

// descriptor makes a descriptor of an owner, group, SACL and DACL, nil for none.
func descriptor(control Control, parts ...[]byte) []byte {
	b := make([]byte, descriptorLen)
	b[0] = 1
	binary.LittleEndian.PutUint16(b[2:], uint16(control|SelfRelative))
	for i, p := range parts {
		if p != nil {
			binary.LittleEndian.PutUint32(b[4+4*i:], uint32(len(b)))
			b = append(b, p...)
		}
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSID(t *testing.T) {
	for _, c := range []struct{ hex, text, sddl string }{
		{"01 01 000000000005 12000000", "S-1-5-18", "SY"},
		{"01 02 000000000005 20000000 20020000", "S-1-5-32-544", "BA"},
		{"01 00 000000000007", "S-1-7", "S-1-7"},
		{"01 05 000000000005 15000000 01000000 02000000 03000000 f4010000", "S-1-5-21-1-2-3-500", "S-1-5-21-1-2-3-500"},
		{"01 01 0000ffffffff ffffffff", "S-1-4294967295-4294967295", "S-1-4294967295-4294967295"},
		{"01 02 00012a05f200 1e000000 28000000", "S-1-0x12A05F200-30-40", "S-1-0x12A05F200-30-40"}, // so by Windows
		{"01 02 000500000000 20000000 43020000", "S-1-0x500000000-32-579", "S-1-0x500000000-32-579"},
	} {
		s, err := DecodeSID(unhex(t, c.hex))
		if err != nil || s.String() != c.text || s.sddl() != c.sddl || s.IsZero() {
			t.Errorf("%s: %v (%s), %v, want %s (%s)", c.hex, s, s.sddl(), err, c.text, c.sddl)
		}
	}
	for _, bad := range []string{"", "01 01 000000000005", "02 01 000000000005 12000000", "01 10 000000000005" + strings.Repeat("00", 64), "01 02 000000000005 12000000"} {
		if s, err := DecodeSID(unhex(t, bad)); !errors.Is(err, layer.ErrCorrupt) || !s.IsZero() {
			t.Errorf("%s: %v, %v", bad, s, err)
		}
	}
	if (SID{}).String() != "" {
		t.Error("the zero SID has a text")
	}
}

// TestSDDL holds SDDL to what Windows writes.
func TestSDDL(t *testing.T) {
	guid := unhex(t, "531a72ab2f1ed011981900aa0040529b ba7a96bfe60dd011a28500aa003049e2")
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{descriptor(0), ""},
		{descriptor(0, admins, system), "O:BAG:SY"},
		{descriptor(DACLPresent, nil, nil, nil, nil), "D:NO_ACCESS_CONTROL"},
		{descriptor(DACLPresent|SACLPresent|DACLProtected, nil, nil, acl(), acl()), "D:PS:"},
		{descriptor(DACLPresent|DACLProtected|DACLAutoInheritRq|DACLAutoInherited, nil, nil, nil, acl(ace(Allowed, 0, 0x10000000, system))), "D:PARAI(A;;GA;;;SY)"},
		{descriptor(DACLPresent, nil, nil, nil, acl(ace(Allowed, 0x0b, 0xe0010000, sidBytes(5, 11)))), "D:(A;OICIIO;SDGXGWGR;;;AU)"},
		{descriptor(DACLPresent, nil, nil, nil, acl(ace(Denied, 0x10, 0x1200a9, everyone), ace(Allowed, 4, 0x1f01ff, everyone), ace(Allowed, 0, 0x120089, everyone),
			ace(Allowed, 0, 0x120116, everyone), ace(Allowed, 0, 0x1200a0, everyone), ace(Allowed, 0, 0xf003f, everyone), ace(Allowed, 0, 0, everyone))),
			"D:(D;ID;0x1200a9;;;WD)(A;NP;FA;;;WD)(A;;FR;;;WD)(A;;FW;;;WD)(A;;FX;;;WD)(A;;KA;;;WD)(A;;;;;WD)"},
		{descriptor(DACLPresent, nil, nil, nil, acl(ace(Allowed, 0, 0xf01ff, admins), ace(Allowed, 0, 17, admins), ace(Allowed, 0, 123456789, admins), ace(Allowed, 0, 0xe00f0000, admins))),
			"D:(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCRP;;;BA)(A;;0x75bcd15;;;BA)(A;;SDRCWDWOGXGWGR;;;BA)"},
		{descriptor(SACLPresent|SACLAutoInherited, nil, nil, acl(ace(Audit, 0xc0, 0x20, everyone), ace(MandatoryLabel, 3, 1, sidBytes(16, 4096))), nil), "S:AI(AU;SAFA;WP;;;WD)(ML;OICI;NW;;;LW)"},
		{descriptor(DACLPresent, nil, nil, nil, acl(ace(AllowedObject, 2, 0x100, []byte{3, 0, 0, 0}, guid, everyone), ace(DeniedObject, 0, 0x10, []byte{2, 0, 0, 0}, guid[:16], everyone),
			ace(AllowedObject, 0, 0x10, []byte{0, 0, 0, 0}, everyone))),
			"D:(OA;CI;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;bf967aba-0de6-11d0-a285-00aa003049e2;WD)(OD;;RP;;ab721a53-1e2f-11d0-9819-00aa0040529b;WD)(OA;;RP;;;WD)"},
		{descriptor(SACLPresent, nil, nil, acl(ace(ScopedPolicy, 0, 0, sidBytes(17, 1)), ace(ProcessTrustLabel, 0, 3, sidBytes(19, 512, 4096)), ace(AccessFilter, 0x40, 1, everyone, unhex(t, "61727478 f802000000 6100 00"))), nil),
			"S:(SP;;;;;S-1-17-1)(TL;;CCDC;;;S-1-19-512-4096)(FL;TP;CC;;;WD;(a))"},
		// What SDDL does not have.
		{descriptor(DACLPresent, admins, unhex(t, "02"), nil, acl(ace(Allowed, 0, 1, system), ace(4, 0, 1), ace(Allowed, 0, 2, unhex(t, "0105")), ace(DeniedCallbackObject, 0, 1, []byte{0, 0, 0, 0}, system), ace(AllowedCallback, 0, 2, everyone, []byte("what")))),
			"O:BAG:?D:(A;;CC;;;SY)(?0400080001000000)(?00000a00020000000105)(?0c00180001000000000000000101000000000005" + "12000000)(XA;;DC;;;WD;?77686174)"},
	} {
		d, err := Decode(c.b)
		if d == nil || d.SDDL() != c.want || (err != nil) != strings.Contains(c.want, "G:?") {
			t.Errorf("%x: %v\n%s\n%s", c.b, err, d.SDDL(), c.want)
		}
	}
}

// TestConditions holds conditions and resource attributes to bytes and texts that Windows made of each other.
func TestConditions(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"6172747a", ""},
		{"61727478", ""},
		{"61727478 f80a000000 5400690074006c006500 1004000000 56005000 80 000000", `(Title == "VP")`}, // [MS-DTYP] 2.4.4.17.9
		{"61727478 f90a000000 5400690074006c006500 1000000000 80 000000", `(@USER.Title == "")`},
		{"61727478 5015000000 5110000000 0102000000000005 20000000 43020000 89 a2 a2 000000", "(!(!(Member_of {SID(AA)})))"},
		{"61727478 510c000000 0101000000000001 00000000 8b", "(Member_of_any SID(WD))"},
		{"61727478 fb0c000000 63006f006c006f0075007200 501e000000 100c000000 6f00720061006e0067006500 1008000000 62006c0075006500 80 000000",
			`(@DEVICE.colour == {"orange", "blue"})`},
		{"61727478 fb08000000 6c00650067007300 04 0100000000000000 03 02 85 000000", "(@DEVICE.legs >= 1)"},
		{"61727478 fb04000000 62006200 04 ffffffffffffff7f 03 03 80 000000", "(@DEVICE.bb == 0x7fffffffffffffff)"},
		{"61727478 f902000000 4100 fb02000000 4200 f902000000 4300 a0 a1 00", "((@USER.A) || ((@DEVICE.B) && (@USER.C)))"},
		{"61727478 f902000000 4100 fb02000000 4200 a0 f902000000 4300 a1 00", "(((@USER.A) && (@DEVICE.B)) || (@USER.C))"},
		{"61727478 f90e000000 500072006f006a00650063007400 fa0e000000 500072006f006a00650063007400 88 00", "(@USER.Project Any_of @RESOURCE.Project)"},
		{"61727478 f80a000000 4f00630074006500 74001804000000 01020300 80", "(Octet == #01020300)"},
		// No outer truth: signs, octal numbers, escapes and what is damaged.
		{"61727478 f802000000 6100 01 fbffffffffffffff 02 02 82", "(a < -5)"},
		{"61727478 f802000000 6100 02 0800000000000000 01 01 83", "(a <= +010)"},
		{"61727478 f806000000 57002000e900 87", "(Exists W%0020%00e9)"},
		{"61727478 f802000000 6100 1002000000 2200 80", ""},
		{"61727478 f802000000 6100 80", ""},
		{"61727478 f802000000 6100 f802000000 6100", ""},
		{"61727478 f8ff000000 6100", ""},
		{"61727478 f802000000 6100 87 f802000000 6100 80", ""},
		{"61727478 7702000000 6100", ""},
		{"61727478 04 0100000000000000 03 09 a2", ""},
		{"61727478 5007000000 f802000000 6100 89", ""},
		{"61727478 f802000000 6100" + strings.Repeat("a2", maxDepth+1), ""},
	} {
		if got, err := condition(unhex(t, c.hex)); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %s, %v, want %s", c.hex, got, err, c.want)
		}
	}
	for _, c := range []struct{ hex, want string }{
		{"14000000 0300 0000 00000000 01000000 22000000 63006f006c006f00750072000000 62006c00750065000000", `("colour",TS,0x0,"blue")`},
		{"18000000 0300 0000 00000000 02000000 26000000 30000000 63006f006c006f00750072000000 62006c00750065000000 7200650064000000", `("colour",TS,0x0,"blue","red")`},
		// No outer truth.
		{"14000000 0200 0000 10000000 01000000 18000000 61000000 0700000000000000", `("a",TU,0x10,7)`},
		{"14000000 0100 0000 00000000 01000000 18000000 61000000 ffffffffffffffff", `("a",TI,0x0,-1)`},
		{"14000000 0500 0000 00000000 01000000 18000000 61000000 0c000000 0101000000000005 12000000", `("a",TD,0x0,SID(SY))`},
		{"14000000 1000 0000 00000000 01000000 18000000 61000000 02000000 beef", `("a",TX,0x0,#beef)`},
		{"14000000 0600 0000 00000000 01000000 18000000 61000000 0100000000000000", `("a",TB,0x0,1)`},
		{"14000000 0900 0000 00000000 00000000 61000000", ""},
		{"14000000 0200 0000 00000000 ffffff7f 18000000 61000000", ""},
		{"14000000 0200 0000 00000000 01000000 19000000 61000000 0700000000000000", ""},
		{"ffffffff 0200 0000 00000000 00000000", ""},
	} {
		if got, err := claim(unhex(t, c.hex)); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %s, %v, want %s", c.hex, got, err, c.want)
		}
	}
}

func TestDecodeDamage(t *testing.T) {
	good := descriptor(DACLPresent, admins, system, nil, acl(ace(Allowed, 0, 1, system), ace(Allowed, 0, 2, admins)))
	patched := func(at int, b ...byte) []byte {
		v := bytes.Clone(good)
		copy(v[at:], b)
		return v
	}
	const list = descriptorLen + 16 + 12
	for name, c := range map[string]struct {
		b    []byte
		sddl string // empty when nothing is there
	}{
		"short":             {good[:19], ""},
		"revision":          {patched(0, 2), ""},
		"absolute":          {patched(2, 4, 0), ""},
		"owner outside":     {patched(4, 0xff, 0xff, 0xff, 0xff), "O:?G:SYD:(A;;CC;;;SY)(A;;DC;;;BA)"},
		"owner in header":   {patched(4, 4), "O:?G:SYD:(A;;CC;;;SY)(A;;DC;;;BA)"},
		"ACL outside":       {patched(16, 0, 0x10), "O:BAG:SYD:(?)"},
		"ACL size":          {patched(list+2, 0xff, 0xff), "O:BAG:SYD:(?)"},
		"ACE count":         {patched(list+4, 3), "O:BAG:SYD:(A;;CC;;;SY)(A;;DC;;;BA)(?)"},
		"ACE size":          {patched(list+8+2, 0xff), "O:BAG:SYD:(?)"},
		"second ACE's size": {patched(list+28+2, 3), "O:BAG:SYD:(A;;CC;;;SY)(?)"},
		"SID of an ACE":     {patched(list+8+8, 7), "O:BAG:SYD:(?0000140001000000070100000000000512000000)(A;;DC;;;BA)"},
	} {
		d, err := Decode(c.b)
		switch {
		case !errors.Is(err, layer.ErrCorrupt):
			t.Errorf("%s: error %v", name, err)
		case (d == nil) != (c.sddl == ""):
			t.Errorf("%s: %+v", name, d)
		case d != nil && d.SDDL() != c.sddl:
			t.Errorf("%s: %s, want %s", name, d.SDDL(), c.sddl)
		}
	}
}

func FuzzSecurity(f *testing.F) {
	f.Add(descriptor(DACLPresent|SACLPresent, admins, system,
		acl(ace(ResourceAttribute, 0, 0, everyone, unhex(f, "14000000 0300 0000 00000000 01000000 22000000 63006f006c006f00750072000000 62006c00750065000000")), ace(MandatoryLabel, 3, 1, sidBytes(16, 4096))),
		acl(ace(AllowedCallback, 0, 1, everyone, unhex(f, "61727478 fb0c000000 63006f006c006f0075007200 501e000000 100c000000 6f00720061006e0067006500 1008000000 62006c0075006500 80 000000")),
			ace(AllowedObject, 2, 0x100, []byte{3, 0, 0, 0}, make([]byte, 32), everyone), ace(Denied, 0, 0x1f01ff, everyone))))
	f.Fuzz(func(t *testing.T, b []byte) {
		start := time.Now()
		d, err := Decode(b)
		if d == nil {
			if err == nil {
				t.Error("neither a descriptor nor an error")
			}
			return
		}
		if text := d.SDDL(); len(text) > 100*len(b)+1000 || err != nil && !strings.Contains(text, "?") {
			t.Errorf("%d bytes of SDDL of %d, %v", len(text), len(b), err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
