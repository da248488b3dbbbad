package tree_test

import (
	"errors"
	"strings"
	"testing"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

func TestViewErrors(t *testing.T) {
	s := openSet(t, demo)
	for _, c := range []struct {
		view tree.View
		text string
		none bool
	}{
		{tree.View{Points: "9"}, `"9"`, true},
		{tree.View{Points: "1,2..9,yesterday"}, "yesterday", true},
		{tree.View{Points: "3..1"}, "goes backwards, want the lower number first: 1..3", false},
		{tree.View{Points: "1,"}, `""`, true},
		{tree.View{Time: "%q"}, "%q is not known", false},
		{tree.View{Time: "%Y/%m"}, "no name for a directory", false},
		{tree.View{Volume: "%l%"}, "", false},
		{tree.View{Volume: ".."}, "no name for a directory", false},
		{tree.View{Points: "latest,2026-03-02"}, "", false},
		{tree.View{Time: "same", Volume: "same"}, "", false},
	} {
		f, err := tree.New(s, tree.Options{View: c.view})
		if c.text == "" {
			got := map[string]string{}
			if err != nil {
				t.Errorf("%+v: %v", c.view, err)
			} else if above(t, f.Root(), "", got); len(got) < 14 { // which tells names that are there twice
				t.Errorf("%+v: %d nodes", c.view, len(got))
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || c.none != errors.Is(err, points.ErrNoPoint) {
			t.Errorf("%+v: error %v, want one with %q", c.view, err, c.text)
		}
	}
}
