package tree_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
)

func content(t *testing.T, n tree.Node) string {
	t.Helper()
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, src.Size())
	if err := layer.ReadFull(src, b, 0); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSha256Ends(t *testing.T) {
	n, err := newTree(t, openSet(t, demo), tree.View{}).Walk("README.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	const name = "user.snapmount.sha256"
	want := fmt.Sprintf("%x", sha256.Sum256([]byte(content(t, n))))
	ctx, stop := context.WithCancel(t.Context())
	if b, err := n.Xattr(ctx, name); string(b) != want || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	stop()
	if b, err := n.Xattr(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %s, %v", b, err)
	}
	if size, err := n.XattrSize(ctx, name); size != len(want) || err != nil {
		t.Errorf("its size: %d bytes, %v", size, err)
	}
}

func TestParent(t *testing.T) {
	files := newTree(t, openSet(t, demo), tree.View{})
	if up, err := files.Root().Parent(); up.ID != files.Root().ID || err != nil {
		t.Errorf("of the root: %v, %v", up, err)
	}
	parts := map[string]int{}
	var in func(dir tree.Node, part string)
	in = func(dir tree.Node, part string) {
		parts[part]++
		hidden, err := dir.Child(".snapshots")
		if err == nil && part != ".snapshots" {
			if up, err := hidden.Parent(); up.ID != dir.ID || err != nil {
				t.Errorf("of .snapshots in %v: %v, %v", dir, up, err)
			}
			in(hidden, ".snapshots")
		}
		for e, err := range dir.Entries() {
			if err != nil {
				t.Fatal(err)
			}
			n, err := e.Node()
			if err != nil {
				t.Fatal(err)
			}
			if n.Kind != tree.KindDir {
				continue
			}
			if up, err := n.Parent(); up.ID != dir.ID || err != nil {
				t.Errorf("of %v: %v, %v; want %v", n, up, err, dir)
			}
			below := part
			if part == "" {
				below = e.Name
			}
			in(n, below)
		}
	}
	in(files.Root(), "")
	if parts["p1-Documents"] < 20 || parts[".snapshots"] < 10 {
		t.Errorf("directories were %v", parts)
	}
}
