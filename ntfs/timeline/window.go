package timeline

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A window is a range of record numbers, followed from the oldest point to the newest.
type window struct {
	s       *sweep
	first   uint64
	records uint64
	skip    bool // nothing is there to be read
	items   []item

	now    []byte // the records at the last point looked at
	states []state
	listed int // states whose file has a footprint
}

// A state is what is known of a record at the last point looked at.
type state struct {
	known  bool // now has its bytes
	item   int  // that it is part of, plus one; 0 for none
	digest *[sha256.Size]byte
	node   *ntfs.Node // of a file that is made of more than this record, else nil
	ext    []uint64   // its extension records
}

// run follows the window over all points, or as many as ctx leaves it.
func (w *window) run(ctx context.Context) {
	if w.skip {
		w.joinGaps()
		return
	}
	w.now, w.states = make([]byte, int64(w.records)*w.s.size), make([]state, w.records)
	var before *ntfs.Tree
	for p, t := range w.s.points {
		if ctx.Err() != nil {
			return
		}
		if !w.s.readable(t) {
			w.forget(0, w.records, p)
			before = nil
			continue
		}
		w.point(ctx, p, before, t)
		before = t
	}
	w.forget(0, w.records, len(w.s.points))
	w.joinGaps()
	w.now, w.states = nil, nil
}

// forget ends what is known of records i to end before point p.
func (w *window) forget(i, end uint64, p int) {
	for ; i < end; i++ {
		w.close(&w.states[i], p)
		w.states[i] = state{}
	}
}

// close ends the version or gap of a record before point p.
func (w *window) close(st *state, p int) {
	if st.item == 0 {
		return
	}
	x := &w.items[st.item-1]
	if x.gap != nil {
		x.gap.Last = p - 1
	} else {
		x.v.Last = p - 1
	}
	if st.node != nil {
		w.listed--
	}
	*st = state{known: st.known}
}

// point goes on to point p, where the volume is t; the point before it was before, nil where that tells nothing.
func (w *window) point(ctx context.Context, p int, before, t *ntfs.Tree) {
	size, off := w.s.size, int64(w.first)*w.s.size
	there := min(w.records, max(t.Records(), w.first)-w.first)
	w.forget(there, w.records, p)
	if before == nil || before.Serial() != t.Serial() {
		w.forget(0, there, p)
		w.read(p, t, 0, there)
		return
	}
	old := min(there, max(before.Records(), w.first)-w.first)
	done, looked := uint64(0), make([]bool, 0)
	if w.listed > 0 {
		looked = make([]bool, w.records)
	}
	for at, n := range layer.Differ(ctx, before.MFT(), t.MFT(), off, int64(old)*size, nil) {
		from, to := max(done, uint64((at-off)/size)), min(old, uint64((at-off+n+size-1)/size))
		if from < to {
			w.read(p, t, from, to)
			done = to
		}
		for i := from; i < to && len(looked) > 0; i++ {
			looked[i] = true
		}
	}
	if old < there {
		w.read(p, t, old, there)
	}
	for i := range looked {
		if st := &w.states[i]; !looked[i] && st.node != nil && elsewhere(ctx, st, before, t, size) {
			w.decode(p, t, uint64(i))
		}
	}
}

// elsewhere reports whether it is not proven that what a record's file has outside of it is the same at two points.
func elsewhere(ctx context.Context, st *state, before, t *ntfs.Tree, size int64) bool {
	for _, r := range st.ext {
		if r >= min(before.Records(), t.Records()) {
			return true
		}
		for range layer.Differ(ctx, before.MFT(), t.MFT(), int64(r)*size, size, nil) {
			return true
		}
	}
	a, b := st.node.In(before).AttributeList(), st.node.In(t).AttributeList()
	if a == nil || b == nil {
		return a != b
	}
	for range ntfs.Differ(ctx, a, b) {
		return true
	}
	return false
}

