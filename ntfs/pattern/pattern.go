// Package pattern is the language of patterns of names and paths that find, restore and --exclude share.
//
// A pattern without a slash matches names, wherever they are; one with a slash in it, or in front, matches whole paths
// from the root of the volume on. Between slashes stand names, in which
//
//   - is any number of characters
//     ?        is one
//     [a-z]    is one of these, [!a-z] and [^a-z] one that is not; a ] that comes first is one of them
//     **       as a name of its own is any number of whole names: none too, but at the end at least one
//
// so that "/Letters/**" is all below Letters and not Letters itself, and "/**/x" is x at any depth. A slash at the end
// says that only directories are meant, and is no slash in it. A backslash is a slash. A [ that nothing closes is an
// error; [[] stands for the character. Two stars beside other characters are one star.
//
// Case counts as on the volume whose case table is given ($UpCase, by ntfs.Tree.Upper), or is exact without one.
// Unpaired surrogates, and U+FFFD in a pattern, stand for each other. A Pattern is immutable and safe for concurrent use
// if its case table is. Matching takes time in proportion to the lengths of pattern and path, whatever they are.
package pattern

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Pattern matches names or, where ByPath says so, paths.
type Pattern struct {
	names  []*regexp.Regexp // of a glob, name by name; nil is any number of names
	expr   *regexp.Regexp   // of a regular expression
	fold   func(string) string
	byPath bool
	dirs   bool // matches directories only
}

// Glob compiles a pattern. fold maps names that are the same to the same; nil is for names that differ in case. The error
// of a malformed pattern is a path.ErrBadPattern.
func Glob(text string, fold func(string) string) (*Pattern, error) {
	p := &Pattern{fold: fold}
	slashed := strings.ReplaceAll(p.folded(text), `\`, "/")
	inner := strings.TrimRight(slashed, "/")
	parts := split(inner)
	p.dirs, p.byPath = inner != slashed, len(parts) > 1
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		return nil, errors.New("empty pattern")
	}
	if last := len(parts) - 1; parts[last] == "**" {
		parts = slices.Insert(parts, last, "*")
	}
	for _, part := range parts {
		re, err := compile(part)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", text, err)
		}
		p.names = append(p.names, re)
	}
	return p, nil
}

// Regexp compiles a regular expression of package regexp, which has to match a part of a name or, with a slash in it, of
// a path that begins with one. Without exact, case does not matter, as Unicode has it.
func Regexp(text string, exact bool) (*Pattern, error) {
	flags := "(?s)"
	if !exact {
		flags = "(?si)"
	}
	re, err := regexp.Compile(flags + "(?:" + text + ")")
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", text, err)
	}
	return &Pattern{expr: re, byPath: strings.Contains(text, "/")}, nil
}

// HasMeta reports whether a name is no plain one.
func HasMeta(name string) bool { return strings.ContainsAny(name, "*?[") }

// split cuts a glob at its slashes; those in brackets are characters.
func split(glob string) []string {
	var parts []string
	start := 0
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '[':
			if n, _ := class(glob[i:]); n > 0 {
				i += n - 1
			}
		case '/':
			parts, start = append(parts, glob[start:i]), i+1
		}
	}
	return append(parts, glob[start:])
}

// compile gives the regular expression of a name; nil for **.
func compile(name string) (*regexp.Regexp, error) {
	if name == "**" {
		return nil, nil
	}
	var re strings.Builder
	re.WriteString(`(?s)^`)
	for rest := name; rest != ""; {
		n := 1
		switch rest[0] {
		case '*':
			re.WriteString(`.*`)
		case '?':
			re.WriteString(`.`)
		case '[':
			var text string
			if n, text = class(rest); n == 0 {
				return nil, fmt.Errorf("[ is not closed, a [ itself is [[]: %w", path.ErrBadPattern)
			}
			re.WriteString(text)
		default:
			_, n = utf8.DecodeRuneInString(rest)
			re.WriteString(regexp.QuoteMeta(rest[:n]))
		}
		rest = rest[n:]
	}
	re.WriteString(`$`)
	compiled, err := regexp.Compile(re.String())
	var bad *syntax.Error
	switch {
	case errors.As(err, &bad) && bad.Code == syntax.ErrInvalidCharRange:
		return nil, fmt.Errorf("%s in brackets goes backwards: %w", bad.Expr, path.ErrBadPattern)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", path.ErrBadPattern, err)
	}
	return compiled, nil
}

// class translates the [...] that s begins with, and gives its length; 0 when nothing closes it.
func class(s string) (int, string) {
	in, not := s[1:], ""
	if in != "" && (in[0] == '!' || in[0] == '^') {
		in, not = in[1:], "^"
	}
	end := strings.IndexByte(in[min(1, len(in)):], ']') + 1
	if end == 0 {
		return 0, ""
	}
	quoted := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(in[:end])
	return len(s) - len(in) + end + 1, "[" + not + quoted + "]"
}

func (p *Pattern) folded(s string) string {
	if p.fold != nil {
		s = p.fold(s)
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// ByPath reports whether Match wants paths.
func (p *Pattern) ByPath() bool { return p.byPath }

// Match reports whether a WTF-8 name or, if ByPath, a path from the root on matches; dir tells a directory.
func (p *Pattern) Match(s string, dir bool) bool {
	if p.dirs && !dir {
		return false
	}
	s = p.folded(s)
	switch {
	case p.expr != nil:
		return p.expr.MatchString(s)
	case !p.byPath && p.names[0] != nil && len(p.names) == 1:
		return p.names[0].MatchString(s)
	}
	at := p.start()
	for name := range strings.SplitSeq(s, "/") {
		if name != "" {
			at = p.step(at, name)
		}
	}
	return at[len(p.names)]
}

// Covers reports whether a glob of paths matches a path or a directory on it, which is as much as to take all that is in
// such directories; and whether it could cover something below the path.
func (p *Pattern) Covers(s string, dir bool) (covered, below bool) {
	at := p.start()
	names := strings.FieldsFunc(p.folded(s), func(r rune) bool { return r == '/' })
	for i, name := range names {
		at = p.step(at, name)
		if at[len(p.names)] && (!p.dirs || dir || i < len(names)-1) {
			return true, true
		}
	}
	return false, slices.Contains(at, true)
}

// start gives how much of the pattern can be used up before the first name: at[i] tells that the first i parts can.
func (p *Pattern) start() []bool {
	at := make([]bool, len(p.names)+1)
	at[0] = true
	p.skip(at)
	return at
}

// step uses up one more name.
func (p *Pattern) step(at []bool, name string) []bool {
	next := make([]bool, len(at))
	for i, re := range p.names {
		switch {
		case !at[i]:
		case re == nil:
			next[i] = true
		case re.MatchString(name):
			next[i+1] = true
		}
	}
	p.skip(next)
	return next
}

// skip lets each ** stand for no name at all.
func (p *Pattern) skip(at []bool) {
	for i, re := range p.names {
		at[i+1] = at[i+1] || at[i] && re == nil
	}
}
