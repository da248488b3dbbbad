package diffstore

import (
	"errors"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"
)

// allBlocks is one more than the largest block number.
const allBlocks = math.MaxUint32 + 1

// own are the bitmaps of one store.
type own struct{ current, previous *bitmap }

func (s *Snapshot) openBitmaps() *own {
	o := &own{current: s.newBitmap("current bitmap", s.entry.current)}
	if s.entry.previous != 0 {
		o.previous = s.newBitmap("previous bitmap", s.entry.previous)
	}
	return o
}

// checkBitmaps returns what is wrong with the ends of the bitmaps of s.
func (s *Snapshot) checkBitmaps() error {
	if s.lost != nil {
		return nil // an incomplete store: all is unknown anyway
	}
	b := s.bitmaps()
	err := b.current.check()
	if b.previous != nil {
		err = errors.Join(err, b.previous.check())
	}
	return err
}

// counts reports whether what s leaves unprotected counts in older snapshots (rule 11).
func (s *Snapshot) counts() bool {
	return s.Flags&IgnoredAsZeros != 0 || s.entry.previous != 0 || s.Recovered || s.strict
}

// scoped reports whether s may leave blocks of files unprotected.
func (s *Snapshot) scoped() bool { return s.Flags&IgnoredAsZeros != 0 || s.Recovered || s.strict }

// word says of 64 blocks what a store leaves unprotected.
type word struct {
	own   uint64 // for certain
	doubt uint64 // perhaps
}

// until returns the lowest n bits of a word whose first bit is for block first.
func until(first, n int64) uint64 {
	switch {
	case n <= first:
		return 0
	case n >= first+64:
		return math.MaxUint64
	}
	return 1<<(n-first) - 1
}

// words calls f with what the store of s leaves unprotected, for each word [from, to) of page i, and of each only the bits
// of mask: what the previous bitmap says of others is not asked for. Without IgnoredAsZeros
// a current bitmap that cannot be read raises no doubt: such snapshots are not scoped, so that what it marks is free
// space, and what is asked for is not.
func (s *Snapshot) words(i int64, from, to int, mask uint64, f func(w int, v word)) {
	b := s.bitmaps()
	asks := false
	for w := from; w < to && !asks; w++ {
		asks = mask&^s.protects(i, w) != 0
	}
	if !asks {
		return
	}
	current, err := b.current.page(i)
	if err != nil {
		b.current.tell(i, err)
	}
	scoped := s.scoped()
	var previous *page
	var lost error
	asked := false
	for w := from; w < to; w++ {
		first := i*bitsPerBlock + int64(w)*64
		var v word
		if mask := mask & until(first, blocks(s.Size)); current != nil {
			v.own = current[w] & mask
		} else if scoped {
			v.doubt = mask
		}
		if v != (word{}) && b.previous != nil {
			if !asked {
				asked = true
				if previous, lost = b.previous.page(i); lost != nil {
					b.previous.tell(i, lost)
				}
			}
			v = s.needed(v, previous, lost != nil, w, first)
		}
		if v != (word{}) {
			f(w, v)
		}
	}
}

// needed takes from v what an older snapshot needs: the blocks that the previous bitmap does not have. Past what older
// ones had, that is padding.
func (s *Snapshot) needed(v word, previous *page, lost bool, w int, first int64) word {
	switch {
	case lost:
		return word{doubt: v.doubt | v.own}
	case previous == nil: // it ends before
		return v
	}
	if s.at == 0 { // the older ones are gone: it may be padding past their end
		return word{own: v.own & previous[w], doubt: v.doubt | v.own&^previous[w]}
	}
	need := ^previous[w] & until(first, s.older)
	return word{own: v.own &^ need, doubt: v.doubt &^ need}
}

// marks say which blocks a snapshot and the newer stores it is read through left unprotected (rule 11). They are found
// as they are asked for: of few blocks word by word, so that no more of the bitmaps is read than that depends on, else
// all blocks of a page at once.
type marks struct {
	s      *Snapshot
	stores []*Snapshot // s, and the newer ones that count
	pages  []atomic.Pointer[markPage]
}

type markPage struct {
	mu                 sync.Mutex
	words              map[int]marked
	unsure, zero, lost spans // once all are known, by block in the page
	whole              atomic.Bool
}

// mark says what the stores leave open of a block: that it may be unprotected, that the driver gives zeros for it, and that
// one of them has lost its descriptor (rule 21).
type mark struct{ unsure, zero, lost bool }

// marked are the marks of 64 blocks, as far as known.
type marked struct{ known, unsure, zero, lost uint64 }

func (v marked) at(bit int64) mark {
	return mark{v.unsure>>bit&1 != 0, v.zero>>bit&1 != 0, v.lost>>bit&1 != 0}
}

// fewWords is how many words of a page are found one by one before all are.
const fewWords = 16

func (s *Snapshot) newMarks() *marks {
	m := &marks{s: s, pages: make([]atomic.Pointer[markPage], (s.vol.span+bitsPerBlock-1)/bitsPerBlock+1)}
	for _, n := range s.vol.snapshots[s.at:] {
		if n.lost == nil && (n == s || n.counts()) {
			m.stores = append(m.stores, n)
		}
	}
	return m
}

