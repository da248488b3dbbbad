package vmdk

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"

	"snapmount/imagefmt/wintype"
)

// aliases are what descriptors call encodings by, beside the names of the WHATWG.
var aliases = map[string]string{
	"cp932": "shift_jis", "ms932": "shift_jis", "windows-932": "shift_jis", "cp936": "gbk", "ms936": "gbk", "windows-936": "gbk",
	"cp949": "euc-kr", "ms949": "euc-kr", "cp950": "big5", "ms950": "big5", "windows-950": "big5", "ansi": "windows-1252",
}

// encodingOf finds an encoding by its label in a descriptor; nil is UTF-8, or one that is not known.
func encodingOf(label string) encoding.Encoding {
	label = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(label)), "x-")
	if other, ok := aliases[label]; ok {
		label = other
	} else if number, ok := strings.CutPrefix(label, "cp125"); ok {
		label = "windows-125" + number
	}
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil
	}
	if name, _ := htmlindex.Name(e); name == "utf-8" {
		return nil
	}
	return e
}

// inUTF8 turns a name in an encoding into UTF-8. Where the label of a descriptor may be wrong, or the file was copied
// without a look at it, other is what the name is too, else "".
func inUTF8(name string, from encoding.Encoding) (better, other string) {
	if from == nil {
		return name, ""
	}
	decoded, err := from.NewDecoder().String(name)
	switch {
	case err != nil || decoded == name:
		return name, ""
	case utf8.ValidString(name):
		return name, decoded
	}
	return decoded, name
}

// withoutMark takes the byte order mark from a text, and its encoding with it.
func withoutMark(text string) string {
	if rest, ok := strings.CutPrefix(text, "\xef\xbb\xbf"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(text, "\xff\xfe"); ok {
		return wintype.DecodeUTF16([]byte(rest[:len(rest)&^1]))
	}
	return text
}
