package compare

import (
	"slices"
	"strings"
	"testing"
)

func TestPlaces(t *testing.T) {
	names := newInterner()
	var all []place
	want := []string{"", "$OrphanFiles/70-1", "a", "a/b", "a/b/c", "a/b!", "a b", "b/a"}
	for _, path := range []string{"a/b/c", "b/a", "a b", "a/b!", "a", "a/b"} {
		d, parts := names.root, strings.Split(path, "/")
		for _, p := range parts[:len(parts)-1] {
			d = names.child(d, p)
		}
		all = append(all, place{d, parts[len(parts)-1]})
	}
	all = append(all, place{}, place{names.orphan, "70-1"}, place{dir: names.root})
	slices.SortFunc(all, place.compare)
	if all[len(all)-1] != (place{}) {
		t.Errorf("no place is not the last: %v", all)
	}
	for i, w := range want {
		if all[i].String() != w {
			t.Errorf("place %d is %q, want %q", i, all[i], w)
		}
	}
	d := names.root
	for range 1 << 13 {
		d = names.child(d, strings.Repeat("n", 255))
		if p := (place{d, "x"}).String(); len(p) > maxPath+600 {
			t.Fatalf("a path of %d bytes", len(p))
		}
	}
}
