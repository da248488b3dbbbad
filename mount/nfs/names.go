package nfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"snapmount/mount/tree"
)

const (
	shownName = 255  // bytes of the longest name that the tree shows
	maxName   = 1024 // bytes of a name that is looked up: with that of a stream, or decomposed, it may be longer
	maxPath   = 4096 // bytes of a path
)

// lookup takes a directory and a name, and gives a handle, attributes, and none of the directory.
func lookup(r *request) error {
	dir, err := r.node()
	if err != nil {
		return err
	}
	name := string(r.args.opaque(maxPath))
	if len(name) > maxName {
		return errLongName
	}
	n, err := r.server.child(dir, name)
	if err != nil {
		return fmt.Errorf("%s: %q: %w", dir, name, err)
	}
	a, err := n.Attr()
	if err != nil {
		return about(n, err)
	}
	r.putHandle(n)
	r.out.bool(true)
	r.putAttr(n, &a)
	r.out.bool(false)
	return nil
}

// child finds a name in a directory: as it is, else in its composed and decomposed forms, of which macOS shows and asks for
// other ones than Windows writes. A file may have any name, those that Finder looks for in each directory too: that none is there
// takes one look into the index.
func (s *Server) child(dir tree.Node, name string) (tree.Node, error) {
	switch {
	case dir.Kind != tree.KindDir:
		return tree.Node{}, tree.ErrNotDir
	case name == ".":
		return dir, nil
	case name == "..":
		return dir.Parent()
	case name == "" || strings.ContainsAny(name, "/\x00"):
		return tree.Node{}, fs.ErrNotExist
	}
	n, err := dir.Child(name)
	if !errors.Is(err, fs.ErrNotExist) || isASCII(name) {
		return n, err
	}
	for _, form := range []norm.Form{norm.NFC, norm.NFD} {
		other := form.String(name)
		if other == name {
			continue
		}
		if n, err2 := dir.Child(other); err2 == nil {
			return n, nil
		} else if status(err2) != statusNone {
			err = err2
		}
	}
	return tree.Node{}, err
}

func isASCII(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// readLink gives no attributes, and the text of a link.
func readLink(r *request) error {
	n, err := r.node()
	if err != nil {
		return err
	}
	text, err := n.Link()
	if err != nil {
		return about(n, err)
	}
	r.out.bool(false)
	r.out.text(text)
	return nil
}
