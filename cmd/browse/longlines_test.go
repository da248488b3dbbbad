package browse

import (
	"strings"
	"testing"
)

// TestLongLines folds texts that are one line, as minified JSON is: looking at all that is left for each line of the
// screen would take forever.
func TestLongLines(t *testing.T) {
	const n = 1 << 20
	for name, unit := range map[string]string{"letters": "ab", "words": "a b c d e ", "wide": "日", "marks": "e\u0301"} {
		text := strings.Repeat(unit, n/len(unit))
		lines := wrap(text, 80)
		if got := strings.Join(lines, ""); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%s: %d bytes in %d lines are not the text", name, len(got), len(lines))
		}
		for _, line := range lines[:len(lines)-1] {
			if w := width(line); w > 80 || w < 79 {
				t.Fatalf("%s: a line of %d columns: %q", name, w, line)
			}
		}
	}
	if got := untab(strings.Repeat("\t", n)); got != strings.Repeat(" ", 8*n) {
		t.Errorf("%d tabs are %d bytes", n, len(got))
	}
}

func TestUntab(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "\t": "        ", "a\tb": "a       b", "1234567\t8": "1234567 8", "12345678\t9": "12345678        9",
		"日\tx\t": "日      x       ", "\t\ta": "                a",
	} {
		if got := untab(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
