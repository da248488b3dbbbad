package tree

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestViewErrors(t *testing.T) {
	s, err := Open([]string{"../../testdata/demo.qcow2"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		view View
		text string
		none bool
	}{
		{View{Points: "9"}, `"9"`, true},
		{View{Points: "1,2..9,yesterday"}, "yesterday", true},
		{View{Points: "3..1"}, "3..1", true},
		{View{Points: "1,"}, `""`, true},
		{View{Time: "%q"}, "%q is not known", false},
		{View{Time: "%Y/%m"}, "no name for a directory", false},
		{View{Volume: "%l%"}, "", false},
		{View{Volume: ".."}, "no name for a directory", false},
		{View{Points: "latest,2026-03-02"}, "", false},
		{View{Time: "same", Volume: "same"}, "", false},
	} {
		l, err := s.Layout(time.Time{}, c.view)
		if c.text == "" {
			if err != nil {
				t.Errorf("%+v: %v", c.view, err)
			} else if n := len(l.Items()); n < 15 {
				t.Errorf("%+v: %d items", c.view, n)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || c.none != errors.Is(err, ErrNoPoint) {
			t.Errorf("%+v: error %v, want one with %q", c.view, err, c.text)
		}
	}
	l, err := s.Layout(time.Time{}, View{Time: "same", Volume: "same"})
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
