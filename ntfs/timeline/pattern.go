package timeline

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A Pattern matches names, or whole paths where it has a slash.
type Pattern struct {
	re     *regexp.Regexp
	fold   func(string) string // nil where case matters
	byPath bool
	glob   bool
}

// Glob compiles a pattern of the shell's kind, which has to match all of a name or, with a slash or backslash in it, all
// of a path from the root on. * and ? stand for characters but the slash, [a-z] and [!a-z] for one, ** for any number of
// directories. fold maps names that are the same to the same; it is nil where case matters.
func Glob(text string, fold func(string) string) (*Pattern, error) {
	if text == "" {
		return nil, errors.New("empty pattern")
	}
	p := &Pattern{fold: fold, glob: true}
	text = strings.ToValidUTF8(p.folded(text), "\ufffd")
	var re strings.Builder
	re.WriteString(`(?s)^`)
	rest := text
	for at := 0; rest != ""; at++ {
		n, piece := globPiece(rest, at == 0)
		if rest[0] != '[' { // what stands in brackets is no slash between names
			p.byPath = p.byPath || strings.ContainsAny(rest[:n], `/\`)
		}
		rest = rest[n:]
		re.WriteString(piece)
	}
	re.WriteString(`$`)
	var err error
	if p.re, err = regexp.Compile(re.String()); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return p, nil
}

// globPiece gives the regular expression for what s begins with, and how long that is. A pattern's own first slash
// says no more than that it is of paths.
func globPiece(s string, first bool) (int, string) {
	slash := func(c byte) bool { return c == '/' || c == '\\' }
	switch c := s[0]; {
	case slash(c) && first:
		return 1, ""
	case slash(c) && len(s) == 3 && s[1:] == "**":
		return 3, `/.+`
	case slash(c):
		return 1, `/`
	case len(s) >= 3 && s[:2] == "**" && slash(s[2]):
		return 3, `(?:[^/]+/)*`
	case len(s) >= 2 && s[:2] == "**":
		return 2, `.*`
	case c == '*':
		return 1, `[^/]*`
	case c == '?':
		return 1, `[^/]`
	case c == '[':
		if n, class := globClass(s); n > 0 {
			return n, class
		}
	}
	_, n := utf8.DecodeRuneInString(s)
	return n, regexp.QuoteMeta(s[:n])
}

// globClass translates [...]; 0 when nothing closes it.
func globClass(s string) (int, string) {
	in := s[1:]
	not := ""
	if in != "" && (in[0] == '!' || in[0] == '^') {
		in, not = in[1:], "^/"
	}
	end := strings.IndexByte(in, ']')
	if end == 0 { // a ] that stands first is one of the class
		if more := strings.IndexByte(in[1:], ']'); more >= 0 {
			end = more + 1
		} else {
			end = -1
		}
	}
	if end < 0 {
		return 0, ""
	}
	quoted := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(in[:end])
	return len(s) - len(in) + end + 1, "[" + not + quoted + "]"
}

// Regexp compiles a regular expression of package regexp, which has to match a part of a name or, with a slash in it,
// of a path. Without exact, case does not matter, as Unicode has it.
func Regexp(text string, exact bool) (*Pattern, error) {
	flags := "(?s)"
	if !exact {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + "(?:" + text + ")")
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return &Pattern{re: re, byPath: strings.Contains(text, "/")}, nil
}

func (p *Pattern) folded(s string) string {
	if p.fold != nil {
		return p.fold(s)
	}
	return s
}

// Match reports whether a WTF-8 name or path matches.
func (p *Pattern) Match(s string) bool {
	return p.re.MatchString(strings.ToValidUTF8(p.folded(s), "\ufffd"))
}

// matchPath is Match of a path, whose slash in front a glob does not count.
func (p *Pattern) matchPath(path string) bool {
	if p.glob {
		path = strings.TrimPrefix(path, "/")
	}
	return p.Match(path)
}
