package tree

import (
	"path"

	"snapmount/ntfs"
)

// Same finds n, a directory of point p, at another point of the volume: the same MFT record where that still is or
// already was this directory, wherever it lay then; else what has its path.
func (p *Point) Same(n *ntfs.Node, other *Point) (*ntfs.Node, error) {
	t, err := other.Files()
	if err != nil {
		return nil, err
	}
	if m, err := t.Node(n.Ref); err == nil && m.Kind == n.Kind {
		return m, nil
	}
	at, err := dirPath(n)
	if err != nil {
		return nil, err
	}
	return other.walk(at, false)
}

// dirPath returns the path of a directory from the root of its point, which is "".
func dirPath(n *ntfs.Node) (string, error) {
	root, err := n.Tree().Root()
	if err != nil || n.Ref == root.Ref {
		return "", err
	}
	dir, err := parentDirs(n)
	if err != nil {
		return "", err
	}
	name, err := longName(n)
	if err != nil {
		return "", err
	}
	return path.Join(dir, EscapeName(name.Name)), nil
}

// SameLink gives the text of a link that stands in a directory called name inside n, a directory of p, and leads to the
// same directory at another point.
func (l *Layout) SameLink(p *Point, n *ntfs.Node, name string, other *Point) (string, error) {
	m, err := p.Same(n, other)
	if err != nil {
		return "", err
	}
	from, err := dirPath(n)
	if err != nil {
		return "", err
	}
	to, err := dirPath(m)
	if err != nil {
		return "", err
	}
	return relative(path.Join(l.RootOf(p).Path(), from, name), path.Join(l.RootOf(other).Path(), to)), nil
}
