package content

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// A script is how a text is encoded, as far as the rule of texts needs it.
type script uint8

const (
	bytewise script = iota // UTF-8, or a code page of single or double bytes
	utf16LE
	utf16BE
)

// scriptOf returns how a text that begins so is encoded, by its mark; UTF-16 without one is told by its windows.
func scriptOf(head []byte) script {
	switch {
	case bytes.HasPrefix(head, []byte{0xff, 0xfe, 0, 0}) || bytes.HasPrefix(head, []byte{0, 0, 0xfe, 0xff}):
		return bytewise // UTF-32, of which three bytes in four are no more than 0x10
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}):
		return utf16LE
	case bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return utf16BE
	}
	return bytewise
}

// notText reports whether a window is no text: it has both control bytes and bytes that are no UTF-8. A code page fails the
// second test and UTF-16 of letters the first; each alone is no evidence. odd says that the window begins at an odd offset.
func notText(b []byte, s script, odd bool) bool {
	if s != bytewise {
		return badUTF16(b, s, odd)
	}
	control, bad := 0, 0
	for rest := b; len(rest) > 0; {
		c := rest[0]
		if c < utf8.RuneSelf {
			if isControl(c) {
				control++
			}
			rest = rest[1:]
			continue
		}
		r, n := utf8.DecodeRune(rest)
		// A character that the window cuts, at either end, is not bad.
		if r == utf8.RuneError && n == 1 && len(rest) >= utf8.UTFMax && len(b)-len(rest) >= utf8.UTFMax {
			bad++
		}
		rest = rest[n:]
	}
	least := max(len(b)/50, 2)
	if control < least || bad < least {
		return false
	}
	// Chinese in UTF-16 without a mark has both, too.
	return badUTF16(b, utf16LE, odd) && badUTF16(b, utf16BE, odd)
}

func isControl(c byte) bool {
	return c == 0x7f || c < 0x20 && (c < '\b' || c > '\r') && c != 0x1b && c != 0x1a
}

// badUTF16 reports whether units of 16 bits are no text: more than one in 20 is a control or stands alone, or more than one in
// ten is of no script that many write in. Of random units it is one in seven, and one in two.
func badUTF16(b []byte, s script, odd bool) bool {
	if odd && len(b) > 0 {
		b = b[1:]
	}
	bad, rare, n := 0, 0, len(b)/2
	unit := le.Uint16
	if s == utf16BE {
		unit = be.Uint16
	}
	for i := range n {
		r := rune(unit(b[2*i:]))
		switch {
		case utf16.IsSurrogate(r):
			bad += lone(b, i, unit)
		case r == '\r' || r == '\n' || r == '\t' || r == 0xfeff:
		case r < 0x20 || r >= 0xe000 && r < 0xf900 || r >= 0xfffe: // controls, and private ones
			bad++
		case !common(r):
			rare++
		}
	}
	return bad*20 > n || (bad+rare)*10 > n
}

// common reports whether a character is of Latin, Greek, Cyrillic, Hebrew, Arabic, Thai, Chinese, Japanese or Korean, or a sign.
func common(r rune) bool {
	return r < 0x250 || r >= 0x370 && r < 0x700 || r >= 0xe00 && r < 0xe80 || r >= 0x2000 && r < 0x2070 || r >= 0x3000 && r < 0x3100 ||
		r >= 0x4e00 && r < 0xa000 || r >= 0xac00 && r < 0xd7a4 || r >= 0xff00 && r < 0xfff0
}

// lone is 1 when the surrogate at unit i has no partner; the ends of the window are believed.
func lone(b []byte, i int, unit func([]byte) uint16) int {
	other := i + 1
	if r := unit(b[2*i:]); r >= 0xdc00 {
		other = i - 1
	}
	if other < 0 || 2*other+2 > len(b) || utf16.IsSurrogate(rune(unit(b[2*other:]))) {
		return 0
	}
	return 1
}

// looksText reports whether bytes are those of a text: no control bytes, or UTF-16 that can be printed.
func looksText(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if s := scriptOf(b); s != bytewise {
		return !badUTF16(b, s, false)
	}
	control, null := 0, 0
	for _, c := range b {
		if c == 0 {
			null++
		} else if isControl(c) {
			control++
		}
	}
	if null > len(b)/4 {
		return !badUTF16(b, utf16LE, false) || !badUTF16(b, utf16BE, false)
	}
	return (control+null)*100 <= len(b)
}
