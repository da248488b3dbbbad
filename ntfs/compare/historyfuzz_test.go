package compare_test

import (
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// spoiled is a volume with other bytes at one place.
type spoiled struct {
	layer.Source
	off   int64
	bytes []byte
}

func (s *spoiled) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Source.ReadAt(p, off)
	for i, b := range s.bytes {
		if at := s.off + int64(i) - off; at >= 0 && at < int64(n) {
			p[at] = b
		}
	}
	return n, err
}

// FuzzHistory tells the history of the root of four points, of which one is damaged in its file records or indexes.
func FuzzHistory(f *testing.F) {
	v := openImage(f, filepath.Join(testenv.Root(f), "testdata", "demo.qcow2")).Volumes[0]
	clean := historyOf(f, v.Points, nil)
	for _, at := range []uint32{0, 1024 * 5, 1024*5 + 22, 1024 * 64, 1024*65 + 16, 1024*66 + 200, 1024 * 70} {
		f.Add(uint8(1), at, []byte("BAAD"))
		f.Add(uint8(3), at, []byte{0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, bytes []byte) {
		tr, err := v.Current().Files()
		if err != nil {
			t.Fatal(err)
		}
		var off int64 // in the volume
		for e := range layer.Extents(tr.MFT(), int64(at)%tr.MFT().Size(), 1) {
			off = e.BaseOff
		}
		bad := int(which) % len(v.Points)
		rows := historyOf(t, v.Points, func(i int, s layer.Source) layer.Source {
			if i != bad {
				return s
			}
			return &spoiled{s, off, bytes[:min(len(bytes), 1024)]}
		})
		for key := range clean { // what is told of the other points is told still
			if key.point != bad && !rows[key] {
				t.Errorf("%v is missing", key)
			}
		}
	})
}

// claim is that a file was at a path at a point.
type claim struct {
	point int
	ref   ntfs.Ref
}

// historyOf follows all that is in the root, through what change makes of each point.
func historyOf(t testing.TB, points []*points.Point, change func(i int, s layer.Source) layer.Source) map[claim]bool {
	t.Helper()
	var moments []compare.Moment
	cache := ntfs.NewCache(1 << 20)
	for i, p := range points {
		blocks, err := p.Blocks()
		if err != nil {
			t.Fatal(err)
		}
		s := layer.Source(blocks)
		if change != nil {
			s = change(i, s)
		}
		tr, err := ntfs.Open(s, ntfs.Options{Cache: cache})
		moments = append(moments, compare.Moment{Tree: func() (*ntfs.Tree, error) { return tr, err }, Find: func() (*ntfs.Node, string, error) {
			if err != nil {
				return nil, "", err
			}
			n, err := tr.Root()
			return n, "", err
		}})
	}
	versions, err := compare.History(t.Context(), moments, compare.HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, count := map[claim]bool{}, 0
	for x := range versions {
		if count++; count > 10000 || x.First > x.Last || x.Last >= len(points) || x.Node != nil && !strings.HasPrefix(x.Path, "/") && !strings.HasPrefix(x.Path, "?") || (x.Number > 0) != (x.Node != nil) {
			t.Fatalf("row %d: %+v", count, x)
		}
		for i := x.First; x.Node != nil && i <= x.Last; i++ {
			out[claim{i, x.Ref}] = true
		}
	}
	return out
}
