package attack_test

import (
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/attack"
	"snapmount/ntfs/timeline"
)

// patched is a volume with other bytes at one place.
type patched struct {
	layer.Source
	off   int64
	bytes []byte
}

func (s *patched) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Source.ReadAt(p, off)
	for i, b := range s.bytes {
		if at := s.off + int64(i) - off; at >= 0 && at < int64(n) {
			p[at] = b
		}
	}
	return n, err
}

// FuzzLook surveys a volume of two points, of which one is damaged in its file records. Damage is no attack, and what is
// chosen of a file is one of its versions, at a point that has it.
func FuzzLook(f *testing.F) {
	s, err := points.Open(f.Context(), []string{filepath.Join(testenv.Root(f), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	shown := []*points.Point{s.Volumes[1].Snapshots()[0], s.Volumes[1].Current()}
	for _, at := range []uint32{0, 1024*5 + 22, 1024 * 64, 1024*65 + 16, 1024*66 + 22, 1024*66 + 200, 1024*67 + 0xf0} {
		f.Add(false, at, []byte("BAAD"))
		f.Add(true, at, []byte{0xff, 0, 0xff})
	}
	cache := ntfs.NewCache(1 << 20)
	f.Fuzz(func(t *testing.T, newest bool, at uint32, bytes []byte) {
		var list []timeline.Point
		for i, p := range shown {
			tree, err := p.Files()
			if err != nil {
				t.Fatal(err)
			}
			if newest == (i == 1) {
				tree, err = ntfs.Open(&patched{tree.Volume(), mftOffset(tree, at), bytes[:min(len(bytes), 1024)]}, ntfs.Options{Cache: cache})
			}
			if err == nil {
				list = append(list, timeline.Point{Name: p.Name, Time: p.Created(), Tree: tree})
			}
		}
		got, err := attack.Look(t.Context(), list, attack.Options{})
		if err != nil || got.Attacked() {
			t.Fatalf("attack %v, %v", got.Attacked(), err)
		}
		for _, x := range got.Files {
			if x.Outcome == attack.Good || x.Pick >= len(x.Versions) || x.Outcome == attack.Found && x.Version() == nil {
				t.Errorf("%+v", x)
			}
			if c := x.Version(); c != nil {
				if _, err := list[c.Last].Tree.Node(c.Ref); err != nil {
					t.Errorf("%s: chosen, and not there: %v", x.Path, err)
				}
			}
		}
	})
}

// mftOffset is where a byte of the $MFT lies in the volume.
func mftOffset(t *ntfs.Tree, at uint32) (off int64) {
	for e := range layer.Extents(t.MFT(), int64(at)%t.MFT().Size(), 1) {
		off = e.BaseOff
	}
	return off
}
