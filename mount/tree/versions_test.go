package tree_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/tree"
)

// rename returns a copy of a volume in which all names old are new, of the same length.
func rename(volume []byte, old, new string) []byte {
	utf16 := func(s string) (b []byte) {
		for _, c := range wintype.EncodeUTF16(s) {
			b = append(b, byte(c), byte(c>>8))
		}
		return b
	}
	return bytes.ReplaceAll(volume, utf16(old), utf16(new))
}

// TestVersionsOfLikeNames has two names in a directory at two points that are one in lower case and two by $UpCase: with
// the letter k, and with the sign for kelvin.
func TestVersionsOfLikeNames(t *testing.T) {
	source := openSet(t, demo).Volumes[1]
	point, err := source.Snapshots()[0].Blocks()
	if err != nil {
		t.Fatal(err)
	}
	plain := make([]byte, source.Partition.Len)
	if err := layer.ReadFull(point, plain, 0); err != nil {
		t.Fatal(err)
	}
	before, after := rename(plain, "ledger.txt", "kedger.txt"), rename(plain, "ledger.txt", "\u212aedger.txt")
	volume := vsstest.NewMemory(source.Partition.Len)
	if _, err := volume.WriteAt(before, 0); err != nil {
		t.Fatal(err)
	}
	free := vsstest.Blocks{First: uint32(len(before)/vsstest.BlockSize) - 120, Count: 100} // no file is that far back
	sim, err := vsstest.New(vsstest.Config{Volume: volume, Area: []vsstest.Blocks{free}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sim.Snapshot(vsstest.Options{}); err != nil {
		t.Fatal(err)
	}
	for off := 0; off < len(after); off += vsstest.BlockSize {
		if b := after[off:][:vsstest.BlockSize]; !bytes.Equal(b, before[off:][:vsstest.BlockSize]) {
			err = errors.Join(err, sim.Write(int64(off), b))
		}
	}
	if err := errors.Join(err, sim.Flush()); err != nil {
		t.Fatal(err)
	}
	image := make([]byte, len(before))
	if _, err := volume.ReadAt(image, 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "names.raw")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	f := newTree(t, openSet(t, path), tree.View{})
	for _, name := range []string{"kedger.txt", "\u212aedger.txt"} {
		dir, err := f.Walk("/p0-Archive/versions/2025", false)
		if err != nil {
			t.Fatal(err)
		}
		listed := false
		for e, err := range dir.Entries() {
			if err != nil {
				t.Error(err)
			}
			listed = listed || e.Name == name
		}
		n, err := f.Walk("/p0-Archive/versions/2025/"+name, false)
		if err != nil || !listed {
			t.Errorf("%s: listed %v, %v", name, listed, err)
			continue
		}
		versions := 0
		for range n.Entries() {
			versions++
		}
		if versions != 1 {
			t.Errorf("%s: %d versions", name, versions)
		}
	}
}
