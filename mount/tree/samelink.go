package tree

import (
	"path"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// SameLink gives the text of a link that stands in a directory called name inside n, a directory of p, and leads to the
// same directory at another point.
func (l *Layout) SameLink(p *points.Point, n *ntfs.Node, name string, other *points.Point) (string, error) {
	m, err := p.Same(n, other)
	if err != nil {
		return "", err
	}
	from, err := points.DirPath(n)
	if err != nil {
		return "", err
	}
	to, err := points.DirPath(m)
	if err != nil {
		return "", err
	}
	return points.RelativeLink(path.Join(l.RootOf(p).Path(), from, name), path.Join(l.RootOf(other).Path(), to)), nil
}
