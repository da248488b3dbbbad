package diffstore

import (
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Of which volume a store is that no catalog has the snapshot of (rule 20): a volume keeps the stores of others too, and
// those of a volume that was not given are no damage here.

const (
	// enoughRecognized decides whose a store is, and of no more than maxRecognized of its copies the content is read.
	enoughRecognized = 8
	maxRecognized    = 1024
)

// A candidate is a store that may be of the volume.
type candidate struct {
	point
	set      wintype.GUID
	notAbove bool // it is not newer than the stack
	sure     bool // it is of the volume
}

// ours drops stores that are of another volume, or that nothing shows to be of this one, and says of the rest whether one
// of them may be newer than the stack.
func (o *orphans) ours(stack, left []point) (rest []point, newer bool) {
	gaps, apart := uint64(0), 0
	for i := 1; i < len(stack); i++ {
		if a, b := stack[i-1].position, stack[i].position; b > a {
			gaps += b - a - 1
		}
	}
	for _, c := range o.proven(o.candidates(stack, left, gaps)) {
		// A lost entry may be that of any store. Points are made only of what is known, by those who ask.
		maybe := o.lost > 0 && (len(stack) > 0 || o.recognize == nil) || c.files != nil
		if !c.sure && !maybe {
			continue
		}
		if rest = append(rest, c.point); c.notAbove {
			apart++
		}
	}
	return rest, uint64(len(rest)-apart) > gaps
}

// candidates are those that neither their bitmap nor what they keep shows to be of another volume, nor that they were made
// together with a snapshot of this one.
func (o *orphans) candidates(stack, left []point, gaps uint64) (out []candidate) {
	sets := map[wintype.GUID]bool{}
	if len(left) > 0 {
		for _, p := range stack {
			sets[o.setOf(o.probe(p))] = true
		}
	}
	for _, p := range left {
		s := o.probe(p)
		if len(s.areas) > 0 && o.vol.owns(s.areas[0], s.entry) != nil {
			continue
		}
		c := candidate{point: p, set: o.setOf(s)}
		var notBelow bool
		c.notAbove, notBelow = o.apart(stack, p)
		votes := o.votes(s)
		if c.notAbove && notBelow && gaps == 0 || votes < 0 || sets[c.set] && !c.set.IsZero() {
			continue
		}
		c.sure = votes > 0 || p.created > 0
		out = append(out, c)
	}
	return out
}

// setOf returns which snapshots of several volumes a store was made with, zero when that is lost.
func (o *orphans) setOf(s *Snapshot) wintype.GUID {
	if len(s.areas) == 0 || s.readInformation() != nil {
		return wintype.GUID{}
	}
	return s.SetID
}

// proven makes sure also what is the neighbour, by its bitmaps, of what is, and drops what was made together with that.
func (o *orphans) proven(all []candidate) []candidate {
	for more := true; more; {
		more = false
		for i := range all {
			c := &all[i]
			if !c.sure && slices.ContainsFunc(all, func(s candidate) bool {
				return s.sure && (o.follows(s.point, c.point) || o.follows(c.point, s.point))
			}) {
				c.sure, more = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(c candidate) bool {
		return !c.sure && !c.set.IsZero() && slices.ContainsFunc(all, func(s candidate) bool { return s.sure && s.set == c.set })
	})
}

// apart says whether the bitmaps prove that p is not newer than the stack, and not older: it would follow the newest of it,
// or the oldest would follow p, if no other is lost. All that have an older one have a previous bitmap, but on Server 2003.
func (o *orphans) apart(stack []point, p point) (above, below bool) {
	if len(stack) == 0 {
		return false, false
	}
	k, newest, oldest := o.link(p), o.link(stack[len(stack)-1]), o.link(stack[0])
	above = k.known && newest.whole || k.first && len(stack) > 1 && !newest.first
	below = k.whole && oldest.known || oldest.first && len(stack) > 1 && !newest.first
	return above, below // place has put where it belongs what fits
}

// votes is how many of the copies of s are recognized as of this volume, less those of another one.
func (o *orphans) votes(s *Snapshot) (n int) {
	if o.recognize == nil || len(s.areas) == 0 {
		return 0
	}
	l := s.load()
	var b [BlockSize]byte
	for _, r := range l.rows[:min(len(l.rows), maxRecognized)] {
		if r.kind == regular && r.at != lostData && layer.ReadFull(l.area.src, b[:], int64(r.at)) == nil {
			n += o.recognize(r.block.off(), b[:])
		}
		if n >= enoughRecognized || n <= -enoughRecognized {
			break
		}
	}
	return n
}

// owns reports an error when the bitmap of a store shows that it is not of the volume: by its length or, when v keeps its
// own diff area, because the records of the store are not among the blocks that the store leaves alone.
func (v *Volume) owns(in area, e storeEntry) error {
	n, want := int64(0), (blocks(v.base.Size())+bitsPerBlock-1)/bitsPerBlock
	ch := chain{area: in, name: "bitmap", kind: typeBitmap, warn: func(error) {}}
	err := ch.each(v.ctx, e.current, int(blocks(in.src.Size())), func(uint64, record, []byte) bool { n++; return true })
	if err != nil || n == 0 {
		return nil // told as damage
	}
	if n != want {
		return fmt.Errorf("store has a bitmap of %d blocks, want %d: it is of another volume, or of another size of it", n, want)
	}
	set, _, err := readBits(v.ctx, in, e.current, want*bitsPerBlock, v.warn)
	if past := set.NextValue(uint32(blocks(v.base.Size()))); err == nil && past >= 0 {
		return fmt.Errorf("store leaves block %d unprotected, past the end of the volume: it is of another one, or of another size of it", past)
	}
	for _, off := range []uint64{e.header, e.list, e.current} {
		if err == nil && v.header.Local() && off != 0 && !set.Contains(uint32(off>>blockBits)) {
			return fmt.Errorf("store protects itself at 0x%x: it is of another volume", off)
		}
	}
	return nil
}
