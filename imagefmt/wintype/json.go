package wintype

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// WTF8 is WTF-8 that JSON holds without loss: a lone surrogate, which UTF-8 has no form for, is \uXXXX there.
type WTF8 string

// MarshalJSON writes s.
func (s WTF8) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(s)) {
		return json.Marshal(string(s))
	}
	out, units := []byte{'"'}, EncodeUTF16(string(s))
	for i := 0; i < len(units); i++ {
		r := rune(units[i])
		if utf16.IsSurrogate(r) && i+1 < len(units) {
			if pair := utf16.DecodeRune(r, rune(units[i+1])); pair != utf8.RuneError {
				r, i = pair, i+1
			}
		}
		if utf16.IsSurrogate(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		b, err := json.Marshal(string(r))
		if err != nil {
			return nil, err
		}
		out = append(out, b[1:len(b)-1]...)
	}
	return append(out, '"'), nil
}

// UnmarshalJSON reads a string, with lone surrogates as they are.
func (s *WTF8) UnmarshalJSON(b []byte) error {
	var plain string
	if err := json.Unmarshal(b, &plain); err != nil || !strings.Contains(strings.ToLower(string(b)), `\ud`) {
		*s = WTF8(plain)
		return err
	}
	var units []byte // of UTF-16, little-endian
	add := func(text string) {
		for _, u := range EncodeUTF16(text) {
			units = binary.LittleEndian.AppendUint16(units, u)
		}
	}
	for rest := string(b[1 : len(b)-1]); rest != ""; {
		text, escape, found := strings.Cut(rest, `\`)
		add(text)
		if rest = escape; !found {
			break
		}
		if escape[0] != 'u' {
			var one string
			if err := json.Unmarshal([]byte(`"\`+escape[:1]+`"`), &one); err != nil {
				return err
			}
			add(one)
			rest = escape[1:]
			continue
		}
		u, err := strconv.ParseUint(escape[1:5], 16, 16)
		if err != nil {
			return err
		}
		units = binary.LittleEndian.AppendUint16(units, uint16(u))
		rest = escape[5:]
	}
	*s = WTF8(DecodeUTF16(units))
	return nil
}
