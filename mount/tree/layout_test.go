package tree_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

const demo = "../../testdata/demo.qcow2"

func openSet(t testing.TB, image string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newTree(t testing.TB, s *points.Set, view tree.View) *tree.FS {
	t.Helper()
	f, err := tree.New(s, tree.Options{View: view})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// above gives the paths of all that lies above the points, with the texts of links.
func above(t *testing.T, dir tree.Node, path string, into map[string]string) {
	t.Helper()
	for e, err := range dir.Entries() {
		if err != nil {
			t.Fatal(err)
		}
		n, err := e.Node()
		if err != nil {
			t.Fatal(err)
		}
		name, text := path+"/"+e.Name, ""
		if n.Kind == tree.KindLink {
			text, err = n.Link()
		}
		if _, twice := into[name]; twice || err != nil {
			t.Errorf("%s is there twice: %v, %v", name, twice, err)
		}
		into[name] = text
		if n.Kind == tree.KindDir && n.Point == nil && !slices.Contains([]string{"versions", "changes", "deleted", "lost"}, e.Name) {
			above(t, n, name, into)
		}
	}
}

func TestLayout(t *testing.T) {
	s := openSet(t, demo)
	got := map[string]string{}
	above(t, newTree(t, s, tree.View{}).Root(), "", got)
	for path, text := range map[string]string{
		"/README.txt": "", "/p1-Documents/current": "", "/p1-Documents/snapshots/2026-03-03T180000Z": "",
		"/p1-Documents/snapshots/latest": "2026-03-04T180000Z", "/p1-Documents/snapshots/oldest": "2026-03-02T180000Z",
		"/p2-Archive/vss2": "snapshots/2026-03-04T180000Z", "/raw/p1-Documents/current.img": "", "/raw/p2-Archive/vss2.img": "",
		"/sets/2026-03-02T180000Z/p1-Documents":                                     "../../p1-Documents/snapshots/2026-03-02T180000Z",
		"/sets/2026-03-04T180000Z/p2-Archive":                                       "../../p2-Archive/snapshots/2026-03-04T180000Z",
		"/p1-Documents/ids/" + s.Volumes[0].Snapshots()[0].Snapshot.CopyID.String(): "../snapshots/2026-03-02T180000Z",
		"/p1-Documents/versions":                                                    "", "/p1-Documents/changes": "", "/p1-Documents/deleted": "", "/p1-Documents/lost": "",
	} {
		if to, ok := got[path]; !ok || to != text {
			t.Errorf("%s -> %q is missing in\n%s", path, text, strings.Join(slices.Sorted(maps.Keys(got)), "\n"))
		}
	}
}

// TestReadme expects the text at the top to name the image, the points, and each directory that several points make.
func TestReadme(t *testing.T) {
	n, err := newTree(t, openSet(t, demo), tree.View{}).Walk("/README.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	text := content(t, n)
	for _, want := range []string{
		"demo.qcow2 (qcow2", "\nVolume p1-Documents: ntfs", "  vss1   2026-03-02T180000Z",
		"\n  VOLUME/versions/PATH/       each distinct version of a file, named by the points that have it\n",
		"\n  VOLUME/changes/A..B/        what was", "\n  VOLUME/deleted/             what some point has",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
