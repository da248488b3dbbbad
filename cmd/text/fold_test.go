package text

import "testing"

func TestFold(t *testing.T) {
	in := "one two three\nfour five\n\n  kept as   it is\nsix a-word-that-is-too-long x"
	want := "one two\nthree four\nfive\n\n  kept as   it is\nsix\na-word-that-is-too-long\nx"
	if got := Fold(in, 10); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := Hang("  é: ", "ä b cc ddd", 9), "  é: ä b\n     cc\n     ddd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
