package tree_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/mount/tree/treetest"
)

// direct asks the tree itself.
type direct struct{ *tree.FS }

func TestTree(t *testing.T) {
	treetest.Run(t, treetest.Front{
		Serve: func(t *testing.T, s *points.Set) treetest.Client { return direct{newTree(t, s, tree.View{})} },
		IDs:   true, Links: true, LinkCount: true, Allocated: true, Times: true, Created: true, Xattrs: true, Kinds: true,
	})
}

// TestWithoutLinks has the suite take the tree for a front end that has files and directories only.
func TestWithoutLinks(t *testing.T) {
	treetest.Run(t, treetest.Front{
		Serve:    func(t *testing.T, s *points.Set) treetest.Client { return followed{direct{newTree(t, s, tree.View{})}} },
		Unlisted: func(path string) bool { return path == "/p1-Documents/versions" },
	})
}

func info(name string, n tree.Node) (treetest.Info, error) {
	a, err := n.Attr()
	return treetest.Info{Name: name, ID: n.ID, Kind: n.Kind, Attr: a}, err
}

func (d direct) Stat(path string) (treetest.Info, error) {
	n, err := d.Walk(path, false)
	if err != nil {
		return treetest.Info{}, err
	}
	return info("", n)
}

func (d direct) Number(id uint64) (treetest.Info, error) {
	n, err := d.Node(id)
	if err != nil {
		return treetest.Info{}, err
	}
	return info("", n)
}

func (d direct) List(path string) (out []treetest.Info, err error) {
	n, err := d.Walk(path, true)
	if err != nil {
		return nil, err
	}
	for e, err := range n.Entries() {
		if err != nil {
			return out, err
		}
		out = append(out, treetest.Info{Name: e.Name, ID: e.ID, Kind: e.Kind})
	}
	return out, nil
}

func (d direct) Read(path string) ([]byte, error) {
	n, err := d.Walk(path, true)
	if err != nil {
		return nil, err
	}
	src, err := d.Content(n.ID)
	if err != nil {
		return nil, err
	}
	b := make([]byte, src.Size())
	return b, layer.ReadFull(src, b, 0)
}

func (d direct) Link(path string) (string, error) {
	n, err := d.Walk(path, false)
	if err != nil {
		return "", err
	}
	return n.Link()
}

func (d direct) Xattr(path, name string) ([]byte, error) {
	n, err := d.Walk(path, false)
	if err != nil {
		return nil, err
	}
	return n.Xattr(context.Background(), name)
}

func (d direct) Xattrs(path string) ([]string, error) {
	n, err := d.Walk(path, false)
	if err != nil {
		return nil, err
	}
	return n.Xattrs()
}

// followed shows what links lead to.
type followed struct{ direct }

func (d followed) Stat(path string) (treetest.Info, error) {
	n, err := d.Walk(path, true)
	if err != nil {
		return treetest.Info{}, err
	}
	return info("", n)
}

func (d followed) List(path string) (out []treetest.Info, err error) {
	list, err := d.direct.List(path)
	for _, e := range list {
		n, err := d.Walk(path+"/"+e.Name, true)
		switch {
		case path == "/p1-Documents" && e.Name == "versions", errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil:
			e.Kind = n.Kind
		}
		out = append(out, e)
	}
	return out, err
}
