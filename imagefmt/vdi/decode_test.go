package vdi

import (
	"encoding/binary"
	"testing"

	"snapmount/imagefmt/wintype"
)

// TestDecode reads a header in which each field has a number of its own.
func TestDecode(t *testing.T) {
	b := make([]byte, headerLen)
	le := binary.LittleEndian
	for i, at := range []int{0x40, 0x44, 0x4c, 0x154, 0x158, 0x170, 0x174, 0x178, 0x17c, 0x180} {
		le.PutUint32(b[at:], 0x01020304*uint32(i+1))
	}
	var ids [4]wintype.GUID
	for i := range ids {
		for k := range ids[i] {
			ids[i][k] = byte(16*i + k + 1)
		}
		copy(b[0x188+16*i:], ids[i][:])
	}
	n := func(i int) uint32 { return 0x01020304 * uint32(i) }
	want := header{n(1), n(2), n(3), n(4), n(5), uint64(n(7))<<32 | uint64(n(6)), n(8), n(9), n(10), ids[0], ids[1], ids[2], ids[3]}
	if got := decodeHeader(b); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
