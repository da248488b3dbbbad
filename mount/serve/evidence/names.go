package evidence

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Names of the tree are WTF-8 without slashes and NUL. Text of XML and of pages is UTF-8, and XML 1.0 has no control
// characters. So bytes of unpaired surrogates, control characters and U+FFFE and U+FFFF are shown percent-escaped, as
// points.EscapeName shows slashes, and a percent sign that could be mistaken for the begin of such an escape, however often
// escaped, is %25: each shown name stands for one name.

// Name shows a name of the tree as text.
func Name(name string) string {
	if plain(name) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		switch _, _, escape := escaped(name[i:]); {
		case !isText(r, n):
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		case escape:
			b.WriteString("%25")
		default:
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Unname gives the name that Name shows so.
func Unname(text string) string {
	if strings.IndexByte(text, '%') < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		switch c, times, ok := escaped(text[i:]); {
		case !ok:
			b.WriteByte(text[i])
			i++
		case times == 0:
			b.WriteByte(c)
			i += 3
		default:
			b.WriteByte('%')
			i += 3
		}
	}
	return b.String()
}

// plain reports whether Name has nothing to escape, which is so of nearly all names.
func plain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < 0x20 || c >= 0x7f || c == '%' {
			return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !isText(r, 2) || r == '%' })
		}
	}
	return true
}

// isText reports whether a decoded character of n bytes can be in text.
func isText(r rune, n int) bool {
	return r >= 0x20 && (r < 0x7f || r > 0x9f) && r != 0xfffe && r != 0xffff && (r != utf8.RuneError || n > 1)
}

// escaped gives the byte that an escape at the begin of s stands for, any of those that Name escapes, and how many times its
// percent sign is escaped.
func escaped(s string) (c byte, times int, ok bool) {
	s, ok = strings.CutPrefix(s, "%")
	for ok && strings.HasPrefix(s, "25") {
		s, times = s[2:], times+1
	}
	if !ok || len(s) < 2 {
		return 0, 0, false
	}
	high, low := strings.IndexByte(digits, s[0]), strings.IndexByte(digits, s[1])
	c = byte(high<<4 | low)
	return c, times, high >= 0 && low >= 0 && c != 0 && (c < 0x20 || c >= 0x7f)
}

const digits = "0123456789ABCDEF"

// AppendPath appends a name or a path as an address has it: every byte is percent-escaped but slashes and what RFC 3986
// calls unreserved.
func AppendPath(b []byte, path string) []byte {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~', c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
