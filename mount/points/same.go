package points

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
	at, err := DirPath(n)
	if err != nil {
		return nil, err
	}
	return other.Walk(at, false)
}

// DirPath returns the path of a directory from the root of its point, which is "".
func DirPath(n *ntfs.Node) (string, error) {
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
