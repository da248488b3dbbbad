package diffstore

import (
	"fmt"
	"math/bits"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// The previous bitmap of a store is made of the current one of the store before and of what that one's block list is about
// when the next snapshot is made, and after that the list does not change: it is the second witness of all rows of the list
// but overlays (rule 21). The newest store has none.

// maxChecked is how many blocks of bitmaps Check reads of a stack to compare them with block lists: 64 MiB, which is all of
// a volume of 700 GiB with six snapshots.
const maxChecked = 4096

// successor returns the snapshot whose previous bitmap is made of the store of s, nil when it is not there.
func (s *Snapshot) successor() *Snapshot {
	if s.at+1 >= len(s.vol.snapshots) || s.gap != nil || s.lost != nil {
		return nil
	}
	next := s.vol.snapshots[s.at+1]
	if next.Position != s.Position+1 || next.lost != nil || next.entry.previous == 0 {
		return nil
	}
	return next
}

// previousOf returns what the successor says of 64 blocks, and which of them it tells of.
func (s *Snapshot) previousOf(i int64, w int) (set, told uint64) {
	next := s.successor()
	if next == nil {
		return 0, 0
	}
	p, err := next.bitmaps().previous.page(i)
	if err != nil {
		next.bitmaps().previous.tell(i, err)
		return 0, 0
	}
	if p == nil {
		return 0, 0
	}
	told = until(i*bitsPerBlock+int64(w)*64, min(blocks(s.Size), blocks(next.Size)))
	return p[w] & told, told
}

// protects returns which of 64 blocks the store of s protects by what the successor says, so that its own current bitmap
// need not be read: a block that is not in the previous bitmap was not left alone, or something was moved there. Where
// blocks of files may be left alone, both are asked.
func (s *Snapshot) protects(i int64, w int) uint64 {
	if s.scoped() {
		return 0
	}
	set, told := s.previousOf(i, w)
	return told &^ set &^ s.vol.index().moved(s, i, w)
}

// moved returns which of 64 blocks are those that noteMoves notes.
func (x *index) moved(s *Snapshot, i int64, w int) (set uint64) {
	if x.moves[s.at] == nil {
		return 0
	}
	first := i*bitsPerBlock + int64(w)*64
	for n := range 64 {
		if x.moves[s.at].Contains(uint32(first + int64(n))) {
			set |= 1 << n
		}
	}
	return set
}

// missing returns which of 64 blocks the store of s must have, of those in mask, and has not: their descriptors are lost.
func (s *Snapshot) missing(x *index, i int64, w int, mask uint64) uint64 {
	if x.damage[s.at] != nil {
		return 0 // all that is not there is unknown
	}
	set, _ := s.previousOf(i, w)
	if set &= mask; set == 0 {
		return 0
	}
	current, err := s.bitmaps().current.page(i)
	if err != nil || current == nil {
		return 0
	}
	if set &^= current[w]; set == 0 {
		return 0
	}
	first := block(i*bitsPerBlock + int64(w)*64)
	for p := x.find(first, 0); p < len(x.rows) && x.rows[p].block < first+64; p++ {
		if r := &x.rows[p]; int(r.store) == s.at && (r.kind == regular || r.kind == moved) {
			set &^= 1 << (r.block - first)
		}
	}
	return set &^ x.moved(s, i, w)
}

// denied reports whether the successor says that the store of s has nothing of b, of which it has a row.
func (s *Snapshot) denied(x *index, b block) bool {
	at := int64(b) % bitsPerBlock
	set, told := s.previousOf(int64(b)/bitsPerBlock, int(at/64))
	return told&^set>>(at%64)&1 != 0 && (x.moves[s.at] == nil || !x.moves[s.at].Contains(uint32(b)))
}

// noteMoves keeps of a list the blocks for which the previous bitmap of the next store may be either: targets of moves that
// nothing followed, and what came home.
func (x *index) noteMoves(l *loader) {
	set := roaring.New()
	for t := range l.pending {
		set.Add(uint32(t))
	}
	for _, r := range l.rows {
		if r.kind == home {
			set.Add(uint32(r.block))
		}
	}
	if !set.IsEmpty() {
		x.moves[l.s.at] = set
	}
}

// checkSuccessor returns an error when the next newer store contradicts the block list of s. It looks at a bounded part of
// large volumes, and says so: in the rest it is told block by block.
func (s *Snapshot) checkSuccessor(x *index) error {
	if s.successor() == nil {
		return nil
	}
	pages, all := max(1, maxChecked/(2*int64(len(s.vol.snapshots)))), (blocks(s.Size)+bitsPerBlock-1)/bitsPerBlock
	if pages < all {
		s.vol.partly.Do(func() {
			s.vol.warn(fmt.Errorf("block lists are compared with bitmaps for the first %d GiB of %d: what is lost behind is told where it is read", pages*bitsPerBlock*BlockSize>>30, s.Size>>30))
		})
	}
	lost, denied := 0, 0
	for i := range min(pages, all) {
		for w := range pageWords {
			lost += bits.OnesCount64(s.missing(x, i, w, ^uint64(0)))
		}
	}
	for i := range x.rows {
		r := &x.rows[i]
		if int64(r.block) >= pages*bitsPerBlock {
			break
		}
		if int(r.store) == s.at && (r.kind == regular || r.kind == moved) && s.denied(x, r.block) {
			denied++
		}
	}
	if lost+denied == 0 {
		return nil
	}
	return fmt.Errorf("block list: by the bitmap of the next store, descriptors of %d blocks are lost, and those of %d blocks are of others: %w", lost, denied, layer.ErrCorrupt)
}
