package pattern

import (
	"errors"
	"path"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob      string
		yes, no   string // by bars
		byPath    bool
		sensitive bool
	}{
		{"*.docx", "a.docx|A.DOCX|.docx", "a.docx2", false, false},
		{"a?c", "abc|aüc|AxC", "ac|abbc", false, false},
		{"[a-c]x[!0-9]", "axy|CXy", "dxy|ax1|ax", false, false},
		{"[^a]b", "cb", "ab|b", false, false},
		{"[]a]", "]|a", "b", false, false},
		{"a[[]", "a[|A[", "a", false, false},
		{"a[/]b", "", "ab|a", false, false},
		{"(x).+$", "(x).+$", "x", false, false},
		{"Größe*", "GRÖßE 1", "Grösse", false, false},
		{"Users/*/x", "Users/me/x|/USERS/A/X", "Users/a/b/x|x", true, false},
		{"/x", "x|/X", "a/x|x/a", true, false},
		{"/**/x.txt", "x.txt|a/x.txt|a/b/c/x.txt", "ax.txt|a/x.txt/b", true, false},
		{"a/**", "a/b|a/b/c", "a|ab/c", true, false},
		{"a/**/**", "a/b|a/b/c", "a", true, false},
		{"/**", "a|a/b", "", true, false},
		{"**", "a", "", false, false},
		{`a\**\z`, "a/z|a/b/z|a/b/c/z", "az", true, false},
		{"**/b/**/d", "a/b/c/b/d|b/d", "a/b/c|b", true, false},
		{"**x", "x|bx", "xa", false, false},
		{"a/b**x", "a/bx|a/b.x", "a/b/x", true, false},
		{"Case", "Case", "case", false, true},
		{"a\xed\xa0\x80b", "a\xed\xa0\x80b", "ab", false, true},
	} {
		fold := strings.ToUpper
		if c.sensitive {
			fold = nil
		}
		p, err := Glob(c.glob, fold)
		if err != nil {
			t.Errorf("%s: %v", c.glob, err)
			continue
		}
		for want, list := range map[bool]string{true: c.yes, false: c.no} {
			for s := range strings.SplitSeq(list, "|") {
				if s != "" && p.Match(s, false) != want {
					t.Errorf("%s, %q: want %v", c.glob, s, want)
				}
			}
		}
		if p.ByPath() != c.byPath {
			t.Errorf("%s: of paths %v", c.glob, p.ByPath())
		}
	}
	for _, bad := range []string{"", "/", "a[", "[", "[!]", "[z-a]", "a/[x/b"} {
		if _, err := Glob(bad, nil); err == nil || strings.Contains(bad, "[") != errors.Is(err, path.ErrBadPattern) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestDirectories(t *testing.T) {
	for glob, s := range map[string]string{"old/": "old", "/a/old/": "a/old", "**/": "old"} {
		p, err := Glob(glob, nil)
		if err != nil || !p.Match(s, true) || p.Match(s, false) {
			t.Errorf("%s: %v", glob, err)
		}
	}
}

func TestRegexp(t *testing.T) {
	p, err := Regexp(`^/win.*\.dll$`, false)
	if err != nil || !p.ByPath() || !p.Match("/Windows/a.DLL", false) || p.Match("/x/win.dll", false) {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := Regexp("Plan", true); err != nil || p.ByPath() || !p.Match("my Plan.txt", false) || p.Match("plan", false) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestCovers compares with what the patterns say, by hand.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		pattern, path  string
		covered, below bool
	}{
		{"a", "A", true, true}, {"a", "b", false, false}, {"a/*", "a", false, true}, {"a/*", "a/b", true, true}, {"a/*", "a/b/c", true, true},
		{"**/x", "x", true, true}, {"**/x", "a/b", false, true}, {"**/x", "a/b/x", true, true}, {"a/**/x", "b", false, false}, {"a/**/x", "a", false, true},
		{"a/**/x", "a/x", true, true}, {"a/**", "a/b", true, true}, {"a/**", "a", false, true}, {"[!a]b", "cb", true, true}, {"[!a]b", "ab", false, false}, {"??", "é1", true, true},
		{"*.docx", "a.doc", false, false}, {"**/b/**/d", "a/b/c/b/d", true, true}, {"**/b/c", "b/b", false, true}, {"a/*/", "a/b", false, true}, {"a/*/", "a/b/c", true, true},
		{"a", "", false, true},
	} {
		p, err := Glob("/"+c.pattern, strings.ToUpper)
		if err != nil {
			t.Fatal(err)
		}
		if covered, below := p.Covers(c.path, false); covered != c.covered || below != c.below {
			t.Errorf("%q, %q: %v, %v, want %v, %v", c.pattern, c.path, covered, below, c.covered, c.below)
		}
	}
}

// FuzzGlob quotes names, and compares what a pattern matches with what it covers.
func FuzzGlob(f *testing.F) {
	for _, s := range []string{"*.txt", "/a/**/[!x-z]?", `a\b`, "[]]", "[^", "**", "a/**/*.[dD]oc?", "**/[!x]*/"} {
		f.Add(s, "name.txt")
		f.Add(s, "x/yz/b.docx")
	}
	f.Fuzz(func(t *testing.T, glob, name string) {
		if len(glob) > 200 || len(name) > 200 {
			return
		}
		if p, err := Glob(glob, strings.ToUpper); err == nil {
			checkCovers(t, p, name)
		}
		quoted := strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(name)
		if name == "" || strings.ContainsAny(name, `/\`) {
			return
		}
		if p, err := Glob(quoted, nil); err != nil || !p.Match(name, false) {
			t.Errorf("%q as %q: %v", name, quoted, err)
		}
	})
}

func checkCovers(t *testing.T, p *Pattern, name string) {
	covered, below := p.Covers(name, false)
	if covered && !below || p.ByPath() && p.Match(name, false) && !covered {
		t.Errorf("%q: covered %v, below %v", name, covered, below)
	}
	for i := range name { // a directory that nothing below matches holds no match
		if _, below := p.Covers(name[:i], true); name[i] == '/' && covered && !below {
			t.Errorf("covers %q, and nothing below %q could be", name, name[:i])
		}
	}
}