// combine returns, for words [from, to) of page i and in each the bits of mask, the blocks left unprotected by one of the
// stores, perhaps, of them those for which the driver gives zeros, and the blocks that one has lost.
func (m *marks) combine(i int64, from, to int, mask uint64) (unsure, zero, lost []uint64) {
	unsure, zero, lost = make([]uint64, to-from), make([]uint64, to-from), make([]uint64, to-from)
	x := m.s.vol.index()
	for _, s := range m.s.vol.snapshots[m.s.at:] {
		for w := from; w < to; w++ {
			lost[w-from] |= s.missing(x, i, w, mask)
		}
	}
	newest := m.s.at == len(m.s.vol.snapshots)-1
	for _, s := range m.stores {
		s.words(i, from, to, mask, func(w int, v word) {
			unsure[w-from] |= v.own | v.doubt
			if s.Flags&IgnoredAsZeros != 0 || newest {
				zero[w-from] |= v.own
			}
		})
	}
	for _, s := range m.s.vol.snapshots[m.s.at+1:] {
		if n := blocks(s.Size); n < s.older && s.lost == nil { // what was not on the volume when it was made
			for w := range unsure {
				unsure[w] |= mask &^ until(i*bitsPerBlock+int64(from+w)*64, n)
			}
		}
	}
	return unsure, zero, lost
}

// span returns the marks of block b, and the block up to which they are the same, not past end.
func (m *marks) span(b block, end int64) (of mark, until int64) {
	i := int64(b) / bitsPerBlock
	first := i * bitsPerBlock
	p := m.pages[i].Load()
	if p == nil {
		m.pages[i].CompareAndSwap(nil, &markPage{words: map[int]marked{}})
		p = m.pages[i].Load()
	}
	in, stop := int64(b)-first, min(end-first, bitsPerBlock)
	if !p.whole.Load() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if m.find(p, i, in, stop); !p.whole.Load() {
			of, until = p.run(in, stop)
			return of, first + until
		}
	}
	var n, k, l int64
	of.unsure, n = p.unsure.span(block(in))
	of.zero, k = p.zero.span(block(in))
	of.lost, l = p.lost.span(block(in))
	return of, first + min(n, k, l, stop)
}

// run is span by words, which are known.
func (p *markPage) run(in, stop int64) (of mark, until int64) {
	of = p.words[int(in/64)].at(in % 64)
	for until = in; until < stop; {
		v, at := p.words[int(until/64)], until%64
		n := min(same(v.unsure>>at, of.unsure), same(v.zero>>at, of.zero), same(v.lost>>at, of.lost), 64-at)
		if until += n; n < 64-at {
			break
		}
	}
	return of, min(until, stop)
}

// same returns how many of the lowest bits of v are set, or are not.
func same(v uint64, set bool) int64 {
	if set {
		v = ^v
	}
	return int64(bits.TrailingZeros64(v))
}

// find makes blocks [in, stop) of p known, or all when there were more than a few.
func (m *marks) find(p *markPage, i, in, stop int64) {
	if p.whole.Load() {
		return
	}
	from, to := int(in/64), int((stop+63)/64)
	if len(p.words)+to-from > fewWords {
		unsure, zero, lost := m.combine(i, 0, pageWords, math.MaxUint64)
		p.unsure, p.zero, p.lost, p.words = denseSpans(unsure), denseSpans(zero), denseSpans(lost), nil
		p.whole.Store(true)
		return
	}
	if len(p.words) == 0 && len(m.stores) > 1 { // at once what is read anyway; an error is met again
		parallel(len(m.stores), func(n int) {
			if s := m.stores[n]; s.scoped() || s.successor() == nil {
				s.bitmaps().current.page(i)
			} else {
				s.successor().bitmaps().previous.page(i)
			}
		})
	}
	for w := from; w < to; w++ {
		v := p.words[w]
		if ask := until(int64(w)*64, stop) &^ until(int64(w)*64, in) &^ v.known; ask != 0 {
			unsure, zero, lost := m.combine(i, w, w+1, ask)
			p.words[w] = marked{v.known | ask, v.unsure | unsure[0], v.zero | zero[0], v.lost | lost[0]}
		}
	}
}

// mine reports whether the store of s left block b unprotected, perhaps.
func (s *Snapshot) mine(b block) (in bool) {
	at := int64(b) % bitsPerBlock
	s.words(int64(b)/bitsPerBlock, int(at/64), int(at/64)+1, 1<<(at%64), func(int, word) { in = true })
	return in
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

// denseSpans takes the words of a page.
func denseSpans(words []uint64) spans {
	set := roaring.New()
	set.FromDense(words, true)
	set.RunOptimize()
	return newSpans(set, bitsPerBlock)
}

// span reports whether b is in the set, and the block up to which that is so.
func (s spans) span(b block) (in bool, end int64) {
	other := s.in
	if in = s.in.Contains(uint32(b)); in {
		other = s.out
	}
	next := other.NextValue(uint32(b))
	if next < 0 {
		return in, math.MaxInt64
	}
	return in, next
}

// parallel calls f for 0 to n-1, a few at a time: what they read may be far away.
func parallel(n int, f func(i int)) {
	const most = 16
	var wg sync.WaitGroup
	slots := make(chan struct{}, most)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			f(i)
			<-slots
		})
	}
	wg.Wait()
}
