package ntfs

import (
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
)

// elsewhere is a volume of which [off, off+n) lies in another leaf, with the same content or not.
type elsewhere struct {
	base, other layer.Source
	off, n      int64
}

func (p *elsewhere) Size() int64 { return p.base.Size() }

func (p *elsewhere) ReadAt(b []byte, off int64) (int, error) {
	return layer.Read(p, b, off, layer.Live)
}

func (p *elsewhere) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: p.base, BaseOff: off}
	switch {
	case off < p.off:
		e.Len = min(n, p.off-off)
	case off < p.off+p.n:
		e.Len, e.Base = min(n, p.off+p.n-off), p.other
	}
	return e, nil
}

func TestSameIn(t *testing.T) {
	v := tinyVolume()
	base, other := &bytesSource{v}, &bytesSource{slices.Clone(v)}
	old, err := Open(base, Options{})
	if err != nil {
		t.Fatal(err)
	}
	record := func(number int64) int64 { return tinyMFT*tinyCluster + number*1024 }
	nodes := []uint64{recordRoot, recFile, recBig, recDir, recInner, recListed}
	for _, c := range []struct {
		what       string
		off, n     int64
		moved      []uint64 // whose records lie elsewhere
		otherBytes []uint64 // whose content does
	}{
		{"nothing", 0, 0, nil, nil},
		{"what is of no node", 40 * tinyCluster, tinyCluster, nil, nil},
		{"a record", record(recFile), 1024, []uint64{recFile}, nil},
		{"the last byte of one", record(recInner) + 1023, 1, []uint64{recInner}, nil},
		{"two records", record(recBig), 2048, []uint64{recBig, recDir}, nil},
		{"an extension record", record(recExtension), 1, []uint64{recListed}, nil},
		{"a cluster of two streams", tinyData * tinyCluster, 1, nil, []uint64{recBig, recListed}},
		{"the cluster that an extension record maps", (tinyData+1)*tinyCluster + 5, 1, nil, []uint64{recBig, recListed}},
		{"a hole's neighbour", (tinyData + 4) * tinyCluster, 1, nil, []uint64{recBig}},
		{"an index block", (tinyIndex + 1) * tinyCluster, 4096, nil, []uint64{recordRoot}},
	} {
		now, err := Open(&elsewhere{base, other, c.off, c.n}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, number := range nodes {
			n, err := old.Node(Ref{Record: number})
			if err != nil {
				t.Fatal(err)
			}
			want := !slices.Contains(c.moved, number)
			if got := n.SameIn(now); got != want {
				t.Errorf("%s: node %d: SameIn %v", c.what, number, got)
			}
			want = want && !slices.Contains(c.otherBytes, number)
			if got := n.SameContentIn(now); got != want {
				t.Errorf("%s: node %d: SameContentIn %v", c.what, number, got)
			}
		}
	}
	for number, s := range map[uint64]layer.Source{
		recordVolume: &elsewhere{base, other, 0, 0}, // $MFTMirr may have helped
		recFile:      other,                         // the same bytes in another image
	} {
		now, err := Open(s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := old.Node(Ref{Record: number}); err != nil || n.SameIn(now) || !n.SameIn(old) {
			t.Errorf("node %d: %v", number, err)
		}
	}
}
