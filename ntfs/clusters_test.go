package ntfs_test

import (
	"errors"
	"io/fs"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// TestClusters reads a VSS catalog file, of which nothing is initialized, on a real volume.
func TestClusters(t *testing.T) {
	tree := openTree(t, layertest.Open(t, realVolume(t, "vsstest.qcow2")))
	n, err := tree.Lookup("System Volume Information/{3808876b-c176-4e48-b7ae-04046e6cc752}")
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	head, zeros := make([]byte, 0x20), make([]byte, 0x20)
	s, err := n.Stream("")
	if err != nil || layer.ReadFull(s, zeros, 0) != nil || string(zeros) != string(make([]byte, 0x20)) {
		t.Errorf("through NTFS: %x, %v", zeros, err)
	}
	if err := layer.ReadFull(m, head, 0); err != nil || string(head[:4]) != "\x6b\x87\x08\x38" || head[0x14] != 2 || m.Size() != 65536 {
		t.Errorf("by clusters: %x, %v", head, err)
	}
	if n, err = tree.Lookup("another_file"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Clusters(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a resident file: %v", err)
	}
}
