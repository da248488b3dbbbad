package wintype

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"offer 14.txt": "offer 14.txt", "Größe\u3000全角\u00a0é": "Größe\u3000全角\u00a0é", "😀": "😀",
		"a\x1b[2J\x07": `a\x1b[2J\x07`, "\u009b31m": `\xc2\x9b31m`, "txt.\u202egpj": `txt.\xe2\x80\xaegpj`, "a\u200bb": `a\xe2\x80\x8bb`, "\u2066x": `\xe2\x81\xa6x`,
		"\xed\xa0\x80": `\xed\xa0\x80`, "\xff": `\xff`, "\x7f": `\x7f`, "a\nb\t": `a\x0ab\x09`, "\ufffd": "\ufffd", "\u2028": `\xe2\x80\xa8`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	if got := PrintableLines("a\tb\n\x1b[2J\r\xff"); got != "a\tb\n\\x1b[2J\\x0d\\xff" {
		t.Errorf("%q", got)
	}
}

// FuzzPrintable makes sure that nothing acts any more, and that JSON says what it said.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "a\x1b\u202e\U000e0001\u0085", "\xed\xa0\x80\xff", "\u3000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p := Printable(s); !utf8.ValidString(p) || strings.ContainsFunc(p, acts) || Printable(p) != p {
			t.Errorf("%q: %q", s, p)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		safe := PrintableJSON(b)
		if err := json.Unmarshal(b, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil || before != after || strings.ContainsFunc(string(safe), acts) {
			t.Errorf("%q: %s, %v", s, safe, err)
		}
	})
}
