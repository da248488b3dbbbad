package ntfs

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// TestEncrypted makes one of the tiny volume's files an encrypted one of 700 bytes: they take two blocks of 512.
func TestEncrypted(t *testing.T) {
	v := tinyVolume()
	keys := []byte("keys for two users")
	copy(v[recordAt(recBig):], encodeRecord(recBig, layout.RecordInUse, 0, standard(), named(5, "big", 0),
		attr{typ: typeData, mapped: true, flags: layout.Encrypted, high: 0, size: 700, init: 700, pairs: []byte{0x11, 1, tinyData, 0}},
		attr{typ: typeLoggedUtility, name: "$EFS", value: keys}))
	for _, raw := range []bool{false, true} {
		tree, err := Open(&bytesSource{v}, Options{Ciphertext: raw})
		if err != nil {
			t.Fatal(err)
		}
		n, err := tree.Lookup("big")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := n.EFS(); err != nil || !bytes.Equal(b, keys) {
			t.Errorf("keys %q, %v", b, err)
		}
		s, err := n.Stream("")
		if !raw {
			if !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("stream %v, error %v, want unsupported", s, err)
			}
			continue
		}
		if err != nil || s.Size() != 1024 || !IsCiphertext(s) {
			t.Fatalf("stream %+v, %v", s, err)
		}
		b := make([]byte, 1024)
		if err := layer.ReadFull(s, b, 0); err != nil || !bytes.Equal(b, tinyContent(0)[:1024]) {
			t.Errorf("%v, or not what is on the disk", err)
		}
		if n, err = tree.Lookup("file.txt"); err != nil {
			t.Fatal(err)
		}
		if _, err := n.EFS(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("keys of a file without: error %v", err)
		}
		if s, err := n.Stream(""); err != nil || IsCiphertext(s) {
			t.Errorf("%v, or a plain file is called ciphertext", err)
		}
	}
}
