package diffstore

import (
	"snapmount/imagefmt/layer"
)

// run yields extents until it is told to stop. Without yield it keeps the first, which costs no allocation.
type run struct {
	yield func(layer.Extent, error) bool
	done  bool
	why   Origin // of what is added next
	first layer.Extent
	err   error
}

// add takes the next extent. The part of it past the end of its Base is an error (rule 13).
func (r *run) add(e layer.Extent, err error) {
	if err != nil || e.Base == nil {
		r.put(e, err)
		return
	}
	past := e
	e.Len = layer.Clip(e.Base.Size(), e.BaseOff, e.Len)
	r.put(e, nil)
	if past.Off, past.Len = past.Off+e.Len, past.Len-e.Len; past.Len > 0 {
		r.put(past, layer.Corrupt("range", past.BaseOff+e.Len, "past the end of what holds it (0x%x bytes)", e.Base.Size()))
	}
}

func (r *run) put(e layer.Extent, err error) {
	if err != nil {
		e = layer.Extent{Off: e.Off, Len: e.Len}
	}
	switch {
	case e.Len <= 0 || r.done:
	case r.yield == nil:
		r.first, r.err, r.done = e, err, true
	default:
		r.done = !r.yield(e, err)
	}
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
			if r.why = (Origin{Overlaid, int(o.store) + 1}); o.doubt {
				e.Kind, r.why.Reason = layer.Unknown, Incomplete
			}
			r.add(clip(e, from, end), err)
		}
		from = end
	}
}

// stored returns the whole block b as row o keeps it.
func (v *View) stored(b block, o row) (layer.Extent, error) {
	e := layer.Extent{Off: b.off(), Len: BlockSize}
	if o.at == lostData {
		return e, layer.Corrupt("block", b.off(), "impossible data offset or target in store %d", o.store+1)
	}
	e.Base, e.BaseOff = v.index.storage[o.store], int64(o.at)
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
		sure = sure && !o.doubt && !(home && v.unprotected(b, store)) && !v.cut(at, since, store) && store <= v.damaged
		if o.kind == regular || o.at == lostData {
			e, err := v.stored(b, o)
			if r.why = (Origin{Kept, store + 1}); !sure {
				e.Kind = layer.Unknown
			}
			if store > v.damaged || o.doubt {
				r.why.Reason = Incomplete
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
	if r.why = (Origin{Moved, 0}); !v.complete() {
		r.why.Reason = Incomplete
	}
	r.add(clip(e, from, to), nil)
}

// unprotected reports whether b may have been overwritten without a copy before store end was made (rule 11).
func (v *View) unprotected(b block, end int) bool {
	if end == v.first {
		return false
	}
	if unsure, _, _ := v.marks.span(b, int64(b)+1); !unsure {
		return false
	}
	for _, s := range v.marks.stores {
		if s.at < end && s.mine(b) {
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
		unsure, zero, after := v.marks.span(b, blocks(to))
		end := after << blockBits
		r.why = Origin{Unchanged, 0}
		if !v.complete() {
			e.Kind, r.why.Reason = layer.Unknown, Incomplete
		}
		if unsure {
			e.Kind, r.why.Reason = layer.Unknown, Unprotected
			if zero && (!isTarget || v.snap.Flags&IgnoredAsZeros != 0) {
				e.Base, e.BaseOff = nil, 0
			}
		}
		e.Len = min(to, end) - from
		r.add(e, nil)
		from += e.Len
	}
}
