package text

import (
	"bytes"
	"errors"
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

func TestPrintableLines(t *testing.T) {
	if got := PrintableLines("a\tb\n\x1b[2J\r\xff"); got != "a\tb\n\\x1b[2J\\x0d\\xff" {
		t.Errorf("%q", got)
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"a/b:c@d": "a/b:c@d", "a b": "'a b'", "it's": `'it'\''s'`, "x*": "'x*'", "": "''"} {
		if got := Quoted(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
