package vmdk

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// counting is n bytes of which each differs from its neighbours: byte i is i+1.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return b
}

// word is the little-endian number of n bytes at off in counting.
func word(off, n int) uint64 {
	var b [8]byte
	copy(b[:], counting(512)[off:][:n])
	return binary.LittleEndian.Uint64(b[:])
}

func TestDecode(t *testing.T) {
	b := counting(512)
	if got, want := decodeHosted(b), (hostedHeader{uint32(word(4, 4)), uint32(word(8, 4)), word(12, 8), word(20, 8), word(28, 8), word(36, 8),
		uint32(word(44, 4)), word(48, 8), word(56, 8), word(64, 8), 73, "\x4a\x4b\x4c\x4d", uint16(word(77, 2))}); got != want {
		t.Errorf("hosted %+v, want %+v", got, want)
	}
	if got, want := decodeCOWD(b), (cowdHeader{uint32(word(4, 4)), uint32(word(12, 4)), uint32(word(16, 4)), uint32(word(20, 4)),
		uint32(word(24, 4)), uint32(word(28, 4))}); got != want {
		t.Errorf("COWD %+v, want %+v", got, want)
	}
	if got, want := decodeSESparse(b), (seHeader{word(8, 8), word(16, 8), word(24, 8), word(32, 8), word(40, 8), word(80, 8), word(128, 8),
		word(136, 8), word(144, 8), word(192, 8)}); got != want {
		t.Errorf("seSparse %+v, want %+v", got, want)
	}
	if got, want := decodeMarker(b), (marker{word(0, 8), uint32(word(8, 4)), uint32(word(12, 4))}); got != want {
		t.Errorf("marker %+v, want %+v", got, want)
	}
}

func TestDescriptor(t *testing.T) {
	d, err := parseDescriptor("# Disk DescriptorFile\r\nversion=1\r\nencoding=\"windows-1252\"\nCID = fffffffe\nparentCID=0badCafe\r\n"+
		"parentFileNameHint=\"/vmfs/volumes/x/a = b.vmdk\"\n# RW 1 FLAT \"comment\" 0\n"+
		"RW 63 FLAT \"b\xe4se flat.vmdk\" 7 partitionUUID x\nRDONLY 4192256 SPARSE \"disk-s001.vmdk\"\nNOACCESS 5 ZERO\r\n\trw\t9 vmfs \"x\"\n"+
		"ddb.iofilters = \"other\"\nddb.comment = \"RW 1\"\n\x00RW junk", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []extentLine{{"RW", 63, "FLAT", "bäse flat.vmdk", "b\xe4se flat.vmdk", 7}, {"RDONLY", 4192256, "SPARSE", "disk-s001.vmdk", "", 0}, {"NOACCESS", 5, "ZERO", "", "", 0}, {"RW", 9, "VMFS", "x", "", 0}}
	if d.cid != 0xfffffffe || d.parentCID != 0x0badcafe || d.parentHint != "/vmfs/volumes/x/a = b.vmdk" || d.encryption != "" || !slices.Equal(d.lines, want) {
		t.Errorf("%+v, want extents %+v", d, want)
	}
	for _, line := range []string{
		"RW 1 FLAT", "RW", "RW x SPARSE \"a\"", "RW -1 SPARSE \"a\"", "RW 9007199254740993 SPARSE \"a\"", "RW 1 FLAT \"a", "RW 1 SPARSE \"a\" x",
		"RW 1 2 FLAT \"a\"", "NOACCESS 1", "RW 99999999999999999999 ZERO", "CID=12345678901", "CID=xyz", "parentCID=",
	} {
		if d, err := parseDescriptor(line, 0); err == nil || !strings.HasPrefix(err.Error(), "descriptor at 0x0: ") {
			t.Errorf("%q: %+v, error %v", line, d, err)
		}
	}
	for _, line := range []string{`encryptionKeys="vmware:key/list/x"`, `keyID="x"`, `ddb.iofilters = "spm,vmwarevmcrypt"`} {
		if d, err := parseDescriptor(line, 0); err != nil || d.encryption == "" {
			t.Errorf("%q: %+v, error %v", line, d, err)
		}
	}
}
