package cmd

import "testing"

// TestGlob compares with what the patterns say, by hand.
func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, path  string
		matched, below bool
	}{
		{"a", "A", true, true}, {"a", "b", false, false}, {"a/*", "a", false, true}, {"a/*", "a/b", true, true}, {"a/*", "a/b/c", true, true},
		{"**/x", "x", true, true}, {"**/x", "a/b", false, true}, {"**/x", "a/b/x", true, true}, {"a/**/x", "b", false, false}, {"a/**/x", "a", false, true},
		{"a/**/x", "a/x", true, true}, {"a/**", "a/b", true, true}, {"[!a]b", "cb", true, true}, {"[!a]b", "ab", false, false}, {"??", "é1", true, true},
		{"*.docx", "a.doc", false, false}, {"**/b/**/d", "a/b/c/b/d", true, true}, {"**/b/c", "b/b", false, true},
	} {
		g, err := newGlob(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if matched, below := g.match(pathWords(c.path)); matched != c.matched || below != c.below {
			t.Errorf("%q, %q: %v, %v, want %v, %v", c.pattern, c.path, matched, below, c.matched, c.below)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a/**/*.[dD]oc?", "a/b/c.docx")
	f.Add("**/[!x]*", "x/yz")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 200 || len(path) > 200 {
			return
		}
		g, err := newGlob(pattern)
		if err != nil {
			return
		}
		names := pathWords(path)
		matched, below := g.match(names)
		if matched && !below {
			t.Error("matches, and nothing below does")
		}
		for i := range names { // a directory that nothing below matches holds no match
			if _, below := g.match(names[:i]); matched && !below {
				t.Errorf("%q matches, and nothing below %q could", names, names[:i])
			}
		}
	})
}
