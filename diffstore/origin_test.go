package diffstore_test

import (
	"iter"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestExplainIsExtents checks, on random volumes, that Explain gives the extents of Extents, and reasons that fit them.
func TestExplainIsExtents(t *testing.T) {
	places, whys := map[diffstore.Place]int{}, map[layer.Reason]int{}
	for seed := range uint64(40) {
		w, err := newWorld(seed, 14, 300, false)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if err := w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.vol.Flush(); err != nil {
			t.Fatal(err)
		}
		v, err := diffstore.Open(w.live, diffstore.Options{})
		if err != nil {
			continue // no snapshot was made
		}
		for _, s := range v.Snapshots() {
			view, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			next, stop := iter.Pull(view.Explain(0, view.Size()))
			for e, failed := range layer.Extents(view, 0, view.Size()) {
				for off := e.Off; off < e.Off+e.Len; {
					x, ok := next()
					want := e
					if want.Off, want.Len = off, x.Len; e.Base != nil {
						want.BaseOff += off - e.Off
					}
					if !ok || x.Extent != want || x.Len <= 0 || off+x.Len > e.Off+e.Len || (x.Err == nil) != (failed == nil) {
						t.Fatalf("seed %d, snapshot %d: %+v, want a part of %+v, %v", seed, s.Index, x, e, failed)
					}
					if (x.Kind == layer.Unknown) != (x.Why == layer.Unprotected) || x.Why > layer.Unprotected {
						t.Errorf("seed %d, snapshot %d: %+v, want none but what was left out unknown", seed, s.Index, x)
					}
					places[x.Place]++
					whys[x.Why]++
					off += x.Len
				}
			}
			if x, more := next(); more {
				t.Errorf("seed %d, snapshot %d: %+v too", seed, s.Index, x)
			}
			stop()
		}
	}
	for p := diffstore.Unchanged; p <= diffstore.Moved; p++ {
		if places[p] == 0 {
			t.Errorf("place %d was never given", p)
		}
	}
	if whys[layer.Unprotected] == 0 {
		t.Error("nothing was left out")
	}
}

// TestDamageFirst has blocks that a snapshot left out, and the list of a newer one lost: it may have had them.
func TestDamageFirst(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	find := func() (layer.Extent, string) {
		vol, err := diffstore.Open(f, diffstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		v, err := vol.Snapshots()[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		for x := range v.Explain(free*blockSize, blockSize) {
			return x.Extent, x.Origin()
		}
		panic("nothing was yielded")
	}
	if e, origin := find(); e.Kind != layer.Unknown || e.Why != layer.Unprotected || origin != "not kept: the snapshot did not need the block" {
		t.Errorf("no damage: %+v, %s", e, origin)
	}
	f.zero(f.snaps[1].Entry.List)
	if e, origin := find(); e.Kind != layer.Unknown || e.Why != layer.Incomplete || origin != "not known: a store on the way is damaged" {
		t.Errorf("a list lost: %+v, %s", e, origin)
	}
}
