package compare

import (
	"bytes"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
)

func TestContentDiff(t *testing.T) {
	utf16 := func(s string) string {
		out := "\xff\xfe"
		for _, c := range s {
			out += string([]byte{byte(c), byte(c >> 8)})
		}
		return out
	}
	long := strings.Repeat("0123456789abcde\n", maxTextDiff/16+1)
	for _, c := range []struct{ name, a, b, want string }{
		{"text", "a\nb\nc\n", "a\nB\nc\n", "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
		{"no newline", "a", "", "--- x\n+++ y\n@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n"},
		{"UTF-16", utf16("a\nß\n"), utf16("a\nü\n"), "--- x\n+++ y\n@@ -1,2 +1,2 @@\n a\n-ß\n+ü\n"},
		{"binary", "\x00" + strings.Repeat("x", 40), "\x00" + strings.Repeat("x", 35) + "yx", "--- x (41 bytes)\n+++ y (38 bytes)\n" +
			"-00000020  78 78 78 78 78 78 78 78  78                       |xxxxxxxxx|\n+00000020  78 78 78 78 79 78                                 |xxxxyx|\n"},
		{"long", long, long[:100] + "X" + long[101:] + "end", "--- x (4194320 bytes)\n+++ y (4194323 bytes)\n" +
			"-00000060  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 0a  |0123456789abcde.|\n+00000060  30 31 32 33 58 35 36 37  38 39 61 62 63 64 65 0a  |0123X56789abcde.|\n" +
			"+00400010  65 6e 64                                          |end|\n"},
	} {
		var out bytes.Buffer
		err := WriteDiff(t.Context(), &out, "x", "y", source(c.a), source(c.b))
		if err != nil || out.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, out.String(), c.want)
		}
	}
	var out bytes.Buffer
	if err := WriteDiff(t.Context(), &out, "x", "y", source(strings.Repeat("\x00", 1<<20)), source(strings.Repeat("\x01", 1<<20))); err != nil || strings.Count(out.String(), "\n") != 2+2*maxHexLines+1 {
		t.Errorf("%v, %d lines", err, strings.Count(out.String(), "\n"))
	}
}

func source(s string) layer.Mapper {
	m, _ := layer.Section(strings.NewReader(s), 0, int64(len(s)))
	return m
}
