package imagefmt

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// style is how the names of parts count.
type style uint8

const (
	digits  style = iota // disk.001, disk.img.part00, disk_001
	letters              // disk.aa, as split(1) names them
	mixed                // disk.A00, with B00 after A99
)

// sequence is how the parts of a split image are named.
type sequence struct {
	stem  string
	width int // of the digits or letters
	first int // number of the part that the name stands for
	style style
	weak  bool // so are unrelated files named, too
}

// sequenceOf recognises the name of a part: disk.001 or disk.000 and those that follow, disk.00, disk.part1, disk_001,
// disk.A00 and, for the first part only, disk.aa.
func sequenceOf(base string) (sequence, bool) {
	stem := strings.TrimRight(base, "0123456789")
	s := sequence{stem: stem, width: len(base) - len(stem)}
	n, ok := s.number(base)
	s.first = n
	switch low := strings.ToLower(stem); {
	case !ok:
	case strings.HasSuffix(stem, ".") && (s.width >= 3 || s.width == 2 && n == 0):
		return s, true
	case strings.HasSuffix(low, ".part"), strings.HasSuffix(stem, "_") && s.width >= 3:
		s.weak = true
		return s, true
	case strings.HasSuffix(stem, ".A") && s.width == 2:
		return sequence{stem: stem[:len(stem)-1], width: 3, first: n, style: mixed}, true
	}
	stem = strings.TrimRight(base, "a")
	s = sequence{stem: stem, width: len(base) - len(stem), style: letters}
	return s, s.width >= 2 && s.width <= 5
}

// number returns which part a name stands for.
func (s sequence) number(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, s.stem)
	if !ok || len(rest) > 9 || len(rest) < s.width || rest == "" {
		return 0, false
	}
	n := 0
	for i, c := range []byte(rest) {
		switch {
		case s.style == mixed && i == 0 && c >= 'A' && c <= 'Z':
			n = int(c - 'A')
		case (s.style == digits || s.style == mixed && i > 0) && c >= '0' && c <= '9':
			n = n*10 + int(c-'0')
		case s.style == letters && c >= 'a' && c <= 'z':
			n = n*26 + int(c-'a')
		default:
			return 0, false
		}
	}
	return n, s.name(n) == name
}

// name is the reverse of number. Digits get more after 999; letters do not.
func (s sequence) name(n int) string {
	d := strconv.Itoa(n)
	switch s.style {
	case digits:
		return s.stem + strings.Repeat("0", max(0, s.width-len(d))) + d
	case mixed:
		return fmt.Sprintf("%s%c%02d", s.stem, 'A'+n/100, n%100)
	}
	b := make([]byte, s.width)
	for i := range b {
		b[s.width-1-i] = 'a' + byte(n%26)
		n /= 26
	}
	return s.stem + string(b)
}

// partName is the name of a part of a split image, and whether it is there.
type partName struct {
	name string
	here bool
}

// parts returns the names of a split image whose first part is name; name alone when it is no such part. Parts that are
// missing before the last one count, unless they are most of them: a disk with a piece cut out would be wrong from there
// on.
func parts(folder Folder, name string, warn func(error)) ([]partName, error) {
	alone := []partName{{name, true}}
	dir, base := path.Split(name)
	s, ok := sequenceOf(base)
	if !ok {
		return alone, nil
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
		if len(there) > 1 {
			warn(fmt.Errorf("is a later part of a split image and is read alone: open its first part for all"))
		}
		return alone, nil
	}
	if here := len(there); last-s.first+1 >= 2*here && last > s.first {
		n := s.first
		for there[n] {
			n++
		}
		return nil, fmt.Errorf("part %s: %w, but %s is there", s.name(n), fs.ErrNotExist, s.name(last))
	}
	var names []partName
	for n := s.first; n <= last; n++ {
		names = append(names, partName{dir + s.name(n), there[n] || n == s.first})
	}
	if wide := s.stem + "z" + strings.Repeat("a", s.width+1); s.style == letters && slices.Contains(list, wide) {
		return nil, fmt.Errorf("part %s: more parts than names of %d letters", wide, s.width) // split(1) goes on so after "yz"
	}
	if s.weak && len(names) > 1 && names[1].here && begins(folder, names[1].name) {
		warn(fmt.Errorf("is read alone: %s is there too, but begins as a disk does; name the others with --part if they go on with it", path.Base(names[1].name)))
		return alone, nil
	}
	return names, nil
}

// begins reports whether a file has at its start what a disk or an image begins with.
func begins(folder Folder, name string) bool {
	f, err := folder.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, layer.Clip(f.Size(), 0, format.EndLen))
	if layer.ReadFull(f, head, 0) != nil {
		return false
	}
	o := opener{formats: formats()}
	return len(head) >= 512 && string(head[510:512]) == "\x55\xaa" || !o.isRaw(o.recognise(string(head), "", 0))
}
