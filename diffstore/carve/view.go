package carve

import (
	"iter"
	"time"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// View is a volume as it was at a deleted snapshot: a layer.Mapper, of which what is below the class that is shown is
// layer.Unknown.
type View struct {
	stack *Stack
	at    int
	show  Trust
	quick bool // zeros are not looked for
}

var _ layer.Mapper = (*View)(nil)

// Snapshot returns what is known of the snapshot.
func (v *View) Snapshot() *diffstore.Snapshot { return v.stack.vss.Snapshots()[v.at] }

// Size returns the bytes of the volume, which are taken to be as many as now.
func (v *View) Size() int64 { return v.Snapshot().Size }

// ReadAt reads what is shown; of the rest what is there in its place.
func (v *View) ReadAt(p []byte, off int64) (int, error) { return layer.Read(v, p, off, layer.Live) }

// At maps to the volumes of the stack.
func (v *View) At(off, n int64) (layer.Extent, error) {
	j := v.judge(off, n)
	return j.Extent, j.Err
}

// Trust says what the bytes at off rest on, and of how many of the n bytes that holds: 1 at least.
func (v *View) Trust(off, n int64) (Trust, int64) {
	j := v.judge(off, n)
	return j.Trust, j.Len
}

// Judged is an extent of a View, where it comes from, and what it rests on.
type Judged struct {
	diffstore.Explained
	Trust Trust
}

// Origin says in words where the extent comes from, and what that is worth.
func (j Judged) Origin() string {
	switch {
	case j.Trust == Doubtful:
		return "doubtful: clusters that no file has now, which may have been used and freed since"
	case j.Kind == layer.Unknown && j.Why == layer.Carved:
		return "not known: overwritten since, or nothing proves that it was not"
	case j.Kind == layer.Unknown || j.Trust == Kept:
		return j.Explained.Origin()
	case j.Trust == Carved:
		return j.Explained.Origin() + ", which was deleted; nothing is written over it"
	case j.Trust == Proved:
		return j.Explained.Origin() + ": proved, not written since by its log sequence number"
	case j.Trust == Agreed:
		return j.Explained.Origin() + ": agreed, not written since by its times"
	}
	return "not known: overwritten since, or nothing proves that it was not"
}

// Explain yields the extents of [off, off+n). Neighbours are not joined.
func (v *View) Explain(off, n int64) iter.Seq[Judged] {
	return func(yield func(Judged) bool) {
		for end := off + layer.Clip(v.Size(), off, n); off < end; {
			j := v.judge(off, end-off)
			if !yield(j) {
				return
			}
			off += j.Len
		}
	}
}

// judge tells of [off, off+n), or its beginning.
func (v *View) judge(off, n int64) Judged {
	j := v.resolve(off, n)
	if j.Err == nil && j.Trust > v.show {
		if c, _ := at(v.stack.now.Claims, j.Off); c != nil && c.Kind == Record {
			if r, ok := v.rescue(&j, c); ok {
				return r
			}
			j.Len = min(j.Len, c.Off+c.Len-j.Off)
		}
	}
	v.withhold(&j)
	return j
}

// withhold makes unknown what is below the class that is shown. Doubtful bytes are unknown in any case, so that nobody
// concludes from them: reading as layer.Live gives them where they are shown. All else is an error then.
func (v *View) withhold(j *Judged) {
	switch {
	case j.Err != nil || j.Trust <= Agreed && j.Trust <= v.show:
	case v.show < Doubtful || j.Trust == Doubtful:
		if j.Kind != layer.Unknown {
			j.Kind, j.Why = layer.Unknown, layer.Carved
		}
	default:
		j.Err = &layer.UnknownError{Why: max(j.Why, layer.Unprotected), Off: j.Off, Len: j.Len}
		if j.Kind != layer.Unknown {
			j.Err = &layer.UnknownError{Why: layer.Carved, Off: j.Off, Len: j.Len}
		}
	}
}

// resolve finds the bytes and their class, whether that is shown or not.
func (v *View) resolve(off, n int64) (j Judged) {
	s := v.stack
	j.Trust = Lost
	bare, err := s.bare(v.at)
	if err != nil {
		j.Extent, j.Err = layer.Extent{Off: off, Len: n}, err
		return j
	}
	for x := range bare.Explain(off, n) {
		j.Explained = x
		break
	}
	switch {
	case j.Err != nil || j.Kind == layer.Unknown || j.Base == nil:
	case j.Store > 0:
		store := s.ordinal[j.Store]
		if j.Trust = s.kept(store, &j.Extent, v.quick); j.Trust != Lost {
			j.Trust = max(j.Trust, v.across(&j, store))
		}
	default:
		j.Trust = v.across(&j, len(s.stores))
	}
	return j
}

// across says what the bytes rest on that are found in a store, or, past the last, on the live volume, if copies are missing
// on the way there. It cuts the extent to where that is the same.
func (v *View) across(j *Judged, store int) Trust {
	s := v.stack
	first := s.next[v.at]
	if first >= store {
		return Kept
	}
	if j.Place == diffstore.Moved || j.Place == diffstore.Overlaid {
		return Lost // nobody has looked at where it was then
	}
	last := s.last[store-1]
	t := Lost
	if store == len(s.stores) {
		t = j.judgedBy(s.now, s.ends[first], v.quick)
	}
	if t <= Agreed || last == len(s.stores)-1 {
		return t
	}
	w, err := s.witnesses[last+1]()
	if err != nil {
		return t
	}
	if then := j.judgedBy(w, s.ends[first], v.quick); then != Doubtful || store < len(s.stores) {
		return min(t, then)
	}
	return t
}

// judgedBy asks a witness, and cuts j to what its answer is about. Zeros that no file has prove nothing.
func (j *Judged) judgedBy(w *Witness, end until, quick bool) Trust {
	t, n := w.judge(j.Off, j.Len, end)
	j.Len = n
	if t == Doubtful && !quick {
		if j.Len = min(j.Len, diffstore.BlockSize-j.Off%diffstore.BlockSize); isZero(j.Extent) {
			return Lost
		}
	}
	return t
}

// rescue finds a file record that is lost at its place in a newer copy of that: one that has not changed since the snapshot
// was made is the same. The record of the $MFT itself is taken in any case, from the volume as it is now: its runs only
// grow, and what is in them that is not of the snapshot is judged by itself.
func (v *View) rescue(j *Judged, c *Claim) (r Judged, ok bool) {
	s := v.stack
	b := make([]byte, c.Len)
	for i := v.at + 1; i <= len(s.stores); i++ {
		x := layer.Extent{Off: c.Off, Len: c.Len, Base: s.opts.Volume, BaseOff: c.Off}
		store := i
		if i < len(s.stores) {
			bare, err := s.bare(i)
			if err != nil {
				return r, false
			}
			x, store, ok = whole(bare, c, s.ordinal)
			if !ok {
				continue
			}
		}
		if n, _ := layer.Read(x.Base, b, x.BaseOff, layer.Fail); n < len(b) {
			continue
		}
		lsn, is := lsnOf(b, c.Number)
		now := store >= len(s.stores)
		if now && c.Number > 0 && s.now.contradicts(c, s.made(v.at)) {
			break
		}
		if is && (lsn > 0 && lsn <= s.made(v.at) || c.Number == 0 && now) && (now || s.kept(store, &x, v.quick) != Lost) {
			return cut(j, x, lsn > 0 && lsn <= s.made(v.at)), true
		}
		if now {
			break
		}
		i = max(i, store) // others up to there lead to the same
	}
	return r, false
}

// whole returns where a snapshot has a record, if that is in one place, and in which store; past the last for none.
func whole(v *diffstore.View, c *Claim, ordinal map[int]int) (layer.Extent, int, bool) {
	for x := range v.Explain(c.Off, c.Len) {
		if x.Err != nil || x.Base == nil || x.Len < c.Len || x.Place == diffstore.Moved || x.Place == diffstore.Overlaid {
			return layer.Extent{}, 0, false
		}
		if x.Store == 0 {
			return x.Extent, len(ordinal), true
		}
		return x.Extent, ordinal[x.Store], true
	}
	return layer.Extent{}, 0, false
}

// cut makes x, which has a record, the answer for the beginning of j.
func cut(j *Judged, x layer.Extent, proved bool) Judged {
	r := *j
	in := j.Off - x.Off
	r.Extent = layer.Extent{Off: j.Off, Len: min(j.Len, x.Len-in), Base: x.Base, BaseOff: x.BaseOff + in}
	if r.Trust = Doubtful; proved {
		r.Trust = Proved
	}
	return r
}

// made is the greatest log sequence number that was there when a snapshot was made, as far as known.
func (s *Stack) made(i int) uint64 { return s.stores[i].made }

// NotBefore is a time before which the snapshot was not made, where its own is not known: that of the last change in the file
// records that it or an older one keeps, or of an older snapshot; zero when nothing tells. It is as right as the clock was.
func (v *View) NotBefore() (t time.Time) {
	for _, f := range v.stack.stores[:v.at+1] {
		for _, known := range []time.Time{f.Created, f.changed} {
			if known.After(t) {
				t = known
			}
		}
	}
	return t
}

// Follows reports whether a snapshot of the catalog is older than that of v, for certain.
func (v *View) Follows(s *diffstore.Snapshot) bool {
	for i, f := range v.stack.stores {
		if f.Live == s {
			return i < v.at
		}
	}
	return false
}

// Ordered reports whether the place of the snapshot among others is known, or there are no others.
func (v *View) Ordered() bool { return v.stack.ordered }
