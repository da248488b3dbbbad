package ntfs

import (
	"bytes"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
)

type weight int

func (w weight) cost() int { return int(w) }

func TestCacheBudget(t *testing.T) {
	c := NewCache(1 << 20)
	for i := range int64(5000) {
		k := key{kind: keptWOF, number: i}
		c.store(k, weight(1000))
		if i%100 == 0 {
			c.held.CleanUp()
		}
	}
	c.held.CleanUp()
	if n := c.held.WeightedSize(); n > 1<<20 || n < 1<<19 {
		t.Errorf("%d bytes kept, want up to %d", n, 1<<20)
	}
	c.store(key{kind: keptWOF}, weight(2<<20))
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
func (p patched) ReadAt(b []byte, off int64) (int, error) { return layer.Read(p, b, off, layer.Live) }

func (p patched) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: min(n, off/tinyCluster*tinyCluster+tinyCluster-off), Base: p.base, BaseOff: off}
	if off/tinyCluster*tinyCluster == p.at {
		e.Base, e.BaseOff = p.other, off-p.at
	}
	return e, nil
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

// TestSharedOrder checks that a tree with another $UpCase does not rely on what the first one found of the order.
func TestSharedOrder(t *testing.T) {
	a, b := new(upcase), new(upcase)
	for i := range a {
		a[i], b[i] = uint16(i), ^uint16(i)
	}
	x := parseNode(slices.Concat(encodeEntry(9, encodeName(5, "a", 0, 0), -1), encodeEntry(9, encodeName(5, "b", 0, 0), -1), encodeEntry(0, nil, -1)), false)
	for range 2 {
		if !x.sorted(a) || x.sorted(b) {
			t.Error("the order of one table is taken for that of another")
		}
	}
}

// decrypting is a leaf over another one, as that of a decrypted volume.
type decrypting struct{ layer.Source }

func (d decrypting) Packed() (layer.Mapper, error) { return layer.Section(d.Source, 0, d.Size()) }

func (d decrypting) Method() int64 { return 1 }

// TestUnitOverPacked has a unit in a leaf that is not of a stream: it is the same for all, and kept.
func TestUnitOverPacked(t *testing.T) {
	tree, decoded := &Tree{cache: NewCache(0)}, 0
	src := decrypting{&bytesSource{make([]byte, 4096)}}
	for range 3 {
		if _, err := unitAt(tree, keptWOF, src, 0, 100, 4096, func([]byte) (*unpacked, error) { decoded++; return &unpacked{make([]byte, 4096)}, nil }); err != nil {
			t.Error(err)
		}
	}
	if decoded != 1 {
		t.Errorf("decoded %d times", decoded)
	}
}

// TestUnitsApart reads the same bytes as a unit of LZNT1 and as a chunk of WOF, and bytes of a leaf that is made anew
// each time.
func TestUnitsApart(t *testing.T) {
	tree := &Tree{cache: NewCache(0)}
	src := &bytesSource{make([]byte, 4096)}
	for range 2 {
		u, err := unitAt(tree, keptLZNT1, src, 0, 100, 4096, func(raw []byte) (*lznt1Unit, error) { return newLZNT1(raw, 4096), nil })
		if err != nil || u == nil {
			t.Error(err)
		}
		w, err := unitAt(tree, keptWOF, src, 0, 100, 4096, func([]byte) (*unpacked, error) { return &unpacked{make([]byte, 4096)}, nil })
		if err != nil || w == nil {
			t.Error(err)
		}
		if _, err := unitAt(tree, keptWOF, resident(make([]byte, 50)), 0, 50, 1, func([]byte) (*unpacked, error) { return &unpacked{}, nil }); err != nil {
			t.Error(err)
		}
	}
	tree.cache.held.CleanUp()
	if n := tree.cache.held.EstimatedSize(); n != 2 {
		t.Errorf("%d units kept, want 2", n)
	}
}

// TestRecordsApart opens a volume as having records of 1 KiB and of 4 KiB, and one with fewer records.
func TestRecordsApart(t *testing.T) {
	src, c := &bytesSource{tinyVolume()}, NewCache(0)
	var trees [3]*Tree
	for i := range trees {
		var err error
		if trees[i], err = Open(src, Options{Cache: c}); err != nil {
			t.Fatal(err)
		}
	}
	tree, other, fewer := trees[0], trees[1], trees[2]
	other.geo.record, other.records = 4096, tree.records/4
	fewer.records = recFile + 1
	for _, x := range []*Tree{fewer, tree, other, fewer, tree} {
		for i := range x.records {
			x.record(i) // records of the wrong size are errors; nothing panics
		}
	}
	if n, err := tree.Node(Ref{Record: recInner}); err != nil || n.Links != 1 {
		t.Errorf("%+v, %v", n, err)
	}
}
