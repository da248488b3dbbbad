// Package wintype holds the small types of Windows formats: GUID, FILETIME, and UTF-16 names.
package wintype

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is 16 bytes as stored on disk: the first three fields little-endian, the rest in order.
type GUID [16]byte

// String gives the usual text, lower case, without braces.
func (g GUID) String() string {
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(g[0:]), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:16])
}

// IsZero reports whether all bytes are zero, which stands for "none".
func (g GUID) IsZero() bool { return g == GUID{} }

// ParseGUID reads the usual text, in either case, with or without braces.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	t := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	if len(t) != 36 || t[8] != '-' || t[13] != '-' || t[18] != '-' || t[23] != '-' {
		return g, fmt.Errorf("GUID %q: want 8-4-4-4-12 hexadecimal digits", s)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(t, "-", ""))
	if err != nil || len(b) != 16 {
		return g, fmt.Errorf("GUID %q: want 8-4-4-4-12 hexadecimal digits", s)
	}
	le, be := binary.LittleEndian, binary.BigEndian
	le.PutUint32(g[0:], be.Uint32(b[0:]))
	le.PutUint16(g[4:], be.Uint16(b[4:]))
	le.PutUint16(g[6:], be.Uint16(b[6:]))
	copy(g[8:], b[8:])
	return g, nil
}
