package tree_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

func TestLayout(t *testing.T) {
	s, err := points.Open(t.Context(), []string{"../../testdata/demo.qcow2"}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var lines []string
	layout, err := tree.NewLayout(s, time.Unix(0, 0), tree.View{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range layout.Items() {
		path := i.Name
		for p := i; p.Parent != p; p = p.Parent {
			path = p.Parent.Name + "/" + path
		}
		if i.Target != "" {
			path += " -> " + i.Target
		}
		lines = append(lines, path)
	}
	for _, want := range []string{
		"/README.txt", "/p1-Documents/current", "/p1-Documents/snapshots/2026-03-03T180000Z",
		"/p1-Documents/snapshots/latest -> 2026-03-04T180000Z", "/p1-Documents/snapshots/oldest -> 2026-03-02T180000Z",
		"/p2-Archive/vss2 -> snapshots/2026-03-04T180000Z", "/raw/p1-Documents/current.img", "/raw/p2-Archive/vss2.img",
		"/sets/2026-03-02T180000Z/p1-Documents -> ../../p1-Documents/snapshots/2026-03-02T180000Z",
		"/sets/2026-03-04T180000Z/p2-Archive -> ../../p2-Archive/snapshots/2026-03-04T180000Z",
		"/p1-Documents/ids/" + s.Volumes[0].Snapshots()[0].Snapshot.CopyID.String() + " -> ../snapshots/2026-03-02T180000Z",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in\n%s", want, strings.Join(lines, "\n"))
		}
	}
}
