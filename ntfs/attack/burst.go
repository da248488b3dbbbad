package attack

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"snapmount/ntfs"
)

// A Sign says what many files have in common between two neighbouring points.
type Sign uint8

const (
	Renamed   Sign = iota // the same new extension, with the same file record
	Replaced              // gone, and in their place new files with the same new extension
	Rewritten             // other content under the same name
	Removed               // gone, with nothing in their place
)

var signWords = [...]string{"renamed", "replaced", "rewritten", "removed"}

// String gives the sign in one word.
func (s Sign) String() string { return signWords[s] }

const (
	// massFiles and massShare are what makes a burst of changes that ordinary life brings too: more files than that, and
	// more than one in so many files of a folder.
	massFiles, massShare = 50, 5
	// fewFiles is how many files with the same new extension are looked at together.
	fewFiles = 5
)

// A Burst is many files of which file records tell the same between two neighbouring points.
type Burst struct {
	Sign     Sign
	From, To int    // points
	Ext      string // the new extension, without its dot; empty where there is none
	Folder   string // that all of them lie below, from the root on; empty for the root
	Files    int
	Of       int  // files that the folder had at From, with all below it
	Mass     bool // so many that the records alone are worth telling
	Attack   bool // the content of most is spoiled
	Folders  []Folder

	// What the content of its files says.
	Spoiled, Torn, Whole, Undecided, Unknown int // Torn is what is damaged otherwise
	Unchanged                                int // the same content as before

	lives []*life // as they were at From; of Replaced, those that are gone
}

// A Folder is how many files of a kind lie in a directory, not below it.
type Folder struct {
	Path  string
	Files int
}

// key tells the bursts of a step apart.
type key struct {
	sign Sign
	ext  string
}

// bursts finds what happened to many files from one point to the next.
func (s *sweep) bursts(from int) []*Burst {
	groups := map[key][]*life{}
	for _, l := range s.lives {
		if k, ok := s.sign(l, from); ok {
			groups[k] = append(groups[k], l)
		}
	}
	maps.DeleteFunc(groups, func(k key, list []*life) bool {
		return len(list) < fewFiles || (k.sign >= Rewritten && len(list) <= massFiles)
	})
	if len(groups) == 0 {
		return nil
	}
	total := s.totals(from)
	var out []*Burst
	for k, list := range groups {
		if b := s.burst(k, list, from, total); b.Mass || k.sign < Rewritten {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b *Burst) int {
		return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Sign, b.Sign), cmp.Compare(a.Ext, b.Ext))
	})
	return out
}

// sign says what became of a file from one point to the next; false for nothing that counts, or is known.
func (s *sweep) sign(l *life, from int) (k key, ok bool) {
	a, b := l.at(from), l.at(from+1)
	switch {
	case a < 0 || l.isUnknown(from) || l.isUnknown(from+1):
		return key{}, false
	case b < 0 && l.next == nil:
		return key{sign: Removed}, true
	case b < 0:
		old, now := l.names[len(l.names)-1].name.Name, l.next.names[0].name.Name
		if ext, ok := newExtension(old, now, true); ok {
			return key{Replaced, ext}, true
		}
		return key{sign: Rewritten}, true
	}
	if ext, ok := renamed(l, from); ok {
		return key{Renamed, ext}, true
	}
	return key{sign: Rewritten}, a != b
}

// burst makes one of a group: of what ordinary life brings too, those files that lie in a folder most of which changed.
func (s *sweep) burst(k key, list []*life, from int, total map[string]int) *Burst {
	b := &Burst{Sign: k.sign, Ext: k.ext, From: from, To: from + 1}
	in := map[string]int{}
	folders := make([]string, len(list))
	for i, l := range list {
		folders[i] = s.folder(l, from)
		for dir := range above(folders[i]) {
			in[dir]++
		}
	}
	mass := func(dir string) bool { return in[dir] > massFiles && in[dir]*massShare > total[dir] }
	count := map[string]int{}
	for i, l := range list {
		some := slices.ContainsFunc(slices.Collect(above(folders[i])), mass)
		if b.Mass = b.Mass || some; some || k.sign < Rewritten {
			b.lives = append(b.lives, l)
			count[folders[i]]++
		}
	}
	b.Files, b.Folders = len(b.lives), foldersOf(count)
	b.Folder = common(slices.Collect(maps.Keys(count)))
	b.Of = total[b.Folder]
	return b
}

// foldersOf orders folders by how many files they have.
func foldersOf(count map[string]int) []Folder {
	out := make([]Folder, 0, len(count))
	for dir, n := range count {
		out = append(out, Folder{dir, n})
	}
	slices.SortFunc(out, func(a, b Folder) int { return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Path, b.Path)) })
	return out
}

// totals counts the files of all directories at a point, with all below them.
func (s *sweep) totals(point int) map[string]int {
	out := map[string]int{}
	for ref, by := range s.files {
		if by[point] == 0 {
			continue
		}
		for dir := range above(s.dirPath(ref, point)) {
			out[dir] += int(by[point])
		}
	}
	return out
}

// dirPath gives the path of a directory at a point; what is in no known one lies in orphans.
func (s *sweep) dirPath(ref ntfs.Ref, point int) string {
	one := s.dirs.Paths(ntfs.Name{Parent: ref, Name: ""}, point, point)[0]
	if one.Orphan {
		return orphans
	}
	return strings.TrimSuffix(one.Path, "/")
}

// orphans stands for all directories whose path is not known.
const orphans = "/$OrphanFiles"

// folder gives the path of the directory that a file is in at a point.
func (s *sweep) folder(l *life, point int) string {
	name, _ := l.nameAt(point)
	return s.dirPath(name.Parent, point)
}

// above yields a directory and all above it, up to the root, which is empty.
func above(dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for yield(dir) && dir != "" {
			dir = dir[:strings.LastIndexByte(dir, '/')]
		}
	}
}

// common gives the directory that all of some lie in or are.
func common(dirs []string) string {
	if len(dirs) == 0 {
		return ""
	}
	top := dirs[0]
	for _, dir := range dirs[1:] {
		for top != "" && dir != top && !strings.HasPrefix(dir, top+"/") {
			top = top[:strings.LastIndexByte(top, '/')]
		}
	}
	return top
}