// read looks at records i to end at point p.
func (w *window) read(p int, t *ntfs.Tree, i, end uint64) {
	size := w.s.size
	b, off := make([]byte, int64(end-i)*size), int64(w.first+i)*size
	whole := layer.ReadFull(t.MFT(), b, off) == nil
	for ; i < end; i, b, off = i+1, b[size:], off+size {
		raw := b[:size]
		if !whole {
			if err := layer.ReadFull(t.MFT(), raw, off); err != nil {
				w.close(&w.states[i], p)
				w.states[i] = state{}
				w.items = append(w.items, item{gap: &Gap{From: w.first + i, To: w.first + i + 1, First: p, Last: p, Err: err}})
				continue
			}
		}
		old := w.now[int64(i)*size:][:size]
		st := &w.states[i]
		same := st.known && bytes.Equal(raw, old)
		if same && st.node == nil {
			continue
		}
		copy(old, raw)
		st.known = true
		w.decode(p, t, i)
	}
}

// decode looks at what record i says at point p. If that is what it said before, its version goes on.
func (w *window) decode(p int, t *ntfs.Tree, i uint64) {
	raw, st := w.now[int64(i)*w.s.size:][:w.s.size], &w.states[i]
	if w.s.opts.Directories && !directory(raw) {
		w.close(st, p)
		return
	}
	n, err := t.Decode(w.first+i, bytes.Clone(raw))
	if n != nil && st.item > 0 && w.items[st.item-1].gap == nil {
		if st.digest == nil {
			st.digest = digest(w.items[st.item-1].v.Node)
		}
		if d := digest(n); *d == *st.digest {
			w.follow(st, n)
			return
		}
	}
	w.close(st, p)
	switch {
	case err != nil:
		g := &Gap{From: w.first + i, To: w.first + i + 1, First: p, Err: unwrapped(err)}
		w.items = append(w.items, item{gap: g})
		st.item = len(w.items)
	case n != nil:
		v := Version{Node: n, First: p}
		v.Names, _ = n.Names() // what is wrong is in Damage
		v.Streams, _ = n.Streams()
		w.items = append(w.items, item{v: v})
		st.item = len(w.items)
		w.follow(st, n)
	}
}

// follow notes what the file of a record is made of beside it.
func (w *window) follow(st *state, n *ntfs.Node) {
	if st.node != nil {
		w.listed--
	}
	st.node, st.ext = nil, nil
	if n.Listed() {
		st.node, st.ext = n, n.Extensions()
		w.listed++
	}
}

func digest(n *ntfs.Node) *[sha256.Size]byte { d := n.Digest(); return &d }

// directory reports whether a raw record says that it is one's, by its flag or by the index that only directories have, or
// is too damaged to say anything.
func directory(raw []byte) bool {
	return len(raw) < 24 || string(raw[:4]) != "FILE" || binary.LittleEndian.Uint16(raw[22:])&2 != 0 || bytes.Contains(raw, indexName)
}

// indexName is the name of the index, as the disk has it.
var indexName = []byte("$\x00I\x003\x000\x00")

// unwrapped takes what a Gap says by itself off an error.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// joinGaps makes one of gaps that stand side by side: first those of one point, then those of the same records.
func (w *window) joinGaps() {
	var gaps []*Gap
	rest := w.items[:0:0]
	for _, x := range w.items {
		if x.gap != nil {
			gaps = append(gaps, x.gap)
		} else {
			rest = append(rest, x)
		}
	}
	if len(gaps) == 0 {
		return
	}
	slices.SortFunc(gaps, func(a, b *Gap) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.From, b.From)) })
	gaps = join(gaps, func(a, b *Gap) bool {
		ok := a.First == b.First && a.Last == b.Last && a.To == b.From && sameReason(a, b)
		if ok {
			a.To = b.To
		}
		return ok
	})
	slices.SortFunc(gaps, func(a, b *Gap) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.First, b.First))
	})
	gaps = join(gaps, func(a, b *Gap) bool {
		ok := a.From == b.From && a.To == b.To && a.Last+1 == b.First && sameReason(a, b)
		if ok {
			a.Last = b.Last
		}
		return ok
	})
	for _, g := range gaps {
		rest = append(rest, item{gap: g})
	}
	w.items = rest
}

// join leaves out gaps that the one before them took in.
func join(gaps []*Gap, takes func(a, b *Gap) bool) []*Gap {
	out := gaps[:1]
	for _, g := range gaps[1:] {
		if !takes(out[len(out)-1], g) {
			out = append(out, g)
		}
	}
	return out
}

// sameReason reports whether two gaps are of one kind.
func sameReason(a, b *Gap) bool { return layer.SameReason(a.Err, b.Err) }
