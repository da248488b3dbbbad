package diffstore

import (
	"math"

	"github.com/RoaringBitmap/roaring/v2"

	"snapmount/imagefmt/layer"
)

// run yields extents, joining neighbours whose bytes are neighbours too.
type run struct {
	yield func(layer.Extent, error) bool
	held  layer.Extent
	done  bool
}

// add takes the next extent. The part of it past the end of its Base is an error (rule 13).
func (r *run) add(e layer.Extent, err error) {
	if e.Len <= 0 || r.done {
		return
	}
	if err == nil && e.Base != nil {
		inside := layer.Clip(e.Base.Size(), e.BaseOff, e.Len)
		if inside < e.Len {
			past := layer.Extent{Off: e.Off + inside, Len: e.Len - inside}
			e.Len = inside
			r.join(e)
			r.fail(past, layer.Corrupt("range", e.BaseOff+inside, "past the end of the volume (0x%x bytes)", e.Base.Size()))
			return
		}
	}
	if err != nil {
		r.fail(e, err)
		return
	}
	r.join(e)
}

func (r *run) join(e layer.Extent) {
	h := &r.held
	if h.Len > 0 && h.Kind == e.Kind && h.Base == e.Base && h.Off+h.Len == e.Off && (e.Base == nil || h.BaseOff+h.Len == e.BaseOff) {
		h.Len += e.Len
		return
	}
	r.flush()
	r.held = e
}

func (r *run) fail(e layer.Extent, err error) {
	r.flush()
	r.done = r.done || !r.yield(layer.Extent{Off: e.Off, Len: e.Len}, err)
}

func (r *run) flush() {
	if r.held.Len > 0 && !r.done {
		r.done = !r.yield(r.held, nil)
	}
	r.held = layer.Extent{}
}

// clip cuts e to [from, to).
func clip(e layer.Extent, from, to int64) layer.Extent {
	if d := from - e.Off; d > 0 {
		e.Off, e.Len = e.Off+d, e.Len-d
		if e.Base != nil {
			e.BaseOff += d
		}
	}
	e.Len = min(e.Len, to-e.Off)
	return e
}

// block adds [from, to), which is inside block b. Its rows are at p and after.
func (v *View) block(r *run, b block, p int, from, to int64) {
	for p < len(v.index.rows) && v.index.rows[p].block == b && int(v.index.rows[p].store) < v.first {
		p++
	}
	own := p
	for p < len(v.index.rows) && v.index.rows[p].block == b && int(v.index.rows[p].store) == v.first && v.index.rows[p].kind == overlay {
		p++
	}
	if own == p {
		v.under(r, b, p, from, to)
		return
	}
	v.sectors(r, b, v.index.rows[own:p], p, from, to)
}

// sectors adds [from, to) of a block with overlays (rule 9).
func (v *View) sectors(r *run, b block, overlays []row, p int, from, to int64) {
	var over [sectors]*row
	for i := range overlays {
		for n := range sectors {
			if overlays[i].sectors>>n&1 != 0 {
				over[n] = &overlays[i]
			}
		}
	}
	for from < to {
		n := int(from-b.off()) / sectorSize
		o, end := over[n], min(to, b.off()+int64(n+1)*sectorSize)
		for ; end < to && over[n+1] == o; n++ {
			end = min(to, end+sectorSize)
		}
		if o == nil {
			v.under(r, b, p, from, end)
		} else {
			e, err := v.stored(b, *o)
			r.add(clip(e, from, end), err)
		}
		from = end
	}
}

// stored returns the whole block b as row o keeps it.
func (v *View) stored(b block, o row) (layer.Extent, error) {
	e := layer.Extent{Off: b.off(), Len: BlockSize}
	if o.at == lostData {
		return e, layer.Corrupt("block descriptor", b.off(), "impossible data offset or target in store %d", o.store+1)
	}
	e.Base, e.BaseOff = v.snap.vol.snapshots[o.store].storage, int64(o.at)
	return e, nil
}

