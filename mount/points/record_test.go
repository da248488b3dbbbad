package points_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

// TestByNumber finds files by their records, and those that no directory leads to.
func TestByNumber(t *testing.T) {
	s := open(t, demo(t))
	p := s.Volumes[0].Current()
	n, _, err := p.Lookup("/Projects/notes.txt", true)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("#%d", n.Ref.Record)
	if m, stream, err := p.Lookup(name, true); err != nil || m.Ref != n.Ref || stream != "" {
		t.Errorf("%s: %v, %q, %v", name, m, stream, err)
	}
	target, err := s.Resolve(s.Images[0], ":p1@current:"+name)
	if err != nil || target.Path != name || target.Point != p {
		t.Errorf("%s in a location: %+v, %v", name, target, err)
	}
	for _, name := range []string{"/" + name, "#1000000", "#60", "#", "#12x", "#999999999999999"} {
		if _, _, err := p.Lookup(name, true); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := p.Lost(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("lost in a sound volume: %v, %v", list, err)
	}
}
