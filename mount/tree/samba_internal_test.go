package tree

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/diffstore"
	"snapmount/mount/points"
)

// TestSambaNames has points in one second, hidden and recovered ones, and one without a time.
func TestSambaNames(t *testing.T) {
	v := &points.Volume{Name: "p1"}
	at := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	list := []*points.Point{
		{Name: "a", Volume: v, Snapshot: &diffstore.Snapshot{Created: at}},
		{Name: "b", Volume: v, Snapshot: &diffstore.Snapshot{Created: at.Add(900 * time.Millisecond)}},
		{Name: "c", Volume: v, Snapshot: &diffstore.Snapshot{Created: at.Add(time.Second)}},
		{Name: "d", Volume: v, Snapshot: &diffstore.Snapshot{Created: at.Add(time.Hour), Offline: true}},
		{Name: "unknown-time", Volume: v, Snapshot: &diffstore.Snapshot{}},
	}
	names, notes := sambaNames(list)
	want := []string{"@GMT-2026.03.02-18.00.00", "@GMT-2026.03.02-18.00.01", "@GMT-2026.03.02-18.00.02", "@GMT-2026.03.02-19.00.00", "unknown-time"}
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
	for i, word := range []string{"p1@b: is @GMT-2026.03.02-18.00.01, as", "p1@c: is @GMT-2026.03.02-18.00.02, as", "p1@d: is @GMT-2026.03.02-19.00.00, and looks like", "not known"} {
		if len(notes) != 4 || !strings.Contains(notes[i], word) {
			t.Fatalf("notes %q, want %q", notes, word)
		}
	}
}
