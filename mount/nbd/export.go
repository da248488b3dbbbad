package nbd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
)

// An export is a block image that a client may read.
type export struct {
	name  string       // in raw/
	asked string       // what the client calls it
	src   layer.Source // with its own At, if it has one
}

// errSeveral says that a client did not say which export it means.
var errSeveral = errors.New("there are several exports, and none was named")

// open finds the export of a name: the path below raw/, with or without ".img", aliases as the tree has them. The empty
// name is the only export, if there is one alone.
func (s *Server) open(name string) (*export, error) {
	if name == "" {
		all, err := s.names()
		if err != nil {
			return nil, err
		}
		if len(all) != 1 {
			return nil, errSeveral
		}
		name = all[0]
	}
	for _, path := range []string{name, name + ".img"} {
		n, err := s.Tree.Walk("/raw/"+path, true)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n.Kind != tree.KindFile || !s.Tree.Private(n.ID) {
			return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist) // ".." leads out of raw/
		}
		src, err := n.Open()
		if err != nil {
			return nil, err
		}
		return &export{name: name, src: src}, nil
	}
	return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
}

// names lists all exports, without their aliases.
func (s *Server) names() (all []string, err error) {
	raw, err := s.Tree.Walk("/raw", false)
	if err != nil {
		return nil, err
	}
	for volume, err := range raw.Entries() {
		if err != nil {
			return all, err
		}
		dir, err := volume.Node()
		if err != nil {
			return all, err
		}
		if dir.Kind != tree.KindDir {
			continue
		}
		for e, err := range dir.Entries() {
			if err != nil {
				return all, err
			}
			if e.Kind == tree.KindFile && strings.HasSuffix(e.Name, ".img") {
				all = append(all, volume.Name+"/"+e.Name)
			}
		}
	}
	return all, nil
}
