package diffstore

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// kind tells what a row is.
type kind uint8

const (
	regular kind = iota // at is the data offset of a whole block
	moved               // at is the block number of the target
	overlay             // at is the data offset; only sectors count
	target              // of a move of the newest store that nothing followed
	home                // removes what came before; not in an index
)

// lostData stands for an offset that cannot be.
const lostData = math.MaxUint64

// row says what one store has of one block: 24 bytes.
type row struct {
	block   block
	sectors uint32
	at      uint64
	store   uint16 // Snapshot.at
	kind    kind
	doubt   bool // its two addresses contradict
}

// index serves all snapshots of a volume: rows by block, then store, then overlays in order before the rest.
type index struct {
	rows    []row
	groups  []uint32 // by block>>shift: the position of the first row of the group; and the end of the last
	shift   uint
	damage  []error        // by store: why its block list is incomplete, nil when it is not
	doubts  []error        // by store: that blocks are unknown because their two addresses contradict, or nil
	storage []layer.Source // by store: what data offsets count in

	accounts []Accounts        // by store
	moves    []*roaring.Bitmap // by store, or nil: see noteMoves
	after    []func() error    // by store: see checkSuccessor
	image    int               // which snapshot's block image the volume is, from 1 on; 0 for a live volume
}

// build reads all block lists, a few at a time.
func (v *Volume) build() *index {
	loads := make([]*loader, len(v.snapshots))
	var done atomic.Int64
	told := func(n int64) { v.progress.Tell("reading block lists", n, int64(len(loads))) }
	told(0)
	parallel(len(loads), func(i int) {
		loads[i] = v.snapshots[i].load()
		told(done.Add(1))
	})
	separate(loads)
	loads[len(loads)-1].targets()

	x := &index{damage: make([]error, len(loads)), doubts: make([]error, len(loads)), storage: make([]layer.Source, len(loads)),
		accounts: make([]Accounts, len(loads)), moves: make([]*roaring.Bitmap, len(loads)), after: make([]func() error, len(loads))}
	n := 0
	for i, l := range loads {
		x.damage[i], x.storage[i], x.accounts[i] = l.damage, l.area.src, l.accounts
		if n := l.odd[oddPlaces]; n > 0 {
			x.doubts[i] = fmt.Errorf("block list: %d descriptors %s: %w", n, oddText[oddPlaces], layer.ErrCorrupt)
		}
		x.noteMoves(l)
		x.after[i] = sync.OnceValue(func() error { return v.snapshots[i].checkSuccessor(x) })
		if f := l.area.file; f != nil {
			l.s.warn(fmt.Errorf("store read from file %q", f.Name))
		}
		n += len(l.rows)
	}
	rows, samples := make([]row, 0, n), make([][]block, len(loads))
	for i, l := range loads {
		rows, samples[i] = append(rows, l.rows...), l.samples
		loads[i] = nil
	}
	x.setRows(flatten(sortByBlock(rows)))
	if x.image = v.imageOf(x, samples); x.image > 0 {
		v.warn(fmt.Errorf("the volume is the block image of snapshot %d, not a live volume: newer snapshots in it are not whole", v.snapshots[x.image-1].Index))
	}
	return x
}

// separate ends the lists of stores that claim the same list block, there: nothing tells whose it is (rule 4).
func separate(loads []*loader) {
	type place struct {
		src layer.Source
		at  block
	}
	type claim struct{ load, list int }
	claims := map[place]claim{}
	for i, l := range loads {
		for j, b := range l.lists {
			p := place{l.area.src, b.at}
			first, taken := claims[p]
			if !taken {
				claims[p] = claim{i, j}
				continue
			}
			err := layer.Corrupt("block list", b.at.off(), "claimed by stores %d and %d", loads[first.load].s.Index, l.s.Index)
			l.cut(j, err)
			if o := loads[first.load]; first.list < len(o.lists) {
				o.cut(first.list, err)
			}
			break
		}
	}
}

// sortByBlock sorts by block and keeps the order of the rows of a block. It may use a second slice.
func sortByBlock(rows []row) []row {
	const bits, size, passes = 11, 1 << 11, 3
	var counts [passes][size]int
	for _, r := range rows {
		for p := range passes {
			counts[p][r.block>>(p*bits)%size]++
		}
	}
	other := make([]row, len(rows))
	for p := range passes {
		if len(rows) == 0 || counts[p][rows[0].block>>(p*bits)%size] == len(rows) {
			continue
		}
		sum := 0
		for i, n := range counts[p] {
			counts[p][i] = sum
			sum += n
		}
		for _, r := range rows {
			at := &counts[p][r.block>>(p*bits)%size]
			other[*at] = r
			*at++
		}
		rows, other = other, rows
	}
	return rows
}

// flatten leaves, of the events that a store has of a block, its overlays and at most one other row behind them
// (rules 7 and 8). It works in place.
func flatten(rows []row) []row {
	out := rows[:0]
	for i := 0; i < len(rows); {
		first, base, found := rows[i], row{}, false
		for ; i < len(rows) && rows[i].block == first.block && rows[i].store == first.store; i++ {
			switch r := rows[i]; r.kind {
			case overlay, target:
				out = append(out, r)
			case home:
				found = false
			case moved:
				if !found || base.kind == moved {
					base, found = r, true
				}
			default:
				base, found = r, true
			}
		}
		if found {
			out = append(out, base)
		}
	}
	return out
}

// find returns the position of the first row of block b at or after a store.
func (x *index) find(b block, store int) int {
	group := int(b >> x.shift)
	if group >= len(x.groups)-1 {
		return len(x.rows)
	}
	lo, hi := int(x.groups[group]), int(x.groups[group+1])
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if r := &x.rows[mid]; r.block < b || r.block == b && int(r.store) < store {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// setRows takes the rows, and notes where groups of blocks begin: a few rows each where they lie evenly. To find a row is
// then to look in one group, which each step of each reader does.
func (x *index) setRows(rows []row) {
	const perGroup = 4
	x.rows = rows
	if len(rows) == 0 {
		return
	}
	last := rows[len(rows)-1].block
	for last>>x.shift >= block(len(rows)/perGroup+1) {
		x.shift++
	}
	x.groups = make([]uint32, int(last>>x.shift)+2)
	for i := range rows {
		x.groups[rows[i].block>>x.shift+1] = uint32(i + 1)
	}
	for g := range x.groups[1:] {
		x.groups[g+1] = max(x.groups[g+1], x.groups[g])
	}
}

// base returns the first row that is a copy or a move of b, among those of stores from up to end, nil for none; p is the
// position of such a row or before it.
func (x *index) base(b block, p, end int) *row {
	for ; p < len(x.rows); p++ {
		r := &x.rows[p]
		if r.block != b || int(r.store) >= end {
			break
		}
		if r.kind == regular || r.kind == moved {
			return r
		}
	}
	return nil
}
