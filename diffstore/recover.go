package diffstore

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// link is what the bitmaps of a store say of its neighbours: the previous bitmap of the next newer store is one of
// next. The first form is what real volumes of few snapshots have; the second keeps what only older ones need.
type link struct {
	previous [sha256.Size]byte
	known    bool // previous is
	first    bool // there is no previous
	next     [2][sha256.Size]byte
	whole    bool // next is known
}

// digest tells whether sets of blocks below n are equal, however they are kept.
func digest(s *roaring.Bitmap, n int64) (d [sha256.Size]byte) {
	h := sha256.New()
	runs := newSpans(s, n)
	var b [8]byte
	for at := int64(0); at < n; {
		in, end := runs.span(block(at))
		at = min(end, n)
		mark := uint64(at) << 1
		if in {
			mark |= 1
		}
		h.Write(binary.LittleEndian.AppendUint64(b[:0], mark))
	}
	h.Sum(d[:0])
	return d
}

// linkOf reads the bitmaps and the block list of a store. With an error, what could be told is there.
func linkOf(s *Snapshot) (k link, err error) {
	n := blocks(s.Size)
	k.first = s.entry.previous == 0 && s.entry.current != 0
	var previous *roaring.Bitmap
	if s.entry.previous != 0 {
		if previous, _, err = s.readBits(s.entry.previous, n); err != nil {
			return k, err
		}
		k.known, k.previous = true, digest(previous, n)
	}
	current, _, err := s.readBits(s.entry.current, n)
	l := s.load()
	if err = errors.Join(err, l.damage); err != nil {
		return k, err
	}
	copied, targets := roaring.New(), roaring.New()
	for _, r := range l.rows {
		if r.kind != overlay {
			copied.Add(uint32(r.block))
		}
	}
	for t := range l.pending {
		targets.Add(uint32(t))
	}
	kept := current.Clone()
	if previous != nil {
		kept.And(previous)
	}
	kept.Or(copied)
	kept.AndNot(targets)
	current.Or(copied)
	k.whole, k.next = true, [2][sha256.Size]byte{digest(current, n), digest(kept, n)}
	return k, nil
}

// chainOf orders stores by their links: all of them in one chain, in just one way, or nil.
func chainOf(links []link) (order []int) {
	next := make([]int, len(links)) // 1 more than the number of the store that follows, 0 for none
	first := -1
	for i, b := range links {
		from := 0
		for j, a := range links {
			if j != i && b.known && slices.Contains(a.next[:], b.previous) {
				if from++; from > 1 || next[j] != 0 {
					return nil
				}
				next[j] = i + 1
			}
		}
		if from == 0 {
			if first >= 0 {
				return nil
			}
			first = i
		}
	}
	for i := first; i >= 0 && len(order) < len(links); i = next[i] - 1 {
		order = append(order, i)
	}
	if len(order) < len(links) {
		return nil
	}
	return order
}

// sort orders stores that no catalog has the snapshots of, the oldest first, and says how; known is false when there is
// no way.
func (o *orphans) sort(found []point) (how string, known bool) {
	if len(found) == 1 {
		return "it is the only one", true
	}
	links := make([]link, len(found))
	whole := true
	for i, p := range found {
		k, err := linkOf(o.probe(p))
		links[i], whole = k, whole && err == nil
	}
	if order := chainOf(links); whole && order != nil {
		sorted := make([]point, 0, len(found))
		for _, i := range order {
			sorted = append(sorted, found[i])
		}
		copy(found, sorted)
		return "their order is that of their bitmaps", true
	}
	for _, by := range []struct {
		how string
		key func(p point) uint64
	}{
		{"their order is that of their GUIDs", func(p point) uint64 { return uuidTime(p.store) }},
		{"their order is that of the creation times of their files", func(p point) uint64 {
			if len(p.files) == 0 || p.files[0].Created.IsZero() {
				return 0
			}
			return uint64(p.files[0].Created.UnixNano())
		}},
	} {
		slices.SortStableFunc(found, func(a, b point) int { return cmp.Compare(by.key(a), by.key(b)) })
		known := by.key(found[0]) != 0
		for i := 1; i < len(found); i++ {
			known = known && by.key(found[i]) != by.key(found[i-1])
		}
		if known {
			return by.how, true
		}
	}
	return "their order is not known, so that each is read alone", false
}

// addRecovered makes snapshots of stores of which no catalog has the snapshot: those left, and files. They are the stack
// when there is no other; else they stand beside it, so that no snapshot of a catalog is read through them.
func (v *Volume) addRecovered(c *captured, own catalog, o *orphans, settle func(c *captured, s *Snapshot, p point), left []point) {
	stores := slices.Clone(c.stores)
	found := append(left, c.recovered(v, own, o)...)
	if len(found) == 0 {
		return
	}
	c.stores = stores // those of the ones left tell their times
	to := v
	if len(v.snapshots) > 0 {
		to = v.beside()
	}
	how, known := o.sort(found)
	for i := range found {
		found[i].position = uint64(i + 1)
	}
	to.assemble(found, func(s *Snapshot, p point) {
		settle(c, s, p)
		s.orphaned(p, how)
	})
	for i, s := range to.snapshots {
		if !known {
			s.end(errors.New("the next newer snapshot is not known, nor what was copied since"))
		} else if i == len(to.snapshots)-1 && (s.strange || to != v) {
			s.end(errNoCopies)
		}
	}
}

// endDeleted ends a stack of which the volume's own catalog has nothing, when the newest was deleted before the image
// was made: live data may have changed since without a copy. The catalog shows that when it is whole; else the volume
// does, when something else is where the store was.
func (v *Volume) endDeleted(certain bool) {
	s := v.snapshots[len(v.snapshots)-1]
	if s.gap != nil || !s.strange {
		return
	}
	if !certain && v.header.Local() {
		ch := chain{area: area{src: v.base}, name: "store header", kind: typeStore, warn: func(error) {}}
		_, _, err := ch.read(s.entry.header)
		certain = errors.Is(err, layer.ErrCorrupt)
	}
	if certain {
		s.end(errors.New("the store was deleted: what changed on the volume since is not known"))
	}
}
