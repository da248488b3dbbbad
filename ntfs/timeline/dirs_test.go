package timeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

func dirsOf(list ...dir) *Dirs {
	d := &Dirs{kept: map[span][]Segment{}}
	for _, x := range list {
		d.add(x)
	}
	return d
}

// TestPaths has a directory above that is renamed, moved, and gone for a time, with a new owner of its record.
func TestPaths(t *testing.T) {
	root, up, low := ntfs.Ref{Record: 5, Seq: 5}, ntfs.Ref{Record: 30, Seq: 2}, ntfs.Ref{Record: 40, Seq: 1}
	d := dirsOf(
		dir{30, root, "old", 0, 1, 2}, dir{30, root, "new", 2, 2, 2}, dir{30, root, "new", 3, 4, 2}, dir{30, root, "other", 5, 6, 3}, dir{30, root, "new", 7, 8, 2},
		dir{40, up, "sub", 0, 7, 1}, dir{40, root, "sub", 8, 8, 1})
	want := []Segment{{"/old/sub/f", false, 1, 1}, {"/new/sub/f", false, 2, 4}, {"sub/f", true, 5, 6}, {"/new/sub/f", false, 7, 7}, {"/sub/f", false, 8, 8}}
	for range 2 { // the second time from what is kept
		if got := d.Paths(ntfs.Name{Name: "f", Parent: low}, 1, 8); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if got := d.Paths(ntfs.Name{Name: "f", Parent: ntfs.Ref{Record: 40, Seq: 9}}, 0, 1); !slices.Equal(got, []Segment{{"f", true, 0, 1}}) {
		t.Errorf("of another sequence: %v", got)
	}
	if len(d.list) != 6 || d.Err() != nil {
		t.Errorf("%d directories, want 6, %v", len(d.list), d.Err())
	}
}

// TestEndless has directories that contain themselves, and more below each other than any path has.
func TestEndless(t *testing.T) {
	start := time.Now()
	var loop, deep []dir
	for i := range uint64(100_000) {
		name := strings.Repeat("x", 200)
		loop = append(loop, dir{100 + i, ntfs.Ref{Record: 100 + (i+1)%100_000, Seq: 1}, name, 0, 1, 1})
		deep = append(deep, dir{100 + i, ntfs.Ref{Record: 101 + i, Seq: 1}, name, 0, 1, 1})
	}
	for _, d := range []*Dirs{dirsOf(loop...), dirsOf(deep...)} {
		for i := range uint64(1000) {
			got := d.Paths(ntfs.Name{Name: "f", Parent: ntfs.Ref{Record: 100 + 7*i, Seq: 1}}, 0, 1)
			if !slices.Equal(got, []Segment{{"f", true, 0, 1}}) {
				t.Fatalf("%.100v", got)
			}
		}
		if !errors.Is(d.Err(), layer.ErrCorrupt) {
			t.Error(d.Err())
		}
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}
