package selection

import (
	"math/rand/v2"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		most int
		want int
	}{
		{"", "", 3, 0}, {"", "abc", 3, 3}, {"abc", "", 2, 3}, {"offer", "offer", 3, 0}, {"offer", "ofer", 3, 1}, {"offer", "ofefr", 3, 1},
		{"lettres", "letters", 3, 1}, {"budget", "widget", 3, 2}, {"kitten", "sitting", 3, 3}, {"kitten", "sitting", 2, 3}, {"ab", "ba", 0, 1},
		{"ca", "abc", 3, 3}, {"größe", "grosse", 3, 3}, {"日本", "本日", 1, 1},
	} {
		if got := Distance(c.a, c.b, c.most); got != c.want {
			t.Errorf("%q, %q up to %d: %d, want %d", c.a, c.b, c.most, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 { // as many edits as were made, or fewer, both ways
		a := make([]rune, 3+r.IntN(8))
		for i := range a {
			a[i] = 'a' + rune(r.IntN(4))
		}
		b, edits := append([]rune{}, a...), r.IntN(3)
		for range edits {
			i := r.IntN(len(b))
			switch r.IntN(3) {
			case 0:
				b[i] = 'z'
			case 1:
				b = append(b[:i:i], b[i+1:]...)
			default:
				b = append(b[:i:i], append([]rune{'y'}, b[i:]...)...)
			}
		}
		there, back := Distance(string(a), string(b), 5), Distance(string(b), string(a), 5)
		if there > edits || there != back {
			t.Fatalf("%s, %s: %d and %d, after %d edits", string(a), string(b), there, back, edits)
		}
	}
}
