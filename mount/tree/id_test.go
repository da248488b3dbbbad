package tree_test

import (
	"errors"
	"strings"
	"testing"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

func number(t *testing.T, f *tree.FS, path string) uint64 {
	t.Helper()
	n, err := f.Walk(path, false)
	if err != nil {
		t.Fatal(err)
	}
	return n.ID
}

// TestNumbersOfViews expects numbers not to depend on which points are shown. Those of a point that is not are stale.
func TestNumbersOfViews(t *testing.T) {
	s := openSet(t, demo)
	all, some := newTree(t, s, tree.View{}), newTree(t, s, tree.View{Points: "vss2"})
	for _, path := range []string{
		"/", "/README.txt", "/p2-Archive/current", "/p1-Documents/vss2", "/raw/p2-Archive/vss2.img", "/p1-Documents/deleted",
		"/p1-Documents/current/Letters/offer.txt", "/p1-Documents/vss2/Letters/offer.txt", "/p2-Archive/vss2/2025", "/p2-Archive/vss2/2025/.snapshots",
		"/p1-Documents/current/Letters/.snapshots/2026-03-03T180000Z", "/p1-Documents/versions/Letters", "/p1-Documents/vss2/Letters/offer.txt:author",
	} {
		if a, b := number(t, all, path), number(t, some, path); a != b {
			t.Errorf("%s: 0x%x, with one point shown 0x%x", path, a, b)
		}
	}
	for _, path := range []string{"/p1-Documents/vss1", "/p1-Documents/vss1/Letters/offer.txt", "/p1-Documents/vss1/Letters/offer.txt:author",
		"/p1-Documents/vss1/Letters/.snapshots", "/p1-Documents/current/Letters/.snapshots/2026-03-02T180000Z"} {
		if n, err := some.Node(number(t, all, path)); !errors.Is(err, tree.ErrStale) {
			t.Errorf("%s is not shown: %v, %v", path, n, err)
		}
	}
}

// TestStale asks for numbers of nothing.
func TestStale(t *testing.T) {
	f := newTree(t, openSet(t, demo), tree.View{})
	letter, dir := number(t, f, "/p1-Documents/vss1/Letters/offer.txt"), number(t, f, "/p1-Documents/vss1/Letters/.snapshots")
	link := number(t, f, "/p1-Documents/vss1/Letters/.snapshots/current")
	stream := number(t, f, "/p1-Documents/vss1/Letters/offer.txt:author")
	const kind, other, hash = 1 << 60, 1 << 30, 1 << 32
	for what, id := range map[string]uint64{
		"zero": 0, "no item": 2, "above 1<<63": 1<<63 | letter, "no kind": 6*kind | letter, "no kind either": 7 * kind, "not met": 5*kind | letter,
		"no point": letter | 0xfff<<40, "no record": letter | 1<<39, "a free record": letter&^(1<<40-1) | 20, "the root as a record": letter&^(1<<40-1) | 5,
		".snapshots of a file": dir&^(1<<40-1) | letter&(1<<40-1), "a link to itself": link&^(1<<40-1<<30) | other, "a link to no point": link | 99*other,
		"no stream": stream ^ hash,
	} {
		if n, err := f.Node(id); !errors.Is(err, tree.ErrStale) {
			t.Errorf("%s: 0x%x is %v, %v", what, id, n, err)
		}
	}
}

// TestVirtualNumbers expects a number below versions/ to be stale in a program that did not meet it, and to be the same
// one when it did.
func TestVirtualNumbers(t *testing.T) {
	s := openSet(t, demo)
	const path = "/p1-Documents/versions/Projects/latest offer.txt"
	first, second := newTree(t, s, tree.View{}), newTree(t, s, tree.View{})
	id := number(t, first, path)
	if n, err := second.Node(id); !errors.Is(err, tree.ErrStale) || !strings.Contains(err.Error(), "node 0x") {
		t.Errorf("not met: %v, %v", n, err)
	}
	number(t, second, "/p2-Archive/versions/2025")
	if again := number(t, second, path); again != id {
		t.Errorf("0x%x, met later 0x%x", id, again)
	}
	if n, err := second.Node(id); err != nil || n.String() != path {
		t.Errorf("met: %v, %v", n, err)
	}
}

// TestPaths expects the path of a node to lead to it.
func TestPaths(t *testing.T) {
	f := newTree(t, openSet(t, demo), tree.View{})
	seen := 0
	var look func(n tree.Node)
	look = func(n tree.Node) {
		seen++
		path, err := n.Path()
		if err != nil {
			t.Error(err)
			return
		}
		if again, err := f.Walk(path, false); err != nil || again.ID != n.ID {
			t.Errorf("%s leads to 0x%x, want 0x%x, %v", path, again.ID, n.ID, err)
		}
		if n.Kind != tree.KindDir {
			return
		}
		for e := range n.Entries() {
			if c, err := e.Node(); err != nil || c.ID != e.ID || c.Kind != e.Kind {
				t.Errorf("%s/%s: %v, %v", path, e.Name, c, err)
			} else {
				look(c)
			}
		}
		if c, err := n.Child(".snapshots"); err == nil && !strings.Contains(path, ".snapshots") {
			look(c)
		}
	}
	look(f.Root())
	if seen < 200 {
		t.Errorf("%d nodes", seen)
	}
}

// FuzzNode asks any number for all that a node can be asked.
func FuzzNode(f *testing.F) {
	s, err := points.Open(f.Context(), []string{demo}, points.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	files := newTree(f, s, tree.View{})
	for _, path := range []string{"/", "/README.txt", "/raw/p2-Archive/current.img", "/p1-Documents/vss1/Letters/offer.txt", "/p1-Documents/vss1/Letters/offer.txt:author",
		"/p1-Documents/vss1/Letters", "/p1-Documents/vss1/My Letters", "/p1-Documents/vss1/Letters/.snapshots", "/p1-Documents/vss1/Letters/.snapshots/current",
		"/p1-Documents/versions/Letters", "/p1-Documents/vss1/$MFT"} {
		n, err := files.Walk(path, false)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(n.ID)
	}
	f.Fuzz(func(t *testing.T, id uint64) {
		if n, err := files.Node(id); err == nil {
			askAll(t, files, n, id)
		}
	})
}

func askAll(t *testing.T, f *tree.FS, n tree.Node, id uint64) {
	if n.ID != id || n.String() == "" {
		t.Errorf("0x%x is 0x%x, %v", id, n.ID, n)
	}
	for e, err := range n.Entries() {
		if err == nil {
			_, _ = e.Node() // damage of an entry is its own
		}
	}
	if src, err := n.Open(); err == nil {
		_, _ = src.ReadAt(make([]byte, 512), 0)
	}
	_, isLink := n.Link()
	_, isFile := n.Open()
	_, isDir := f.List(n.ID)
	if n.Kind != tree.KindLink && isLink == nil || n.Kind == tree.KindDir && isFile == nil || n.Kind != tree.KindDir && isDir == nil {
		t.Errorf("%v: a link %v, a file %v, a directory %v", n, isLink, isFile, isDir)
	}
	if _, err := n.Child("none"); err == nil {
		t.Errorf("%v has an entry that is in no directory", n)
	}
	_, _ = n.Attr()
	_, _ = n.Xattrs()
	_, _ = n.Space()
	_, _ = n.Path()
	_, _ = n.Verdict()
}

// TestOrder expects the entries of a directory in the same order each time, so that an index leads on.
func TestOrder(t *testing.T) {
	s := openSet(t, demo)
	first, second := newTree(t, s, tree.View{}), newTree(t, s, tree.View{})
	for _, path := range []string{"/", "/p1-Documents", "/p1-Documents/vss1/Projects", "/p1-Documents/versions/Letters", "/p1-Documents/current/.snapshots"} {
		a, err := first.List(number(t, first, path))
		b, err2 := second.List(number(t, second, path))
		if err != nil || err2 != nil || a.Len() != b.Len() || a.Len() < 2 {
			t.Errorf("%s: %v, %v", path, err, err2)
			continue
		}
		for i := range a.Len() {
			x, y := a.Entry(i), b.Entry(i)
			if x.Name != y.Name || x.ID != y.ID || x.Index != i {
				t.Errorf("%s: entry %d is %+v, again %+v", path, i, x, y)
			}
		}
	}
}

func TestSpace(t *testing.T) {
	s := openSet(t, demo)
	f := newTree(t, s, tree.View{})
	for path, want := range map[string]int64{"/": s.Volumes[0].Partition.Len + s.Volumes[1].Partition.Len, "/p2-Archive": s.Volumes[1].Current().Size(),
		"/p2-Archive/versions/2025": s.Volumes[1].Current().Size(), "/p1-Documents/vss1/Letters": s.Volumes[0].Points[1].Size()} {
		n, err := f.Walk(path, true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Space()
		if got.Total != want || err != nil || path != "/" && (got.Free <= 0 || got.Free >= got.Total || got.Files < 16) {
			t.Errorf("%s: %+v, want 0x%x bytes, %v", path, got, want, err)
		}
	}
}
