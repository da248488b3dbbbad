package ntfs_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/security"
)

// sambaDecode is what the script says of a descriptor.
type sambaDecode struct {
	Hex, Owner, Group, SDDL string
	Control                 uint16
	DACL, SACL              []sambaACE // nil when there is none
}

type sambaACE struct {
	Type, Flags       uint8
	Mask              uint32
	SID               string
	Object, Inherited string
}

// sambaScript decodes a descriptor in hexadecimal per line. Samba 4.17 crashes when it
// writes SDDL of types that it does not know, mandatory labels among them.
const sambaScript = `
import sys, json
from samba.ndr import ndr_unpack
from samba.dcerpc import security as s
none = "00000000-0000-0000-0000-000000000000"
def ace(a):
    o = i = none
    if a.type in (5, 6, 7, 8):
        if a.object.flags & 1: o = str(a.object.type)
        if a.object.flags & 2: i = str(a.object.inherited_type)
    return dict(Type=a.type, Flags=a.flags, Mask=a.access_mask, SID=str(a.trustee), Object=o, Inherited=i)
def acl(l): return None if l is None else [ace(a) for a in l.aces]
def tell(b, sddl):
    d = ndr_unpack(s.descriptor, b)
    sddl = sddl and not any(a.type > 8 for l in (d.dacl, d.sacl) if l for a in l.aces)
    text = lambda sid: "" if sid is None else str(sid)
    print(json.dumps(dict(Hex=b.hex(), Owner=text(d.owner_sid), Group=text(d.group_sid), SDDL=d.as_sddl(s.dom_sid("S-1-5-21-1-2-3")) if sddl else "", Control=d.type,
        DACL=acl(d.dacl), SACL=acl(d.sacl))))
for line in sys.stdin:
    sddl, line = line.split()
    tell(bytes.fromhex(line), sddl == "sddl")
`

// samba decodes descriptors by Samba.
func samba(t *testing.T, descriptors []string) []sambaDecode {
	t.Helper()
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import samba").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("SKIPPED: the peer python3-samba is not installed")
	}
	cmd := exec.Command(python, "-c", sambaScript)
	cmd.Stdin = strings.NewReader(strings.Join(descriptors, "\n"))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		errors.As(err, &exit)
		t.Fatalf("%v\n%s", err, exit.Stderr)
	}
	var list []sambaDecode
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var d sambaDecode
		if err := dec.Decode(&d); err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// TestSamba compares every different descriptor of the volumes, and random ones, with what Samba decodes.
func TestSamba(t *testing.T) {
	var descriptors []string
	seen := map[string]bool{}
	images := []string{ntfstest.Feat.Build(t)}
	for _, name := range realVolumes {
		images = append(images, realVolume(t, name))
	}
	for _, image := range images {
		for path, n := range paths(t, openTree(t, testenv.Open(t, image))) {
			b, err := n.Security()
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", path, err)
			}
			if text := hex.EncodeToString(b); len(b) > 0 && !seen[text] {
				seen[text] = true
				descriptors = append(descriptors, "sddl "+text)
			}
		}
	}
	real := len(descriptors)
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		descriptors = append(descriptors, "- "+hex.EncodeToString(randomDescriptor(r)))
	}
	list := samba(t, descriptors)
	if real < 1500 || len(list) != len(descriptors) {
		t.Fatalf("%d real descriptors, Samba has %d of %d", real, len(list), len(descriptors))
	}
	aces := 0
	for _, theirs := range list {
		aces += compareSamba(t, theirs)
	}
	t.Logf("%d real and %d random descriptors, %d ACEs", real, len(list)-real, aces)
}

var rightsField = regexp.MustCompile(`\((\w+;\w*);\w*;`)

func compareSamba(t *testing.T, theirs sambaDecode) int {
	b, err := hex.DecodeString(theirs.Hex)
	if err != nil {
		t.Fatal(err)
	}
	d, err := security.Decode(b)
	if err != nil {
		t.Errorf("%s: %v", theirs.Hex, err)
		return 0
	}
	ours := sambaDecode{Hex: theirs.Hex, Owner: d.Owner.String(), Group: d.Group.String(), SDDL: d.SDDL(), Control: uint16(d.Control), DACL: sambaACL(d.DACL), SACL: sambaACL(d.SACL)}
	// Samba does not have Windows' letters and order of rights; the masks are compared as numbers.
	ours.SDDL, theirs.SDDL = rightsField.ReplaceAllString(ours.SDDL, "($1;;"), rightsField.ReplaceAllString(theirs.SDDL, "($1;;")
	if theirs.SDDL == "" {
		ours.SDDL = ""
	}
	if got, want := fmt.Sprintf("%+v", ours), fmt.Sprintf("%+v", theirs); got != want {
		t.Errorf("decoded\n%s, Samba has\n%s", got, want)
	}
	return len(ours.DACL) + len(ours.SACL)
}

func sambaACL(l *security.ACL) []sambaACE {
	if l == nil {
		return nil
	}
	out := []sambaACE{}
	for _, a := range l.ACEs {
		out = append(out, sambaACE{uint8(a.Type), a.Flags, a.Mask, a.SID.String(), a.ObjectType.String(), a.InheritedType.String()})
	}
	return out
}

// randomDescriptor makes a self-relative descriptor of ordinary and object ACEs.
func randomDescriptor(r *rand.Rand) []byte {
	le := binary.LittleEndian
	b := make([]byte, 20)
	b[0] = 1
	control := []uint16{0x8000, 0x9400, 0xaa00, 0x8700}[r.IntN(4)]
	for i, part := range []func() []byte{
		func() []byte { return randomSID(r) }, func() []byte { return randomSID(r) },
		func() []byte { control |= 0x10; return randomACL(r, 2, 3, 7, 8) }, func() []byte { control |= 4; return randomACL(r, 0, 1, 5, 6) },
	} {
		if r.IntN(5) > 0 {
			le.PutUint32(b[4+4*i:], uint32(len(b)))
			b = append(b, part()...)
		}
	}
	le.PutUint16(b[2:], control)
	return b
}

func randomACL(r *rand.Rand, types ...byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 8)
	b[0] = 4
	count := r.IntN(6)
	for range count {
		a := []byte{types[r.IntN(len(types))], byte(r.Uint32()), 0, 0}
		a = le.AppendUint32(a, r.Uint32()&r.Uint32())
		if a[0] >= 5 {
			guids := r.Uint32N(4)
			a = le.AppendUint32(a, guids)
			for range 2 * bits.OnesCount32(guids) {
				a = le.AppendUint64(a, r.Uint64())
			}
		}
		a = append(a, randomSID(r)...)
		le.PutUint16(a[2:], uint16(len(a)))
		b = append(b, a...)
	}
	le.PutUint16(b[2:], uint16(len(b)))
	le.PutUint16(b[4:], uint16(count))
	return b
}

func randomSID(r *rand.Rand) []byte {
	b := []byte{1, byte(r.IntN(16)), 0, 0, 0, 0, 0, []byte{1, 3, 5, 15, 16}[r.IntN(5)]}
	for range b[1] {
		b = binary.LittleEndian.AppendUint32(b, r.Uint32()>>r.IntN(32))
	}
	return b
}
