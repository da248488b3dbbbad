package ntfs_test

import (
	"errors"
	"io/fs"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
)

// TestClusters reads a VSS catalog file, of which nothing is initialized, on a real volume.
func TestClusters(t *testing.T) {
	tree := openTree(t, testenv.Open(t, realVolume(t, "vsstest.qcow2")))
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

// unkept is a volume of which one range was not kept.
type unkept struct {
	layer.Source
	from, to int64
}

func (u unkept) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: u.Source, BaseOff: off}
	switch {
	case off < u.from:
		e.Len = min(n, u.from-off)
	case off < u.to:
		e.Len, e.Kind, e.Why = min(n, u.to-off), layer.Unknown, layer.Unprotected
	}
	return e, nil
}

// TestUnkept takes away the cluster that holds the middle of a file, plain and compressed.
func TestUnkept(t *testing.T) {
	image := testenv.Open(t, ntfstest.Feat.Build(t))
	for path, unit := range map[string]int64{"sizes/s65537.bin": 4096, "comp/text.txt": 64 << 10} {
		whole, err := openTree(t, image).Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := whole.Stream("")
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range layer.Unkept(s) {
			t.Errorf("%s: lacks %d bytes at %d: %v", path, e.Len, e.Off, err)
		}
		clusters, err := whole.Clusters()
		if err != nil {
			t.Fatal(err)
		}
		var lost unkept
		for e, err := range layer.Extents(clusters, 0, 4096) {
			if err != nil || e.Base == nil {
				t.Fatal(e, err)
			}
			lost = unkept{image, e.BaseOff, e.BaseOff + 4096}
		}
		n, err := openTree(t, lost).Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = n.Stream(""); err != nil {
			t.Fatal(err)
		}
		found := 0
		for e, err := range layer.Unkept(s) {
			found++
			if e.Off != 0 || e.Len != unit || !errors.Is(err, layer.ErrUnknown) {
				t.Errorf("%s: %d bytes at %d: %v, want %d at 0", path, e.Len, e.Off, err, unit)
			}
		}
		if found != 1 {
			t.Errorf("%s: %d ranges lack their content, want 1", path, found)
		}
		if _, err := s.ReadAt(make([]byte, 100), 0); !errors.Is(err, layer.ErrUnknown) {
			t.Errorf("%s: reading it: %v", path, err)
		}
		if k, err := s.ReadAt(make([]byte, 100), unit); k != 100 && s.Size() > unit+100 {
			t.Errorf("%s: reading what follows: %d, %v", path, k, err)
		}
	}
}
