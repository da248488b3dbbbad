package tree_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

func TestViewErrors(t *testing.T) {
	s, err := points.Open(t.Context(), []string{"../../testdata/demo.qcow2"}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		view tree.View
		text string
		none bool
	}{
		{tree.View{Points: "9"}, `"9"`, true},
		{tree.View{Points: "1,2..9,yesterday"}, "yesterday", true},
		{tree.View{Points: "3..1"}, "3..1", true},
		{tree.View{Points: "1,"}, `""`, true},
		{tree.View{Time: "%q"}, "%q is not known", false},
		{tree.View{Time: "%Y/%m"}, "no name for a directory", false},
		{tree.View{Volume: "%l%"}, "", false},
		{tree.View{Volume: ".."}, "no name for a directory", false},
		{tree.View{Points: "latest,2026-03-02"}, "", false},
		{tree.View{Time: "same", Volume: "same"}, "", false},
	} {
		l, err := tree.NewLayout(s, time.Time{}, c.view)
		if c.text == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.view, err)
			} else if n := len(l.Items()); n < 15 {
				t.Errorf("%+v: %d items", c.view, n)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || c.none != errors.Is(err, points.ErrNoPoint) {
			t.Errorf("%+v: error %v, want one with %q", c.view, err, c.text)
		}
	}
	l, err := tree.NewLayout(s, time.Time{}, tree.View{Time: "same", Volume: "same"})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range l.Items() {
		seen := map[string]bool{}
		for _, c := range i.Children {
			if seen[c.Name] {
				t.Errorf("%s: two are called %s", i.Path(), c.Name)
			}
			seen[c.Name] = true
		}
	}
}
