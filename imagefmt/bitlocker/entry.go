package bitlocker

import (
	"encoding/binary"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

var le = binary.LittleEndian

// What an entry is for. Others are left out, and so are all flags: Windows adds to them.
const (
	roleProtector   = 2
	roleVolumeKey   = 3
	roleDescription = 7
	roleRelocated   = 0xf
	roleRecovery    = 0x12 // the 16 bytes of a recovery password, boxed by the volume's master key
)

// What an entry holds.
const (
	typeKey         = 1 // u16 kind of key, u16 flags, bytes
	typeText        = 2 // UTF-16, a NUL at the end
	typeStretch     = 3 // u16, u16, salt of 16 bytes, entries
	typeBox         = 5
	typeProtector   = 8
	typeExternalKey = 9   // GUID, FILETIME, entries
	typeRange       = 0xf // u64 offset, u64 size, and more since Windows 8
)

// An entry is a "datum" of a metadata block or a key file: u16 size with this header of 8 bytes, u16 role, u16 type, u16
// flags, data.
type entry struct {
	off       int64 // of the header, in what holds it
	role, typ uint16
	data      []byte
}

// entries decodes what fills b, which is at off. Damage ends the list, and those before it stay.
func entries(b []byte, off int64) (list []entry, err error) {
	for at := 0; at < len(b); {
		rest := b[at:]
		if len(rest) < 8 || int(le.Uint16(rest)) < 8 || int(le.Uint16(rest)) > len(rest) {
			size := 0
			if len(rest) >= 2 {
				size = int(le.Uint16(rest))
			}
			return list, layer.Corrupt("entry", off+int64(at), "a size of %d, want 8 to %d", size, len(rest))
		}
		n := int(le.Uint16(rest))
		list = append(list, entry{off: off + int64(at), role: le.Uint16(rest[2:]), typ: le.Uint16(rest[4:]), data: rest[8:n]})
		at += n
	}
	return list, nil
}

// nested decodes the entries that follow n bytes of fields.
func (e entry) nested(n int) ([]entry, error) {
	if len(e.data) < n {
		return nil, layer.Corrupt("entry", e.off, "%d bytes of data, want %d at least", len(e.data), n)
	}
	return entries(e.data[n:], e.off+8+int64(n))
}

// text decodes UTF-16 up to its NUL.
func (e entry) text() string {
	s, _, _ := strings.Cut(wintype.DecodeUTF16(e.data), "\x00")
	return s
}

// key decodes a key: u16 kind, u16 flags, and then its bytes.
func (e entry) key() ([]byte, bool) {
	if e.typ != typeKey || len(e.data) < 4 {
		return nil, false
	}
	return e.data[4:], true
}

// salt is that of a stretched key, 16 bytes behind two u16.
func (e entry) salt() (s [16]byte, ok bool) {
	if e.typ != typeStretch || len(e.data) < 20 {
		return s, false
	}
	copy(s[:], e.data[4:])
	return s, true
}

// guidAt decodes a GUID.
func guidAt(b []byte) (g wintype.GUID) {
	copy(g[:], b)
	return g
}
