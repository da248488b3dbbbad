package attack

import (
	"slices"
	"strings"

	"snapmount/ntfs"
)

// A slot is a name in a directory, in upper case.
type slot struct {
	dir  ntfs.Ref
	name string
}

// link finds for each file that is new the one which is gone since the same point and whose place it took: one of the
// same name, of that name and more behind it ("a.docx.locked"), or of that name with another extension.
func (s *sweep) link() {
	gone := map[int]map[slot]*life{}
	stems := map[int]map[slot]*life{}
	put := func(m map[int]map[slot]*life, point int, k slot, l *life) {
		if m[point] == nil {
			m[point] = map[slot]*life{}
		}
		m[point][k] = l
	}
	for _, l := range s.lives {
		if last := l.last(); last < len(s.trees)-1 && !l.isUnknown(last+1) {
			name := l.names[len(l.names)-1].name
			upper := s.upper(name.Name)
			put(gone, last+1, slot{name.Parent, upper}, l)
			put(stems, last+1, slot{name.Parent, stem(upper)}, l)
		}
	}
	for _, l := range s.lives {
		first := l.first()
		if first == 0 || l.isUnknown(first-1) {
			continue
		}
		name := l.names[0].name
		if old := taken(gone[first], stems[first], name.Parent, s.upper(name.Name)); old != nil && old.next == nil {
			l.before, old.next = old, l
		}
	}
}

// taken finds what had the place of a new name.
func taken(gone, stems map[slot]*life, dir ntfs.Ref, name string) *life {
	if old := gone[slot{dir, name}]; old != nil {
		return old
	}
	for rest := name; ; {
		i := strings.LastIndexAny(rest, ".[-_ ")
		if i <= 0 {
			break
		}
		rest = rest[:i]
		if old := gone[slot{dir, rest}]; old != nil && strings.Contains(rest, ".") {
			return old
		}
	}
	return stems[slot{dir, stem(name)}]
}

// chain gives a file and those whose place it took, the oldest first.
func (l *life) chain() []*life {
	out := []*life{l}
	for len(out) < maxChain && l.before != nil {
		l = l.before
		out = append(out, l)
	}
	slices.Reverse(out)
	return out
}

// maxChain is more files than points can have had in one place.
const maxChain = 1 << 10

// renamed gives the new extension of a file from one point to the next; false where it has the same name or extension.
func renamed(l *life, point int) (string, bool) {
	old, ok := l.nameAt(point)
	now, ok2 := l.nameAt(point + 1)
	return newExtension(old.Name, now.Name, ok && ok2)
}

// newExtension compares the extensions of two names.
func newExtension(old, now string, both bool) (string, bool) {
	ext := extension(now)
	return ext, both && ext != "" && ext != extension(old)
}
