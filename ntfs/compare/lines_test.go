package compare_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// told gives what Trees tells, a line each, as changes does.
func told(t *testing.T, a, b *ntfs.Tree, opts compare.Options) []string {
	t.Helper()
	seq, err := compare.Trees(t.Context(), a, b, opts)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	last := ""
	for c, err := range seq {
		if err != nil {
			t.Errorf("%q %v: %v", c.Path, c.Ref, err)
			continue
		}
		if c.Path != last && comparePaths(last, c.Path) > 0 {
			t.Errorf("%q comes after %q", c.Path, last)
		}
		last = c.Path
		out = append(out, lineOf(c))
	}
	slices.Sort(out)
	return out
}

func lineOf(c compare.Change) string {
	line := fmt.Sprintf("%v %q", c.Kind, c.Path)
	switch c.Kind {
	case compare.Created, compare.Deleted:
		line = strings.Join(append([]string{line}, c.Fields...), " ")
		if size := max(c.OldSize, c.NewSize); size >= 0 {
			line += fmt.Sprint(" ", size)
		}
	case compare.Renamed:
		line += fmt.Sprintf(" %q", c.OldPath)
	case compare.Content:
		line += fmt.Sprintf(" %d %d %v", c.OldSize, c.NewSize, c.By)
		if c.InPlace {
			line += " in place"
		}
	default:
		line += " " + strings.Join(c.Fields, ",")
	}
	return line
}

// sameLines reports what is missed and what is invented.
func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("%s: missed %s", what, l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("%s: invented %s", what, l)
		}
	}
	if len(got) != len(want) && !t.Failed() {
		t.Errorf("%s: %d changes, want %d", what, len(got), len(want))
	}
}

func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

func ref(t *testing.T, tree *ntfs.Tree, path string) ntfs.Ref {
	n, err := tree.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	return n.Ref
}
