package tree

import (
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Open returns the content of a file. It wraps ErrIsDir when n is a directory, and ErrLoop when it is
// a link, which is to be followed. Nothing is to be closed. What damage hides
// is an error of the read that meets it.
func (n Node) Open() (layer.Source, error) {
	switch {
	case n.Kind == KindDir:
		return nil, ErrIsDir
	case n.Kind == KindLink:
		return nil, ErrLoop
	case n.part == partFile, n.part == partStream:
		m, err := n.file.Stream(n.name)
		if err != nil {
			return nil, err
		}
		return m, nil
	case n.part == partItem && n.item.kind == itemText:
		return strings.NewReader(n.item.text), nil
	}
	return n.Point.Image() // of an itemBlock, the one kind that is left
}

// maxContents is how many files are kept ready to be read: more than a front end has requests under way.
const maxContents = 64

// Content is Open of a number. Who has a file open does not matter, so those read last are kept.
func (f *FS) Content(id uint64) (layer.Source, error) {
	if s, ok := f.contents.Get(id); ok {
		return s, nil
	}
	n, err := f.Node(id)
	if err != nil {
		return nil, err
	}
	s, err := n.Open()
	if err == nil {
		f.contents.Add(id, s)
	}
	return s, err
}

// Link returns the text of a symbolic link: always relative to the directory that it is in, and never out of the tree. A
// link that leads out of the image has a text that says so and leads to nothing. It wraps ErrNotLink when n is no link.
func (n Node) Link() (string, error) {
	switch {
	case n.Kind != KindLink:
		return "", ErrNotLink
	case n.part == partItem:
		return n.item.target, nil
	case n.part == partVirtualLink:
		return n.link, nil
	case n.part == partSame:
		return n.sameTarget()
	}
	return n.Point.LinkTarget(n.file)
}

// isContent reports whether n is a file of a point or a stream of one, of which a Verdict can be given.
func (n Node) isContent() bool {
	return n.part == partStream || n.part == partFile && n.file.Kind == ntfs.KindFile
}

// Verdict says whether all content of a file of a point is in the image: see points.Verdict. Other nodes have none.
func (n Node) Verdict() (v points.Verdict, ok bool) {
	if !n.isContent() {
		return v, false
	}
	return points.Judge(n.file, n.name), true
}
