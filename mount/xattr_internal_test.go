//go:build linux || darwin || freebsd

package mount

import (
	"errors"
	"syscall"
	"testing"

	"snapmount/mount/tree"
)

func TestSha256Ends(t *testing.T) {
	n, done := node{item: &tree.Item{Kind: tree.ItemText, Text: "abc"}}, make(chan struct{})
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // FIPS 180-2, B.1
	if b, err := n.sha256(false, done); string(b) != want || err != nil {
		t.Errorf("%s, %v", b, err)
	}
	if b, err := n.sha256(true, done); len(b) != len(want) || err != nil {
		t.Errorf("probe: %d bytes, %v", len(b), err)
	}
	close(done)
	if b, err := n.sha256(false, done); !errors.Is(err, syscall.EINTR) {
		t.Errorf("interrupted: %s, %v", b, err)
	}
}
