package diffstore_test

import (
	"strings"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestBlockImage opens the block image of each snapshot as a volume: it tells which one it is, and calls nothing of the
// newer ones data that is not theirs.
func TestBlockImage(t *testing.T) {
	for _, flags := range []uint64{0, 0x400} {
		f := newFixtureOf(t, vsstest.Config{}, flags)
		live, err := diffstore.Open(f, diffstore.Options{Warn: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		if of := live.ImageOf(); of != nil {
			t.Errorf("a live volume is called the image of snapshot %d", of.Index)
		}
		for k, s := range live.Snapshots() {
			image := blockImage(t, s)
			warned := 0
			vol, err := diffstore.Open(image, diffstore.Options{Warn: func(error) { warned++ }})
			if k == 2 || flags != 0 { // its own catalog reads as zeros
				if err == nil || !strings.Contains(err.Error(), "block image of the newest") {
					t.Errorf("snapshot %d: %v", k+1, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if of := vol.ImageOf(); of == nil || of.Index != k+1 || warned != 1 {
				t.Errorf("the image of snapshot %d is called that of %+v, %d warnings", k+1, of, warned)
			}
			want := [3]state{healthy, healthy, healthy}
			for n := k + 1; n < 3; n++ {
				want[n] = state{through: true}
			}
			f.check(t, vol, want)
		}
	}
}

// blockImage returns what the driver would give of a snapshot.
func blockImage(t *testing.T, s *diffstore.Snapshot) *vsstest.Memory {
	t.Helper()
	v, err := s.Open()
	if err != nil {
		t.Fatal(err)
	}
	image, b := vsstest.NewMemory(v.Size()), make([]byte, v.Size())
	if err := layer.ReadFull(v, b, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := image.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return image
}
