package ntfs

import (
	"bytes"
	"iter"
	"testing"

	"snapmount/imagefmt/layer"
)

type weight int

func (w weight) cost() int { return int(w) }

func TestCacheBudget(t *testing.T) {
	c := NewCache(1 << 20)
	for i := range int64(5000) {
		k := key{kind: keptUnit, number: i}
		c.store(k, weight(1000))
		if i%100 == 0 {
			c.held.CleanUp()
		}
	}
	c.held.CleanUp()
	if n := c.held.WeightedSize(); n > 1<<20 || n < 1<<19 {
		t.Errorf("%d bytes kept, want up to %d", n, 1<<20)
	}
	c.store(key{kind: keptUnit}, weight(2<<20))
	c.held.CleanUp()
	if n := c.held.WeightedSize(); n > 1<<20 {
		t.Errorf("%d bytes kept after one of more than all, want up to %d", n, 1<<20)
	}
}

// patched is a volume in which one cluster lies elsewhere, as in a snapshot.
type patched struct {
	base, other layer.Source
	at          int64
}

func (p patched) Size() int64                             { return p.base.Size() }
func (p patched) ReadAt(b []byte, off int64) (int, error) { return layer.ReadAt(p, b, off) }

func (p patched) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	return func(yield func(layer.Extent, error) bool) {
		for end := off + n; off < end; {
			e := layer.Extent{Off: off, Len: min(end, off/tinyCluster*tinyCluster+tinyCluster) - off, Base: p.base, BaseOff: off}
			if off/tinyCluster*tinyCluster == p.at {
				e.Base, e.BaseOff = p.other, off-p.at
			}
			if !yield(e, nil) {
				return
			}
			off += e.Len
		}
	}
}

// TestSharedCache opens two states of a volume that differ in one cluster of the $MFT.
func TestSharedCache(t *testing.T) {
	live := &bytesSource{tinyVolume()}
	at := int64(recordAt(recFile)) / tinyCluster * tinyCluster
	other := &bytesSource{bytes.Clone(live.b[at:][:tinyCluster])}
	c := NewCache(0)
	var trees []*Tree
	for _, s := range []layer.Source{live, patched{live, other, at}} {
		tree, err := Open(s, Options{Cache: c})
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, tree)
	}
	own := uint64(recFile) / 4
	for k := range uint64(tinyRecords / 4) {
		a, b := trees[0].chunk(k, 4), trees[1].chunk(k, 4)
		if (a == b) != (k != own && k != 0) { // records 0 to 3 may be mended by a mirror that is not the same
			t.Errorf("records from %d: shared %v", 4*k, a == b)
		}
	}
	for _, tree := range trees {
		if a, b := tree.upcase(), trees[0].upcase(); a != b {
			t.Error("two tables for one $UpCase")
		}
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := root.Child("big"); err != nil {
			t.Error(err)
		}
	}
	count := 0
	for k := range c.held.All() {
		if k.kind == keptBlock {
			count++
		}
	}
	if d, err := trees[0].Root(); err != nil || count == 0 || count > 2 {
		t.Errorf("%v, %v: %d index blocks kept for two trees", d, err, count)
	}
}
