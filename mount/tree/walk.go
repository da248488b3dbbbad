package tree

import (
	"fmt"
	"strings"

	"snapmount/mount/points"
)

// maxLinks is how many links a path may lead through, as on Linux.
const maxLinks = 40

// Walk finds a path from the root, "/" between names, as a kernel does: "." and ".." mean what they do there, links on the
// way are followed inside the tree, and the last name's too if follow is set or a slash ends the path. The error names
// the word that it is about; it wraps fs.ErrNotExist, ErrNotDir, ErrLoop or what is wrong with a directory.
func (f *FS) Walk(path string, follow bool) (Node, error) {
	way, rest, links := []Node{f.Root()}, points.SplitPath(path), 0
	mustBeDir := strings.HasSuffix(path, "/")
	for len(rest) > 0 {
		dir, word := way[len(way)-1], rest[0]
		rest = rest[1:]
		switch {
		case dir.Kind != KindDir:
			return Node{}, fmt.Errorf("%q: %w", word, ErrNotDir)
		case word == ".":
			continue
		case word == "..":
			way = way[:max(len(way)-1, 1)]
			continue
		}
		n, err := dir.Child(word)
		if err != nil {
			return Node{}, fmt.Errorf("%q: %w", word, err)
		}
		if n.Kind != KindLink || len(rest) == 0 && !follow && !mustBeDir {
			way = append(way, n)
			continue
		}
		if links++; links > maxLinks {
			return Node{}, fmt.Errorf("%q: %w", word, ErrLoop)
		}
		to, err := n.Link()
		if err != nil {
			return Node{}, fmt.Errorf("%q: %w", word, err)
		}
		rest = append(points.SplitPath(to), rest...)
	}
	n := way[len(way)-1]
	if mustBeDir && n.Kind != KindDir {
		return Node{}, fmt.Errorf("%q: %w", path, ErrNotDir)
	}
	return n, nil
}
