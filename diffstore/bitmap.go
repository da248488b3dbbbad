package diffstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	bitsPerBlock = payloadSize * 8
	// batch is the least number of bitmap blocks that fill whole 65,536-bit containers of a roaring bitmap.
	batch = 64
	// allBlocks is one more than the largest block number.
	allBlocks = math.MaxUint32 + 1
)

// readBits returns the bitmap that starts at first, bit i for block i, of which n matter; known is how many bits it
// has. An error leaves what was read before.
func readBits(ctx context.Context, a area, first uint64, n int64, warn func(error)) (set *roaring.Bitmap, known int64, err error) {
	if first == 0 {
		return roaring.New(), 0, errors.New("no bitmap")
	}
	set = roaring.New()
	ch := chain{area: a, name: "bitmap", kind: typeBitmap, warn: warn}
	want := (n + bitsPerBlock - 1) / bitsPerBlock
	words := make([]uint64, 0, min(want, batch)*payloadSize/8)
	pour := func() {
		part := roaring.New()
		part.FromDense(words, true)
		if off := known - int64(len(words))*64; off == 0 {
			set = part
		} else {
			set.Or(roaring.AddOffset64(part, off))
		}
		words = words[:0]
	}
	err = ch.each(ctx, first, int(want), func(_ uint64, payload []byte) bool {
		for i := 0; i < len(payload); i += 8 {
			words = append(words, binary.LittleEndian.Uint64(payload[i:]))
		}
		if known += bitsPerBlock; len(words) == batch*payloadSize/8 {
			pour()
		}
		return true
	})
	pour()
	known = min(known, n)
	set.RemoveRange(uint64(known), allBlocks)
	return set, known, err
}

// readBits takes the first area that has all of a bitmap, else what reaches farthest.
func (s *Snapshot) readBits(first uint64, n int64) (set *roaring.Bitmap, known int64, err error) {
	for i, a := range s.areas {
		bits, k, e := readBits(s.vol.ctx, a, first, n, s.warn)
		if e == nil {
			return bits, k, nil
		}
		if i == 0 || k > known {
			set, known, err = bits, k, e
		}
	}
	return set, known, err
}

// marks say which blocks a snapshot and the newer stores it is read through left unprotected (rule 11).
type marks struct {
	own    *roaring.Bitmap // by the snapshot's own store, for certain
	unsure *roaring.Bitmap // by its own or a newer store, perhaps
	zeros  *roaring.Bitmap // by such a store with IgnoredAsZeros: the driver gives zeros
	older  *roaring.Bitmap // what unsure means for older snapshots
	mine   *roaring.Bitmap // the part of unsure by its own store
	counts bool            // mine is part of older
	damage error           // of the snapshot's own bitmaps
}

// readMarks reads the bitmaps of s and joins them with the marks of the next newer snapshot.
func (s *Snapshot) readMarks() *marks {
	m := &marks{own: roaring.New(), mine: roaring.New(), zeros: roaring.New(), older: roaring.New()}
	if newer := s.at + 1; newer < len(s.vol.snapshots) {
		n := s.vol.snapshots[newer].marks()
		m.zeros, m.older = n.zeros, n.older
	}
	m.unsure = m.older
	if s.lost != nil {
		return m // an incomplete store: all is unknown anyway
	}
	if n := blocks(s.Size); n < s.older {
		defer m.cut(n, s.vol.span)
	}
	doubt := m.readOwn(s)
	m.own.RunOptimize()
	m.mine = m.own
	if !doubt.IsEmpty() {
		m.mine = roaring.Or(m.own, doubt)
	}
	m.unsure = roaring.Or(m.older, m.mine)
	m.unsure.RunOptimize()
	if s.Flags&IgnoredAsZeros != 0 {
		m.zeros = roaring.Or(m.zeros, m.own)
		m.zeros.RunOptimize()
	}
	if m.counts = s.Flags&IgnoredAsZeros != 0 || s.entry.previous != 0 || s.Recovered; m.counts {
		m.older = m.unsure
	}
	return m
}

// cut adds, for older snapshots, what was not on the volume when this one was made.
func (m *marks) cut(n, end int64) {
	m.older = m.older.Clone()
	m.older.AddRange(uint64(n), uint64(end))
}

// readOwn sets own and damage, and returns the blocks of which it cannot be told whether they are own. Without
// IgnoredAsZeros an unreadable current bitmap raises no doubt: such snapshots are not scoped, so that what it marks
// is free space, and what is asked for is not.
func (m *marks) readOwn(s *Snapshot) (doubt *roaring.Bitmap) {
	n := blocks(s.Size)
	doubt = roaring.New()
	set, known, err := s.readBits(s.entry.current, n)
	m.own, m.damage = set, wrap("current bitmap", err)
	if err != nil && (s.Flags&IgnoredAsZeros != 0 || s.Recovered) {
		doubt.AddRange(uint64(known), uint64(n))
	}
	if s.entry.previous == 0 {
		return doubt
	}
	set, known, err = s.readBits(s.entry.previous, n)
	m.damage = errors.Join(m.damage, wrap("previous bitmap", err))
	reach := min(known, s.older) // past it a previous bitmap is padding
	if s.at == 0 {
		reach = known
	}
	needed := roaring.Flip(set, 0, uint64(reach))
	needed.RemoveRange(uint64(reach), allBlocks)
	if s.at == 0 {
		doubt.Or(roaring.And(m.own, needed)) // the older ones are gone: it may be padding past their end
	} else {
		doubt.AndNot(needed)
	}
	m.own.AndNot(needed)
	if err != nil {
		tail := roaring.New()
		tail.AddRange(uint64(known), uint64(n))
		doubt.Or(roaring.And(m.own, tail))
		m.own.AndNot(tail)
	}
	return doubt
}

// spans is a set of blocks and its complement, to find where runs end. (NextAbsentValue of roaring 2.30 goes wrong
// after the first 65,536 values.)
type spans struct{ in, out *roaring.Bitmap }

// newSpans takes a set that is not changed any more, and that matters up to block n.
func newSpans(in *roaring.Bitmap, n int64) spans {
	out := roaring.Flip(in, 0, uint64(n))
	out.RunOptimize()
	return spans{in, out}
}

// span reports whether b is in the set, and the byte offset up to which that is so.
func (s spans) span(b block) (in bool, end int64) {
	other := s.in
	if in = s.in.Contains(uint32(b)); in {
		other = s.out
	}
	next := other.NextValue(uint32(b))
	if next < 0 {
		return in, math.MaxInt64
	}
	return in, block(next).off()
}

// wrap names the bitmap that err is about.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
