package cmd

import (
	"errors"
	"path"
	"strings"
)

// A glob is a pattern of paths, by their names, in upper case: * ? and [..] match within a name, ** any number of names.
type glob []string

// newGlob compiles a pattern; slashes at its ends do not count.
func newGlob(text string) (glob, error) {
	g := glob(pathWords(strings.ReplaceAll(text, "[!", "[^")))
	if len(g) == 0 {
		return nil, errors.New("empty pattern")
	}
	for _, p := range g {
		if _, err := path.Match(p, ""); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// pathWords are the names of a path, in upper case as Unicode has it.
func pathWords(p string) []string {
	return strings.FieldsFunc(strings.ToUpper(p), func(r rune) bool { return r == '/' })
}

// hasMeta reports whether a name is a pattern.
func hasMeta(name string) bool { return strings.ContainsAny(name, "*?[") }

// match reports whether the pattern matches a path or a directory that it is in, and whether it could match something
// below.
func (g glob) match(names []string) (matched, below bool) {
	at := make([]bool, len(g)+1) // how much of the pattern can be used up
	at[0] = true
	g.skip(at)
	for _, name := range names {
		next := make([]bool, len(g)+1)
		for i := range g {
			if !at[i] {
				continue
			}
			if g[i] == "**" {
				next[i] = true
			} else if ok, _ := path.Match(g[i], name); ok { // newGlob has looked for errors
				next[i+1] = true
			}
		}
		g.skip(next)
		if at = next; at[len(g)] {
			return true, true
		}
	}
	for _, some := range at {
		below = below || some
	}
	return false, below
}

// skip lets each ** stand for no name at all.
func (g glob) skip(at []bool) {
	for i := range g {
		at[i+1] = at[i+1] || at[i] && g[i] == "**"
	}
}

// An exclusion is a pattern of what is left out: of names, or of paths from the root on where it has a slash in it.
type exclusion struct {
	names glob
	path  bool
	dirs  bool // directories only: it ends with a slash
}

func newExclusion(text string) (exclusion, error) {
	inner := strings.TrimSuffix(text, "/")
	g, err := newGlob(inner)
	return exclusion{g, strings.Contains(inner, "/"), inner != text}, err
}

// match reports whether a path, as words gives it, is left out. What is in a directory that is left out is never asked.
func (x *exclusion) match(names []string, dir bool) bool {
	if x.dirs && !dir || len(names) == 0 {
		return false
	}
	if !x.path {
		names = names[len(names)-1:]
	}
	matched, _ := x.names.match(names)
	return matched
}
