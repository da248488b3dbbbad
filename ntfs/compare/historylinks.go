package compare

import (
	"cmp"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A hardLink is a name of a file in a directory.
type hardLink struct {
	parent ntfs.Ref
	name   string
}

func compareLinks(a, b hardLink) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.parent.Record, b.parent.Record), cmp.Compare(a.parent.Seq, b.parent.Seq))
}

// dirPath is where a directory is at one moment.
type dirPath struct {
	ref  ntfs.Ref
	path string
}

// unknownDir stands for directories that are not known.
const unknownDir = "?"

// rootDirectory is that of the root directory.
const rootDirectory = 5

// setLinks finds the names of a file, without 8.3 names.
func (s *state) setLinks(last *state) error {
	switch {
	case s.node.Ref.Record == rootDirectory:
		return nil
	case s.same:
		s.links = last.links
	default:
		names, err := s.node.Names()
		if err != nil {
			return fmt.Errorf("names: %w", err)
		}
		s.links = linksOf(names)
	}
	if len(s.links) == 0 {
		return fmt.Errorf("%v: the file has no name: %w", s.node.Ref, layer.ErrCorrupt)
	}
	return nil
}

// show chooses the name of a file to show.
func (h *history) show(i int, f *file, s, last *state) {
	if f.ref.Record == rootDirectory {
		s.path = "/"
		return
	}
	rank := func(l hardLink) (n int) {
		if f.prefer(i, l) {
			n += 4
		}
		switch {
		case last == nil:
		case l == last.shown:
			n += 2
		default:
			if _, old := slices.BinarySearchFunc(last.links, l, compareLinks); !old { // what was shown may have become this
				n++
			}
		}
		return n
	}
	s.shown = slices.MaxFunc(s.links, func(a, b hardLink) int { return cmp.Compare(rank(a), rank(b)) })
	s.path = h.path(i, s.shown)
}

// linksOf leaves out 8.3 names where there is another.
func linksOf(names []ntfs.Name) []hardLink {
	var long, short []hardLink
	for _, n := range names {
		if l := (hardLink{n.Parent, n.Name}); n.Namespace == ntfs.NamespaceDOS {
			short = append(short, l)
		} else {
			long = append(long, l)
		}
	}
	if len(long) == 0 {
		long = short
	}
	slices.SortFunc(long, compareLinks)
	return slices.Compact(long)
}

// path returns the path of a link.
func (h *history) path(i int, l hardLink) string {
	if l.parent.Record == rootDirectory {
		return "/" + l.name
	}
	if d := &h.above[i]; d.ref != l.parent {
		*d = dirPath{l.parent, h.directoryPath(i, l.parent)}
	}
	return h.above[i].path + "/" + l.name
}

func (h *history) directoryPath(i int, ref ntfs.Ref) string {
	t, err := h.moments[i].Tree()
	if err != nil {
		return unknownDir
	}
	n, err := t.Node(ref)
	if err != nil {
		return unknownDir
	}
	paths, _ := t.Paths(n) // what cannot be had is an orphan
	switch {
	case len(paths) == 0:
		return unknownDir
	case paths[0].Orphan:
		return unknownDir + "/" + paths[0].Name
	}
	return "/" + paths[0].Name
}
