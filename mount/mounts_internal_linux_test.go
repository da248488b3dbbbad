package mount

import (
	"slices"
	"testing"
)

// TestEntries reads a table of mounts whose names have white space, of which the kernel escapes a part.
func TestEntries(t *testing.T) {
	table := "/a\\040b /mnt/x fuse.snapmount ro,user_id=1000 0 0\n" +
		" /mnt/none fuse.snapmount ro,user_id=7 0 0\n" +
		"/c\rd /mnt/e\u00a0f fuse.snapmount ro,user_id=8 0 0\n" +
		"short line\n\n"
	want := []entry{
		{dir: "/mnt/x", kind: ourKind, source: "/a b", uid: 1000},
		{dir: "/mnt/none", kind: ourKind, uid: 7},
		{dir: "/mnt/e\u00a0f", kind: ourKind, source: "/c\rd", uid: 8},
	}
	if got := entries(table); !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
