package diffstore

import (
	"math/bits"

	"snapmount/imagefmt/layer"
)

// unknown makes x Unknown for a reason, unless there is none. Of several reasons the largest stays.
func (x *Explained) unknown(why layer.Reason) {
	if why > x.Why {
		x.Kind, x.Why = layer.Unknown, why
	}
}

// end ends x where its Base does: what begins past that is an error (rule 13).
func (x *Explained) end() {
	if x.Err == nil && x.Base != nil {
		if n := layer.Clip(x.Base.Size(), x.BaseOff, x.Len); n > 0 {
			x.Len = n
		} else {
			x.Err = layer.Corrupt("range", x.BaseOff, "past the end of what holds it (0x%x bytes)", x.Base.Size())
		}
	}
	if x.Err != nil {
		x.Extent = layer.Extent{Off: x.Off, Len: x.Len}
	}
}

// block explains x, or its beginning, which is inside block b. Its rows are at p and after.
func (v *View) block(x *Explained, b block, p int) {
	rows := v.index.rows
	own := p
	for p < len(rows) && rows[p].block == b && int(rows[p].store) == v.first && rows[p].kind == overlay {
		p++
	}
	if own < p {
		o, end := overlaid(rows[own:p], int(x.Off-b.off())/sectorSize)
		x.Len = min(x.Len, b.off()+int64(end)*sectorSize-x.Off)
		if o != nil {
			x.Place = Overlaid
			v.stored(x, b, o)
			return
		}
	}
	v.under(x, b, p)
}

// overlaid returns the last of the overlays of a block that has sector n, nil for none, and the sector before which that
// ends (rule 9).
func overlaid(overlays []row, n int) (*row, int) {
	var later uint32
	for i := len(overlays) - 1; i >= 0; i-- {
		if has := overlays[i].sectors &^ later; has>>n&1 != 0 {
			return &overlays[i], n + bits.TrailingZeros32(^(has >> n))
		}
		later |= overlays[i].sectors
	}
	return nil, min(sectors, n+bits.TrailingZeros32(later>>n))
}

// stored explains x, which is inside block b, by row o, which keeps it.
func (v *View) stored(x *Explained, b block, o *row) {
	if x.Store = v.snap.vol.snapshots[o.store].Index; o.at == lostData {
		x.Err = layer.Corrupt("block", b.off(), "impossible data offset or target in store %d", x.Store)
		return
	}
	x.Base, x.BaseOff = v.index.storage[o.store], int64(o.at)+x.Off-b.off()
	if o.doubt || o.kind == regular && v.snap.vol.snapshots[o.store].denied(v.index, o.block) {
		x.unknown(layer.Incomplete)
	}
}

// under explains x, which is inside block b, without overlays (rules 6, 7, 10 and 12). p is not after the row that counts.
func (v *View) under(x *Explained, b block, p int) {
	at, since, home := b, v.first, true
	for from := v.first; ; from = since + 1 {
		o := v.index.base(at, p, v.end)
		if o == nil {
			break
		}
		store := int(o.store)
		if home && v.unprotected(b, store) || v.cut(at, since, store) {
			x.unknown(layer.Unprotected)
		}
		if store > v.damaged || v.lost(at, from, store) {
			x.unknown(layer.Incomplete)
		}
		if o.kind == regular || o.at == lostData {
			x.Place = Kept
			v.stored(x, b, o)
			return
		}
		at, since, home = block(o.at), store, false
		p = v.index.find(at, store+1)
	}
	if home {
		v.live(x, v.newest && v.index.isTarget(b, v.first))
		return
	}
	x.Place = Moved
	if v.lost(at, since+1, v.end) {
		x.unknown(layer.Incomplete)
	}
	if v.onLive(x, at.off()+x.Off-b.off()); v.cut(at, since, len(v.snap.vol.snapshots)-1) {
		x.unknown(layer.Unprotected)
	}
}

// unprotected reports whether b may have been overwritten without a copy before store end was made (rule 11).
func (v *View) unprotected(b block, end int) bool {
	if end == v.first {
		return false
	}
	if of, _ := v.marks.span(b, int64(b)+1); !of.unsure {
		return false
	}
	for _, s := range v.marks.stores {
		if s.at < end && s.mine(b) {
			return true
		}
	}
	return false
}

// lost reports whether one of the stores from one up to another has lost the descriptor of b.
func (v *View) lost(b block, from, end int) bool {
	if from >= end {
		return false
	}
	if of, _ := v.marks.span(b, int64(b)+1); !of.lost {
		return false
	}
	at := int64(b) % bitsPerBlock
	for _, s := range v.snap.vol.snapshots[from:end] {
		if s.missing(v.index, int64(b)/bitsPerBlock, int(at/64), 1<<(at%64)) != 0 {
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

// live explains x, of which no store has anything, up to where its run of the bitmaps ends (rules 10 to 12). Damage comes
// before what was left out: a lost list may have had the block, bound to or not. A target of an unfinished move is not
// zeroed for being free in the newest snapshot.
func (v *View) live(x *Explained, isTarget bool) {
	b := blockOf(x.Off)
	of, end := v.marks.span(b, blocks(x.Off+x.Len))
	x.Len = min(x.Len, end<<blockBits-x.Off)
	v.onLive(x, x.Off)
	if of.lost {
		x.unknown(layer.Incomplete)
	}
	if of.unsure {
		x.unknown(layer.Unprotected)
		if of.zero && (!isTarget || v.snap.Flags&IgnoredAsZeros != 0) {
			x.Base, x.BaseOff = nil, 0
		}
	}
}

// onLive places x at off of the live volume. Unless nothing can have been lost on the way there (rule 12), only what is
// proven not to have changed since is known (rule 18): x ends where that does.
func (v *View) onLive(x *Explained, off int64) {
	x.Base, x.BaseOff = v.snap.vol.base, off
	if !v.complete() && !v.unchanged(x) {
		x.unknown(v.why)
	}
}
