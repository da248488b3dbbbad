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
