package wintype

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable escapes what could act on a terminal, or would be seen as something else: control characters (C0, C1, line
// ends), marks that turn the direction of text, characters without width, and bytes that are no UTF-8, each byte as \xNN.
// Names, labels and all other text of an image are not to be trusted.
func Printable(s string) string { return escaped(s, "") }

// PrintableLines is Printable for text of lines, and leaves line ends and tabs.
func PrintableLines(s string) string { return escaped(s, "\t\n") }

// acts reports whether a character is more than a sign or a space.
func acts(r rune) bool { return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) }

// escaped escapes all that acts, but for what is in keep.
func escaped(s, keep string) string {
	if plain(s, keep) {
		return s
	}
	bad := func(r rune) bool { return acts(r) && !strings.ContainsRune(keep, r) }
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || bad(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && n == 1) || bad(r) {
			for _, c := range []byte(s[i : i+n]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// plain reports whether a text is of signs and spaces of ASCII and what is in keep: nearly all is, and no table is needed.
func plain[T string | []byte](s T, keep string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c >= 0x7f) && strings.IndexByte(keep, c) < 0 {
			return false
		}
	}
	return true
}

// PrintableJSON is Printable for a JSON text, which stays the same to who reads it: the escapes are JSON's own.
func PrintableJSON(b []byte) []byte {
	bad := func(r rune) bool { return r >= 0x7f && acts(r) } // below, the encoder has escaped, or ends a line
	if plain(b, "\n") || bytes.IndexFunc(b, bad) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		switch {
		case !bad(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// A JSONWriter passes whole texts of JSON on to W, as PrintableJSON gives them.
type JSONWriter struct{ W io.Writer }

func (j JSONWriter) Write(p []byte) (int, error) {
	_, err := j.W.Write(PrintableJSON(p))
	return len(p), err
}
