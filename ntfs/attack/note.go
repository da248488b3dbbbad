package attack

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

const (
	// noteFolders is in how many folders a text has to be new to be told, and more.
	noteFolders = 5
	// noteSize is how long such a text is at most, in bytes.
	noteSize = 64 << 10
	// maxNotes is how many of them are told of a step.
	maxNotes = 20
)

// noteTypes are the extensions of texts that are left for people to read.
var noteTypes = map[string]bool{"txt": true, "html": true, "htm": true, "hta": true, "rtf": true, "md": true, "url": true}

// A Note is a small text that is new in many folders which were there before.
type Note struct {
	Name     string // of the first of them
	From, To int    // points
	Files    int
	Folders  int
	Same     int    // how many have the content of the first, by their bytes
	Path     string // of the first, at To
	Size     int64
	ref      ntfs.Ref
}

// notes finds the texts that are new at a point in folders that the point before has, by their name, and else by their content.
func (s *sweep) notes(from int) []Note {
	var texts []*life
	for _, l := range s.lives {
		if s.isNote(l, from+1) {
			texts = append(texts, l)
		}
	}
	named, rest := grouped(texts, func(l *life) (string, bool) { return s.upper(l.names[0].name.Name), true })
	sized, _ := grouped(rest, func(l *life) (int64, bool) { return l.versions[0].Size, true })
	for _, list := range sized { // others need not be read
		same, _ := grouped(list, func(l *life) ([sha256.Size]byte, bool) {
			b, ok := s.text(l, from+1)
			return sha256.Sum256(b), ok
		})
		named = append(named, same...)
	}
	out := make([]Note, 0, len(named))
	for _, list := range named {
		out = append(out, s.note(list, from))
	}
	slices.SortFunc(out, func(a, b Note) int { return cmp.Or(cmp.Compare(b.Folders, a.Folders), cmp.Compare(a.Path, b.Path)) })
	return out[:min(len(out), maxNotes)]
}

// grouped gives files that have something in common and lie in many folders, and the rest.
func grouped[K comparable](list []*life, of func(*life) (K, bool)) (groups [][]*life, rest []*life) {
	by := map[K][]*life{}
	for _, l := range list {
		if k, ok := of(l); ok {
			by[k] = append(by[k], l)
		}
	}
	for _, some := range by {
		if folders(some) > noteFolders {
			groups = append(groups, some)
		} else {
			rest = append(rest, some...)
		}
	}
	return groups, rest
}

// isNote reports whether a file is a small text that is new at a point, in a folder that is not.
func (s *sweep) isNote(l *life, point int) bool {
	v := &l.versions[0]
	return v.First == point && l.before == nil && !l.isUnknown(point-1) && v.Size > 0 && v.Size <= noteSize &&
		noteTypes[extension(l.names[0].name.Name)] && s.dirPath(l.names[0].name.Parent, point-1) != orphans
}

// folders counts the directories of files that are new.
func folders(list []*life) int {
	in := map[ntfs.Ref]bool{}
	for _, l := range list {
		in[l.names[0].name.Parent] = true
	}
	return len(in)
}

// note describes files that are new together.
func (s *sweep) note(list []*life, from int) Note {
	l := slices.MinFunc(list, byRecord)
	n := Note{Name: l.names[0].name.Name, From: from, To: from + 1, Files: len(list), Folders: folders(list), Size: l.versions[0].Size, ref: l.ref}
	n.Path, _ = s.path(l, from+1)
	first, ok := s.text(l, from+1)
	for _, o := range list {
		if b, ok2 := s.text(o, from+1); ok && ok2 && bytes.Equal(first, b) {
			n.Same++
		}
	}
	return n
}

// text reads a small file; false where that cannot be.
func (s *sweep) text(l *life, point int) ([]byte, bool) {
	n, err := s.trees[point].Node(l.ref)
	if err != nil || n.Size > noteSize {
		return nil, false
	}
	m, err := n.Stream("")
	if err != nil {
		return nil, false
	}
	b := make([]byte, m.Size())
	return b, layer.ReadFull(m, b, 0) == nil
}
