package shell_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"snapmount/cmd/shell"
	"snapmount/imagefmt/layer/testenv"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line  string
		words []string
		known bool
	}{
		{"", []string{""}, true},
		{"a", []string{"a"}, true},
		{"a ", []string{"a", ""}, true},
		{`a b\ c`, []string{"a", "b c"}, true},
		{`a "b c`, []string{"a", "b c"}, true},
		{`a 'b\`, []string{"a", `b\`}, true},
		{`a b\`, []string{"a", "b"}, true},
		{`a "b\"\c`, []string{"a", `b"\c`}, true},
		{`a x'y'"z"w`, []string{"a", "xyzw"}, true},
		{`a '' `, []string{"a", "", ""}, true},
		{"a ~/b", []string{"a", "/home/u/b"}, true},
		{`a "~/b"`, []string{"a", "~/b"}, true},
		{"a b~/c", []string{"a", "b~/c"}, true},
		{"a $b", []string{"a", "$b"}, false},
		{`a "$b`, []string{"a", "$b"}, false},
		{`a '$b`, []string{"a", "$b"}, true},
		{"a *.vhd", []string{"a", "*.vhd"}, false},
		{"a $b c", []string{"a", "$b", "c"}, true},
		{"x; a b", []string{"a", "b"}, true},
		{"x | a b", []string{"a", "b"}, true},
		{"a >b", []string{"a", "b"}, false},
		{"a > b", []string{"a", "b"}, false},
		{"a >b c", []string{"a", "c"}, true},
		{"a > b c", []string{"a", "c"}, true},
		{"a ü\xff", []string{"a", "ü\xff"}, true},
	} {
		got := shell.Parse(c.line, "/home/u")
		if !slices.Equal(got.Words, c.words) || got.Known != c.known {
			t.Errorf("%s: %q %v, want %q %v", c.line, got.Words, got.Known, c.words, c.known)
		}
	}
}

func TestRaw(t *testing.T) {
	for _, c := range []struct{ typed, word, end, raw, behind string }{
		{`im`, "im.vhd", "im", `im.vhd`, `im.vhd`},
		{`im.vhd:`, "im.vhd:p1", "", `im.vhd:p1`, `p1`},
		{`im.vhd@l`, "im.vhd@latest", "@l", `im.vhd@latest`, `@latest`},
		{`im:/my\ f`, "im:/my file", `/my\ f`, `im:/my\ file`, `/my\ file`},
		{`im:/US`, "im:/Users/", "/US", `im:/Users/`, `/Users/`},
		{`'im:/US`, "im:/User s/", "im:/US", `'im:/User s/`, `im:/User s/`},
		{`"im:/US`, "im:/Use\"r s/", "im:/US", `"im:/Use\"r s/`, `im:/Use\"r s/`},
		{`'im'`, "im b", "", `'im'\ b`, `\ b`},
		{`im\`, "im b", `im\`, `im\ b`, `im\ b`},
		{`im\\`, `im\b`, `im\\`, `im\\b`, `im\\b`},
		{`~/d`, "/home/u/disk", "~/d", `~/disk`, `~/disk`},
		{``, "ü ", "", `ü\ `, `ü\ `},
		{"ü", "üb", "ü", `üb`, `üb`},
		{"ä", "üb", "ä", `üb`, `üb`},
	} {
		l := shell.Parse("x "+c.typed, "/home/u")
		raw := l.Raw(c.word)
		behind, ok := l.Behind(raw, c.end)
		if raw != c.raw || behind != c.behind || !ok {
			t.Errorf("%s to %s: %s and behind %s (%v), want %s and %s", c.typed, c.word, raw, behind, ok, c.raw, c.behind)
		}
	}
	if l := shell.Parse("x im:u", ""); true {
		if got, ok := l.Behind(l.Raw("IM:users"), "u"); ok {
			t.Errorf("what the shell keeps would have to change: %s", got)
		}
	}
}

// TestBashReadsBack has bash read what is written, from within all quotes.
func TestBashReadsBack(t *testing.T) {
	bash := testenv.Peer(t, "bash")
	every := ""
	for b := byte(' '); b < 0x7f; b++ {
		every += string([]byte{b})
	}
	for _, word := range []string{every, "a b", "'", `"`, "!", "!!", "~/x", "#", "", "ä€𝄞", "\xf3", "a\nb", "$(exit)", `\`, `a\`} {
		for _, quote := range []string{"", "'", `"`} {
			raw := shell.Parse("x "+quote, "").Raw(word) + quote
			out, err := exec.Command(bash, "-c", "printf %s "+raw).Output()
			if err != nil || string(out) != word {
				t.Errorf("%s as %s: bash reads %s, %v", word, raw, out, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a "b\"\c`, `a x'y'"z"w`, "x; a b > c", "~", `~\`, `~/b\`, "m\xf3"} {
		f.Add(s, "more")
		f.Add(s, "/")
		f.Add(s, "no\xf3UTF-8\n")
	}
	f.Add(`"a\!`, "")
	f.Add(`~\/`, "\xa6")
	f.Fuzz(func(t *testing.T, line, more string) {
		l := shell.Parse(line, "/home/u")
		if !l.Known || strings.ContainsAny(line, "\n\x00") {
			return
		}
		word := l.Last() + more
		if again := shell.Parse("x "+l.Raw(word), "/home/u"); again.Known && again.Last() != word {
			t.Errorf("%q: %q is typed %q, and read %q", line, word, l.Raw(word), again.Last())
		}
	})
}
