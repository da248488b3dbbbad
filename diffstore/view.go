package diffstore

import (
	"context"
	"errors"
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
	proof   func() []Range // of what has not changed on the live volume since the last store was made, or nil
	why     layer.Reason   // of what is unknown because the view is not complete
	damage  func() error
}

var _ layer.Mapper = (*View)(nil)

// Open returns the volume as it was. The first call for a volume reads the block lists of all its stores; of
// bitmaps no more is read than the answers depend on. It succeeds on a damaged store too: see View.Damage. An error
// is the cause of the end of Options.Context.
func (s *Snapshot) Open() (*View, error) {
	x := s.vol.index()
	n := len(s.vol.snapshots)
	v := &View{snap: s, index: x, marks: s.marks(), first: s.at, end: n, newest: s.at == n-1}
	for i := s.at; i < n && !v.gap; i++ {
		if v.gap = s.vol.snapshots[i].gap != nil; v.gap {
			v.end = i + 1
		}
	}
	if x.newerThanImage(s) != nil {
		v.gap = true
	}
	for v.damaged = s.at; v.damaged < v.end && x.damage[v.damaged] == nil; {
		v.damaged++
	}
	v.why = layer.Incomplete
	switch last := s.vol.snapshots[v.end-1]; {
	case x.newerThanImage(s) != nil:
	case v.damaged < v.end:
		v.proof = s.vol.snapshots[v.damaged].proof
	case v.gap:
		if v.proof = last.proof; last.ended {
			v.why = layer.Carved
		}
	}
	v.damage = sync.OnceValue(func() error {
		own, through := s.Check()
		return errors.Join(own, through)
	})
	if ctx := s.vol.ctx; ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return v, nil
}

// Damage says what makes this view doubtful, as Snapshot.Check does; nil when nothing does.
func (v *View) Damage() error { return v.damage() }

// Snapshot returns the snapshot that the view is of.
func (v *View) Snapshot() *Snapshot { return v.snap }

// Size returns the bytes of the volume at the time; the live one may have more or fewer.
func (v *View) Size() int64 { return v.snap.Size }

// ReadAt reads what the Windows driver would give: layer.Unknown extents as their Base says.
func (v *View) ReadAt(p []byte, off int64) (int, error) { return layer.Read(v, p, off, layer.Live) }

// complete reports whether a block without row was in no store for certain.
func (v *View) complete() bool { return v.damaged == v.end && !v.gap }

// At maps to the live volume and the diff area. It costs by index rows and bitmap runs, not by blocks. Blocks that a store
// keeps are extents of their own.
func (v *View) At(off, n int64) (layer.Extent, error) {
	x := Explained{Extent: layer.Extent{Off: off, Len: n}}
	v.explain(&x)
	return x.Extent, x.Err
}

// explain tells of x where its beginning comes from: of what has no rows up to the next that has, else within its block.
func (v *View) explain(x *Explained) {
	b, rows := blockOf(x.Off), v.index.rows
	p := v.index.find(b, v.first)
	switch {
	case p == len(rows):
		v.live(x, false)
	case rows[p].block > b:
		x.Len = min(x.Len, rows[p].block.off()-x.Off)
		v.live(x, false)
	default:
		x.Len = min(x.Len, b.off()+BlockSize-x.Off)
		v.block(x, b, p)
	}
	x.end()
}
