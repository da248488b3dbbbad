package ntfs

import (
	"fmt"
	"io/fs"
	"iter"
	"sort"

	"snapmount/imagefmt/layer"
)

// Child finds a name by descent of the B-tree. Case does not matter, by the volume's $UpCase, but the very name is
// preferred, and then a long name. 8.3 names are found too. What damage of the index hides is found by the file records
// that name the directory. It wraps fs.ErrNotExist when there is no such name; where that cannot be known, the damage is
// the error.
func (n *Node) Child(name string) (*Node, error) {
	d, err := n.directory()
	if err != nil {
		return nil, err
	}
	var room nameRoom
	s := search{d: d, err: d.damage}
	var ok bool
	if s.key, ok = n.tree.fold(name, &room); ok {
		s.node(d.root, 0)
		if s.err != nil && s.rank < rankSame {
			s.sweep()
		}
		if s.err != nil && s.rank < rankSame {
			s.complete()
		}
		s.recount()
	}
	switch {
	case s.rank > 0:
		child, err := n.entryNode(s.name, s.ref)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		return child, nil
	case s.err != nil:
		return nil, fmt.Errorf("%q: not found in damaged directory %v: %w", name, n.Ref, s.err)
	}
	return nil, fmt.Errorf("%q: %w", name, fs.ErrNotExist)
}

// How good a match is.
const (
	rankDOS  = 1 + iota // an 8.3 name
	rankFold            // a name in another case
	rankSame
)

// A search looks for a name in a directory.
type search struct {
	d     *directory
	key   folded
	ref   Ref
	name  []byte // of ref in the index, UTF-16LE
	rank  int
	steps int
	err   error
}

func (s *search) fail(err error) {
	if s.err == nil && err != nil {
		s.err = err
	}
}

// take keeps an entry that matches, if it is better than what was found.
func (s *search) take(e *indexEntry) {
	if f, ok := decodeFileName(e.key); ok {
		s.takeName(&f, e.ref)
	}
}

func (s *search) takeName(f *fileName, ref Ref) {
	rank := rankFold
	if f.namespace == NamespaceDOS {
		rank = rankDOS
	}
	if s.key.same(f.name) {
		rank = rankSame
	}
	if rank > s.rank {
		s.rank, s.ref, s.name = rank, ref, f.name
	}
}

// order compares the name with that of entry i; the last entry is larger than all names.
func (s *search) order(x *indexNode, i int) int {
	b := x.b[x.starts[i]:]
	if b[12]&entryLast != 0 {
		return -1
	}
	return s.key.compare(b[16+fileNameLen:][:2*int(b[16+64])])
}

// node searches a node and the children that may hold the name. Names that differ in case only stand side by side, so
// those are the child before the first larger name, and the children before names that match.
func (s *search) node(x *indexNode, depth int) {
	s.fail(x.err) // entries are missing, perhaps that of the name
	if !x.sorted(s.key.table) {
		s.fail(fmt.Errorf("names of an index node out of order: %w", layer.ErrCorrupt))
		return
	}
	i := sort.Search(len(x.starts), func(i int) bool { return s.order(x, i) <= 0 })
	for ; i < len(x.starts); i++ {
		e, order := x.entry(i), s.order(x, i)
		if order == 0 {
			s.take(&e)
		}
		if s.rank == rankSame {
			return
		}
		if e.child >= 0 {
			s.child(e.child, depth+1)
		}
		if order < 0 {
			return
		}
	}
}

func (s *search) child(vcn int64, depth int) {
	block, err := s.d.blockOf(vcn)
	if s.steps++; err == nil && (depth > maxIndexDepth || int64(s.steps) > s.d.limit) {
		err = fmt.Errorf("index block at VCN 0x%x: on a path without end: %w", vcn, layer.ErrCorrupt)
	}
	if err != nil {
		s.fail(err)
		return
	}
	node, err := s.d.block(block)
	if err != nil {
		s.fail(fmt.Errorf("index block at VCN 0x%x: %w", vcn, err))
		return
	}
	s.node(node, depth)
}

// sweep searches all blocks in use, because of damage.
func (s *search) sweep() {
	s.d.all(func(e *indexEntry) bool {
		if s.key.compare(e.name()) == 0 {
			s.take(e)
		}
		return s.rank < rankSame
	})
}

// all calls f for the entries of the root and of all index blocks in use that are sound, in no order, until it
// reports false.
func (d *directory) all(f func(*indexEntry) bool) {
	if !eachEntry(d.root, f) {
		return
	}
	for _, x := range d.blocks() {
		if !eachEntry(x, f) {
			return
		}
	}
}

// maxFruitless is how many blocks in a row are read in vain by a search of all blocks: the size of an index is a claim.
const maxFruitless = 4096

// blocks yields the index blocks in use that are sound, by their number, until too many were not.
func (d *directory) blocks() iter.Seq2[int64, *indexNode] {
	return func(yield func(int64, *indexNode) bool) {
		fruitless := 0
		for block := int64(0); d.bitmap != nil && block < d.limit && fruitless < maxFruitless; block++ {
			if !d.inUse(block) {
				continue
			}
			x, err := d.block(block)
			if fruitless++; err != nil {
				continue // what leads to it is told
			}
			if fruitless = 0; !yield(block, x) {
				return
			}
		}
	}
}

// eachEntry calls f for the entries of a node until it reports false.
func eachEntry(x *indexNode, f func(*indexEntry) bool) bool {
	for i := range x.starts {
		if e := x.entry(i); !e.last && !f(&e) {
			return false
		}
	}
	return true
}