// under adds [from, to) of block b without overlays (rules 6, 7, 10 and 12). p is not after the row that counts.
func (v *View) under(r *run, b block, p int, from, to int64) {
	at, since, sure, home := b, v.first, true, true
	for {
		o, ok := v.index.base(at, p, v.end)
		if !ok {
			break
		}
		store := int(o.store)
		sure = sure && !(home && v.unprotected(b, store)) && !v.cut(at, since, store) &&
			(store < v.damaged || store == v.damaged && o.kind == regular)
		if o.kind == regular || o.at == lostData {
			e, err := v.stored(b, o)
			if !sure {
				e.Kind = layer.Unknown
			}
			r.add(clip(e, from, to), err)
			return
		}
		at, since, home = block(o.at), store, false
		p = v.index.find(at, store+1)
	}
	if home {
		v.live(r, from, to, v.newest && v.index.isTarget(b, v.first))
		return
	}
	e := layer.Extent{Off: b.off(), Len: BlockSize, Base: v.snap.vol.base, BaseOff: at.off()}
	if !sure || !v.complete() || v.cut(at, since, len(v.snap.vol.snapshots)-1) {
		e.Kind = layer.Unknown
	}
	r.add(clip(e, from, to), nil)
}

// unprotected reports whether b may have been overwritten without a copy before store end was made (rule 11).
func (v *View) unprotected(b block, end int) bool {
	if end == v.first || !v.marks.unsure.Contains(uint32(b)) {
		return false
	}
	for _, s := range v.snap.vol.snapshots[v.first:end] {
		if m := s.marks(); (m.counts || s == v.snap) && m.mine.Contains(uint32(b)) {
			return true
		}
	}
	return false
}

// cut reports whether the volume was too small for block b when one of the stores after from, up to to, was made.
func (v *View) cut(b block, from, to int) bool {
	if b.off() < v.snap.vol.least {
		return false
	}
	for _, s := range v.snap.vol.snapshots[from+1 : to+1] {
		if s.Size <= b.off() {
			return true
		}
	}
	return false
}

// isTarget reports whether b is the target of a move of store that nothing followed.
func (x *index) isTarget(b block, store int) bool {
	p := x.find(b, store)
	for ; p < len(x.rows) && x.rows[p].block == b && int(x.rows[p].store) == store; p++ {
		if x.rows[p].kind == target {
			return true
		}
	}
	return false
}

// live adds [from, to), of which no store has anything, in runs of the bitmaps (rules 10 to 12). A target of an
// unfinished move is not zeroed for being free in the newest snapshot.
func (v *View) live(r *run, from, to int64, isTarget bool) {
	for from < to && !r.done {
		b := blockOf(from)
		e := layer.Extent{Off: from, Base: v.snap.vol.base, BaseOff: from}
		unsure, end := spanOf(v.marks.unsure, b)
		if unsure || !v.complete() {
			e.Kind = layer.Unknown
		}
		if unsure {
			own, ownEnd := spanOf(v.marks.own, b)
			zeros, zerosEnd := spanOf(v.marks.zeros, b)
			end = min(end, ownEnd, zerosEnd)
			if zeros || own && v.newest && !isTarget {
				e.Base, e.BaseOff = nil, 0
			}
		}
		e.Len = min(to, end) - from
		r.add(e, nil)
		from += e.Len
	}
}

// spanOf reports whether b is in set, and the byte offset up to which that is so.
func spanOf(set *roaring.Bitmap, b block) (in bool, end int64) {
	n := int64(-1)
	if in = set.Contains(uint32(b)); in {
		n = set.NextAbsentValue(uint32(b))
	} else if !set.IsEmpty() {
		n = set.NextValue(uint32(b))
	}
	if n < 0 || n > math.MaxUint32 {
		return in, math.MaxInt64
	}
	return in, block(n).off()
}
