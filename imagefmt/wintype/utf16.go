package wintype

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeUTF16 converts little-endian UTF-16 to WTF-8: UTF-8 in which a lone surrogate keeps its own three bytes, so
// that two different names never become one. A byte order mark is a character like others. An odd last byte is ignored.
func DecodeUTF16(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i+1 < len(b); i += 2 {
		c := rune(binary.LittleEndian.Uint16(b[i:]))
		if utf16.IsSurrogate(c) && i+3 < len(b) {
			if r := utf16.DecodeRune(c, rune(binary.LittleEndian.Uint16(b[i+2:]))); r != utf8.RuneError {
				out = utf8.AppendRune(out, r)
				i += 2
				continue
			}
		}
		out = appendWTF8(out, c)
	}
	return string(out)
}

// appendWTF8 appends a code point below 0x10000 that may be a surrogate.
func appendWTF8(out []byte, c rune) []byte {
	if utf16.IsSurrogate(c) {
		return append(out, 0xe0|byte(c>>12), 0x80|byte(c>>6)&0x3f, 0x80|byte(c)&0x3f)
	}
	return utf8.AppendRune(out, c)
}

// EncodeUTF16 converts WTF-8 to UTF-16 code units, the reverse of DecodeUTF16. A byte that belongs to no character
// becomes U+FFFD.
func EncodeUTF16(s string) []uint16 { return AppendUTF16(make([]uint16, 0, len(s)), s) }

// AppendUTF16 is EncodeUTF16 that appends to out.
func AppendUTF16(out []uint16, s string) []uint16 {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 && len(s) >= 3 && s[0] == 0xed && s[1]&0xe0 == 0xa0 && s[2]&0xc0 == 0x80 {
			r, n = 0xd000|rune(s[1]&0x3f)<<6|rune(s[2]&0x3f), 3
		}
		if r >= 0x10000 {
			hi, lo := utf16.EncodeRune(r)
			out = append(out, uint16(hi), uint16(lo))
		} else {
			out = append(out, uint16(r))
		}
		s = s[n:]
	}
	return out
}
