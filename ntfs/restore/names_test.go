package restore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMap(t *testing.T) {
	windows, colon, utf := Names{Windows: true}, Names{Colon: true}, Names{UTF8: true}
	for _, c := range []struct {
		rule       Names
		name, want string
	}{
		{Names{}, "plain.txt", "plain.txt"},
		{Names{}, "a/b", "a%2Fb"},
		{Names{}, "a\x00b", "a%00b"},
		{Names{}, ".", "%2E"},
		{Names{}, "..", "%2E%2E"},
		{Names{}, "...", "..."},
		{Names{}, "a:b|c", "a:b|c"},
		{Names{}, "100%", "100%"},
		{Names{}, "%2F", "%252F"},
		{Names{}, "%2f", "%252f"},
		{Names{}, SidecarName, "%2Esnapmount-meta.jsonl"},
		{Names{}, ".Snapmount-x.part", "%2ESnapmount-x.part"},
		{colon, "a:b|c", "a%3Ab|c"},
		{utf, "x\xed\xa0\x80y名", "x%ED%A0%80y名"},
		{windows, "CON", "%43ON"},
		{windows, "con.txt", "%63on.txt"},
		{windows, "COM1 .x", "%43OM1 .x"},
		{windows, "CONSOLE", "CONSOLE"},
		{windows, "LPT²", "%4CPT²"},
		{windows, "dot.", "dot%2E"},
		{windows, "dot. ", "dot.%20"},
		{windows, "tab\tq?", "tab%09q%3F"},
	} {
		got := c.rule.Map(c.name)
		if got != c.want || Unmap(got) != c.name {
			t.Errorf("%+v: %q becomes %q, want %q, and comes back as %q", c.rule, c.name, got, c.want, Unmap(got))
		}
	}
}

func TestMapLong(t *testing.T) {
	a, b := strings.Repeat("名", 200)+"a.docx", strings.Repeat("名", 200)+"b.docx"
	x, y := Names{}.Map(a), Names{}.Map(b)
	if len(x) > 255 || len(y) > 255 || x == y || !strings.HasSuffix(x, ".docx") || !utf8.ValidString(x) {
		t.Errorf("%q and %q", x, y)
	}
	if got := (Names{Max: 765}).Map(a); got != a {
		t.Errorf("cut to %d bytes, 765 are free", len(got))
	}
}

// FuzzNames maps two names and checks that they come back, stay apart, and are names.
func FuzzNames(f *testing.F) {
	f.Add("a/b", "a%2Fb", uint8(0))
	f.Add("%", "%%2", uint8(1))
	f.Add("..", ".", uint8(7))
	f.Add("CON.txt", "\xed\xa0\x80:", uint8(15))
	f.Fuzz(func(t *testing.T, a, b string, flags uint8) {
		rule := Names{Windows: flags&1 != 0, Colon: flags&2 != 0, UTF8: flags&4 != 0, Max: 1 << 20}
		if flags&8 != 0 {
			rule.Max = 143
		}
		x, y := rule.Map(a), rule.Map(b)
		if (x == y) != (a == b) {
			t.Errorf("%q and %q become %q and %q", a, b, x, y)
		}
		if strings.ContainsAny(x, "/\x00") || x == "." || x == ".." || len(x) > rule.Max || x == SidecarName {
			t.Errorf("%q becomes %q", a, x)
		}
		if len(a)*3 <= rule.Max && Unmap(x) != a {
			t.Errorf("%q becomes %q and comes back as %q", a, x, Unmap(x))
		}
		if rule.Windows && (strings.ContainsAny(x, "\\:*?\"<>|") || isDevice(x) || strings.HasSuffix(x, ".") && rule.Max != 143) {
			t.Errorf("%q becomes %q", a, x)
		}
	})
}
