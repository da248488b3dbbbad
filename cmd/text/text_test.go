package text

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestReporter(t *testing.T) {
	var out bytes.Buffer
	r := NewReporter(&out)
	r.Note("a \x1b[2J note")
	r.Note("a \x1b[2J note")
	if r.Err("x") != nil {
		t.Error("a note is a failure")
	}
	r.Fail("a/\x07b", errors.New("two\nlines"))
	r.Fail("", errors.New("alone"))
	want := "snapmount: a \\x1b[2J note\nsnapmount: a/\\x07b: two; lines\nsnapmount: alone\n"
	if err := r.Err("were not restored"); out.String() != want || err == nil || err.Error() != "some items were not restored" {
		t.Errorf("%q, %v", out.String(), err)
	}
	for capped, want := range map[bool]int{false: 2 * most, true: most} {
		out.Reset()
		r := NewReporter(&out)
		r.Capped = capped
		for range 2 * most {
			r.Fail("x", errors.New("y"))
		}
		if n := strings.Count(out.String(), "\n"); n != want || capped != strings.Contains(out.String(), "not told one by one") || r.Err("") == nil {
			t.Errorf("capped %v: %d lines", capped, n)
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"a/b:c@d": "a/b:c@d", "a b": "'a b'", "it's": `'it'\''s'`, "x*": "'x*'", "a\x1b'\\": `$'a\x1b\'\\'`, "": "''"} {
		if got := Quoted(in); got != want && runtime.GOOS != "windows" {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`C:\a.vhd:p1@vss2:/b`: `C:\a.vhd:p1@vss2:/b`, "@vss1": `"@vss1"`, "a b": `"a b"`, "it's": `"it's"`, "*.txt": `"*.txt"`, "a,b": `"a,b"`,
		`C:\a b\`: `"C:\a b\\"`, "$x it's": "'$x it''s'", "": `""`, "%PATH%": "'%PATH%'", "#5": `"#5"`,
		"100%": `"100%"`, "a%2Fb": `"a%2Fb"`, "it\u2019s": "\"it\u2019s\"", "\u201cit\u2019s\u201d": "'\u201cit\u2019\u2019s\u201d'", `\\.\C::/Users`: `\\.\C::/Users`} {
		if got := quotedWindows(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// TestColours looks at where control sequences go: nowhere but around a line, whatever is in it.
func TestColours(t *testing.T) {
	for _, c := range []struct {
		when   string
		colour bool
		want   string
	}{{"always", true, "\x1b[31ma \\x1b[1m b\x1b[m\nc\n"}, {"never", false, "a \\x1b[1m b\nc\n"}, {"auto", false, "a \\x1b[1m b\nc\n"}} {
		var out bytes.Buffer
		o := NewOut(NewSafe(&out))
		var err error
		if o.Colour, err = Colours(c.when, &out); err != nil || o.Colour != c.colour {
			t.Errorf("%s: %v, %v", c.when, o.Colour, err)
		}
		o.Line(Gone, "a %s b", "\x1b[1m")
		o.Head("not on a terminal")
		o.Line(Plain, "c")
		if err := o.Flush(); err != nil || out.String() != c.want {
			t.Errorf("%s: %q, %v, want %q", c.when, out.String(), err, c.want)
		}
	}
	if _, err := Colours("sometimes", nil); err == nil {
		t.Error("any word will do")
	}
	var out bytes.Buffer
	o := NewOut(&out)
	o.Width = 12
	o.Hung(Plain, "  x: ", "one two three")
	if _ = o.Flush(); out.String() != "  x: one two\n     three\n" {
		t.Errorf("%q", out.String())
	}
}
