package restore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names is the rule by which names of NTFS become names of a target. What a target cannot hold is percent-escaped: "%2F"
// for a slash. A percent sign that looks like the start of an escape is escaped too, so that Unmap gives back each name
// that was not too long.
type Names struct {
	Windows bool // no name that Windows refuses: reserved characters and device names, a dot or space at the end
	Colon   bool // no colon: what follows it would be a stream
	UTF8    bool // no unpaired surrogates
	Max     int  // bytes; 0 is 255
}

// and is the rule for what both can hold.
func (r Names) and(other Names) Names {
	limit := r.Max
	if limit == 0 || other.Max != 0 && other.Max < limit {
		limit = other.Max
	}
	return Names{r.Windows || other.Windows, r.Colon || other.Colon, r.UTF8 || other.UTF8, limit}
}

// maxExtension is how long the extension of a name that is cut may be, to be kept.
const maxExtension = 16

// Map gives the name on the target.
func (r Names) Map(name string) string {
	var out strings.Builder
	for i := 0; i < len(name); i++ {
		if r.escaped(name, i) {
			fmt.Fprintf(&out, "%%%02X", name[i])
		} else {
			out.WriteByte(name[i])
		}
	}
	mapped := out.String()
	limit := r.Max
	if limit == 0 {
		limit = 255
	}
	if len(mapped) <= limit {
		return mapped
	}
	end := fmt.Sprintf("~%.10x", sha256.Sum256([]byte(name)))
	if dot := strings.LastIndexByte(mapped, '.'); dot > 0 && len(mapped)-dot <= maxExtension {
		end += mapped[dot:]
	}
	cut := limit - len(end)
	for !utf8.RuneStart(mapped[cut]) {
		cut--
	}
	return mapped[:cut] + end
}

// escaped reports whether byte i of a name cannot stand as it is.
func (r Names) escaped(name string, i int) bool {
	c := name[i]
	switch c {
	case '/', 0:
		return true
	case ':':
		return r.Colon || r.Windows
	case '%':
		return i+2 < len(name) && isHex(name[i+1]) && isHex(name[i+2])
	}
	return i == 0 && likePart(name) || isDots(name) || r.UTF8 && c >= utf8.RuneSelf && surrogate(name, i) || r.Windows && refused(name, i)
}

func isDots(name string) bool { return name == "." || name == ".." }

// likePart reports whether a name begins as those of the program's own files.
func likePart(name string) bool {
	return len(name) >= len(partStart) && strings.EqualFold(name[:len(partStart)], partStart)
}

// refused reports whether byte i is one for which Windows does not take the name.
func refused(name string, i int) bool {
	switch c := name[i]; {
	case c < 0x20 || strings.IndexByte(`\*?"<>|`, c) >= 0:
		return true
	case i == len(name)-1 && (c == '.' || c == ' '):
		return true
	}
	return i == 0 && isDevice(name)
}

// surrogate reports whether byte i is of a surrogate in WTF-8: ED A0..BF 80..BF.
func surrogate(name string, i int) bool {
	for start := max(i-2, 0); start <= i; start++ {
		if start+2 < len(name) && name[start] == 0xed && name[start+1] >= 0xa0 {
			return true
		}
	}
	return false
}

// isDevice reports whether Windows takes the name for a device: up to the first dot or colon, spaces aside.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base, _, _ = strings.Cut(base, ":")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if n, ok := strings.CutPrefix(base, port); ok {
			return len(n) == 1 && n[0] >= '0' && n[0] <= '9' || n == "¹" || n == "²" || n == "³"
		}
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}

// Unmap is the reverse of Map for names that were not cut.
func Unmap(mapped string) string {
	var out strings.Builder
	for i := 0; i < len(mapped); i++ {
		if c := mapped[i:]; c[0] == '%' && len(c) > 2 && isHex(c[1]) && isHex(c[2]) {
			b, _ := hex.DecodeString(c[1:3]) // it is of hexadecimal digits
			out.WriteByte(b[0])
			i += 2
		} else {
			out.WriteByte(c[0])
		}
	}
	return out.String()
}

// fold gives names that differ in case only the same text.
func fold(name string) string {
	return strings.Map(func(c rune) rune {
		least := c
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, strings.ReplaceAll(strings.ReplaceAll(name, "ß", "ss"), "ẞ", "ss")) // file systems that fold in full
}
