package diffstore_test

import (
	"testing"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
)

// TestExplainIsExtents checks, on random volumes, that Explain gives the extents of Extents, and reasons that fit them.
func TestExplainIsExtents(t *testing.T) {
	seen := map[diffstore.Reason]int{}
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
			explained := layer.Coalesce(func(yield func(layer.Extent, error) bool) {
				for x := range view.Explain(0, view.Size()) {
					seen[x.Reason]++
					if known := x.Reason == diffstore.Unchanged || x.Reason == diffstore.Overlaid; x.Err == nil && known && x.Kind != layer.Data {
						t.Errorf("seed %d, snapshot %d: %+v is %v", seed, s.Index, x.Extent, x.Origin)
					}
					if !yield(x.Extent, x.Err) {
						return
					}
				}
			})
			var got, want []layer.Extent
			for e := range explained {
				got = append(got, e)
			}
			for e, failed := range view.Extents(0, view.Size()) {
				want = append(want, e)
				at, err := view.At(e.Off, e.Len)
				if e.Len = at.Len; (err == nil) != (failed == nil) || at != e || at.Len <= 0 {
					t.Errorf("seed %d, snapshot %d: At gives %+v, %v, want the start of %+v", seed, s.Index, at, err, e)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d, snapshot %d: %d extents, want %d", seed, s.Index, len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("seed %d, snapshot %d: %+v, want %+v", seed, s.Index, got[i], want[i])
				}
			}
		}
	}
	for r := diffstore.Unchanged; r <= diffstore.Unprotected; r++ {
		if seen[r] == 0 {
			t.Errorf("reason %d was never given", r)
		}
	}
}
