package imagefmt

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// sequence is how the parts of a split image are named.
type sequence struct {
	stem   string
	width  int
	first  int // number of the part that the name stands for
	digits bool
}

// sequenceOf recognises the name of a part: disk.001 or disk.000 and those that follow, disk.00, and, for the first part
// only, disk.aa as split(1) names it.
func sequenceOf(base string) (sequence, bool) {
	if dot := strings.LastIndexByte(base, '.'); dot >= 0 {
		s := sequence{stem: base[:dot+1], width: len(base) - dot - 1, digits: true}
		if n, ok := s.number(base); ok && (s.width >= 3 || s.width == 2 && n == 0) {
			s.first = n
			return s, true
		}
	}
	stem := strings.TrimRight(base, "a")
	s := sequence{stem: stem, width: len(base) - len(stem)}
	return s, s.width >= 2 && s.width <= 5
}

// number returns which part a name stands for.
func (s sequence) number(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, s.stem)
	if !ok || len(rest) > 9 || len(rest) < s.width {
		return 0, false
	}
	n := 0
	for _, c := range []byte(rest) {
		switch {
		case s.digits && c >= '0' && c <= '9':
			n = n*10 + int(c-'0')
		case !s.digits && c >= 'a' && c <= 'z':
			n = n*26 + int(c-'a')
		default:
			return 0, false
		}
	}
	return n, s.name(n) == name
}

// name is the reverse of number. Digits get more after 999; letters do not.
func (s sequence) name(n int) string {
	if s.digits {
		d := strconv.Itoa(n)
		return s.stem + strings.Repeat("0", max(0, s.width-len(d))) + d
	}
	b := make([]byte, s.width)
	for i := range b {
		b[s.width-1-i] = 'a' + byte(n%26)
		n /= 26
	}
	return s.stem + string(b)
}

// parts returns the names of a split image whose first part is name; name alone when it is no such part. A part that
// is missing while a later one is there is an error: a disk with a piece cut out would be wrong from there on.
func parts(folder Folder, name string, warn func(error)) ([]string, error) {
	dir, base := path.Split(name)
	s, ok := sequenceOf(base)
	if !ok {
		return []string{name}, nil
	}
	list, err := folder.List(path.Clean(dir))
	if err != nil {
		return nil, fmt.Errorf("other parts: %w", err)
	}
	there, last := make(map[int]bool), s.first
	for _, other := range list {
		if n, ok := s.number(other); ok {
			there[n] = true
			last = max(last, n)
		}
	}
	if there[s.first-1] || s.first > 1 {
		if there[s.first-1] {
			warn(fmt.Errorf("is a later part of a split image and is read alone: open its first part for all"))
		}
		return []string{name}, nil
	}
	var names []string
	for n := s.first; n <= last; n++ {
		if n > s.first && !there[n] {
			return nil, fmt.Errorf("part %s: %w, but %s is there", s.name(n), fs.ErrNotExist, s.name(last))
		}
		names = append(names, dir+s.name(n))
	}
	if wide := s.stem + "z" + strings.Repeat("a", s.width+1); !s.digits && slices.Contains(list, wide) {
		return nil, fmt.Errorf("part %s: more parts than names of %d letters", wide, s.width) // split(1) goes on so after "yz"
	}
	return names, nil
}
