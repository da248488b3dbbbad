package diffstore

import (
	"errors"
	"iter"
	"sync"

	"snapmount/imagefmt/layer"
)

// View is a volume as it was at one snapshot: a layer.Mapper over the live volume and the volume of its diff area.
type View struct {
	snap    *Snapshot
	index   *index
	marks   *marks
	first   int // stores that are asked: from first up to end
	end     int
	damaged int  // the first of them that is incomplete, else end
	gap     bool // another snapshot may have followed them
	newest  bool
	damage  func() error
}

var _ layer.Locator = (*View)(nil)

// Open returns the volume as it was. The first call for a volume reads the block lists of all its stores; of
// bitmaps no more is read than the answers depend on. It succeeds on a damaged store too: see View.Damage.
func (s *Snapshot) Open() (*View, error) {
	x := s.vol.index()
	n := len(s.vol.snapshots)
	v := &View{snap: s, index: x, marks: s.marks(), first: s.at, end: n, newest: s.at == n-1}
	for i := s.at; i < n && !v.gap; i++ {
		if v.gap = s.vol.snapshots[i].gap != nil; v.gap {
			v.end = i + 1
		}
	}
	for v.damaged = s.at; v.damaged < v.end && x.damage[v.damaged] == nil; {
		v.damaged++
	}
	v.damage = sync.OnceValue(func() error {
		own, through := s.Check()
		return errors.Join(own, through)
	})
	return v, nil
}

// Damage says what makes this view doubtful, as Snapshot.Check does; nil when nothing does.
func (v *View) Damage() error { return v.damage() }

// Size returns the bytes of the volume at the time; the live one may have more or fewer.
func (v *View) Size() int64 { return v.snap.Size }

// ReadAt reads what the Windows driver would give: layer.Unknown extents as their Base says.
func (v *View) ReadAt(p []byte, off int64) (int, error) { return layer.ReadAt(v, p, off) }

// complete reports whether a block without row was in no store for certain.
func (v *View) complete() bool { return v.damaged == v.end && !v.gap }

// Extents maps to the live volume and the diff area. It costs by index rows and bitmap runs, not by blocks.
func (v *View) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	n = layer.Clip(v.Size(), off, n)
	return layer.Coalesce(func(yield func(layer.Extent, error) bool) {
		if n > 0 {
			v.walk(&run{yield: yield}, off, off+n)
		}
	})
}

// At implements layer.Locator.
func (v *View) At(off, n int64) (layer.Extent, error) {
	var r run
	v.walk(&r, off, off+n)
	return r.first, r.err
}

// walk adds [off, end): what has no rows at once, the rest block by block.
func (v *View) walk(r *run, off, end int64) {
	rows := v.index.rows
	for p := v.index.find(blockOf(off), v.first); off < end && !r.done; {
		next := end
		if p < len(rows) {
			next = min(end, rows[p].block.off())
		}
		if off < next {
			v.live(r, off, next, false)
			off = next
			continue
		}
		b := blockOf(off)
		next = min(end, b.off()+BlockSize)
		v.block(r, b, p, off, next)
		off, p = next, v.index.after(b, p)
	}
}
