//go:build linux

package timeline_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/pattern"
	"snapmount/ntfs/timeline"
)

// told is what intervals say of each point, by path.
func told(t testing.TB, points []*ntfs.Tree) []map[string]seen {
	t.Helper()
	out := make([]map[string]seen, len(points))
	for i := range out {
		out[i] = map[string]seen{}
	}
	d := timeline.ReadDirs(t.Context(), points, nil)
	last := map[uint64]int{}
	for v, err := range timeline.Versions(t.Context(), points, timeline.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := last[v.Node.Ref.Record]; ok && v.First <= before {
			t.Errorf("%v: versions overlap at %d", v.Node.Ref, v.First)
		}
		last[v.Node.Ref.Record] = v.Last
		if v.Node.Deleted || v.Node.Ref.Record == 5 {
			continue
		}
		for _, n := range v.Names {
			if n.Namespace == ntfs.NamespaceDOS {
				continue
			}
			at := v.First
			for _, s := range d.Paths(n, v.First, v.Last) {
				if s.First != at || s.Orphan {
					t.Errorf("%v: path %+v, want one from %d on", v.Node.Ref, s, at)
				}
				for ; at <= s.Last; at++ {
					out[at][s.Path] = seen{v.Node.Ref.Record, v.Node.Size, v.Node.Times.Modified}
				}
			}
			if at != v.Last+1 {
				t.Errorf("%v: paths end at %d, want %d", v.Node.Ref, at-1, v.Last)
			}
		}
	}
	return out
}

// compareSeen checks what was told against the truth; system files are left out.
func compareSeen(t *testing.T, got, want []map[string]seen) (n int) {
	t.Helper()
	for p := range want {
		for path, s := range got[p] {
			if w, ok := want[p][path]; !ok && !strings.HasPrefix(path, "/$") {
				t.Errorf("point %d: %s: invented (%+v)", p, path, s)
			} else if ok && w != s {
				t.Errorf("point %d: %s: %+v, want %+v", p, path, s, w)
			}
		}
		for path, w := range want[p] {
			if n++; got[p][path] == (seen{}) {
				t.Errorf("point %d: %s: missing (%+v)", p, path, w)
			}
		}
	}
	return n
}

func TestStory(t *testing.T) {
	points, truth := story(t)
	n := compareSeen(t, told(t, points), truth)
	t.Logf("%d paths at %d points", n, len(points))
	streams := map[string][]string{}
	for v, err := range timeline.Versions(t.Context(), points, timeline.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Names) > 0 && v.Names[0].Name == "many.txt" {
			i := slices.IndexFunc(v.Streams, func(s ntfs.StreamInfo) bool { return s.Name == "stream007" })
			streams["many.txt"] = append(streams["many.txt"], fmt.Sprintf("%d-%d: %d, %d", v.First, v.Last, len(v.Streams), v.Streams[i].Size))
		}
		if len(v.Names) > 0 && v.Names[0].Name == "still.txt" {
			streams["still.txt"] = append(streams["still.txt"], fmt.Sprintf("%d-%d", v.First, v.Last))
		}
	}
	want := map[string][]string{"many.txt": {"0-2: 121, 4", "3-3: 121, 13", "4-4: 121, 4"}, "still.txt": {"0-2", "3-4"}}
	if !maps.EqualFunc(streams, want, slices.Equal) {
		t.Errorf("%q, want %q", streams, want)
	}
}

// TestFind looks for what the story did.
func TestFind(t *testing.T) {
	points, _ := story(t)
	d := timeline.ReadDirs(t.Context(), points, nil)
	fold := points[0].Upper
	glob := func(s string) *pattern.Pattern {
		p, err := pattern.Glob(s, fold)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	content := func(s string) *timeline.Content {
		c, err := timeline.NewContent(s, false, true, true)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for what, c := range map[string]struct {
		q    timeline.Query
		want []string
	}{
		"renamed directory": {timeline.Query{Name: glob("TWO.*")}, []string{"/A renamed/b/two.txt 1-1", "/a/b/two.txt 0-0", "/c/two.txt 2-4"}},
		"come back":         {timeline.Query{Name: glob("back.txt")}, []string{"/back.txt 0-0", "/back.txt 2-4"}},
		"path":              {timeline.Query{Name: glob("/A*/**/t*.txt")}, []string{"/A renamed/b/deep/three.txt 1-1", "/A renamed/b/two.txt 1-1", "/a/b/deep/three.txt 0-0", "/a/b/two.txt 0-0"}},
		"two files":         {timeline.Query{Name: glob("z.txt")}, []string{"/x/y/z.txt 0-2", "/x/y/z.txt 4-4"}},
		"stream":            {timeline.Query{Name: glob("NOTE"), Streams: true}, []string{"/A renamed/one.txt:note 1-4", "/a/one.txt:note 0-0", "/x/link.txt:note 0-2"}},
		"hard link":         {timeline.Query{Name: glob("link.txt")}, []string{"/x/link.txt 0-2"}},
		"deleted":           {timeline.Query{Name: glob("gone*"), Deleted: true}, []string{"/gone.txt 0-0"}},
		"not deleted":       {timeline.Query{Name: glob("still*"), Deleted: true}, nil},
		"versions":          {timeline.Query{Name: glob("still*"), Versions: true}, []string{"/still.txt 0-2", "/still.txt 3-4"}},
		"below":             {timeline.Query{Name: glob("*"), Below: "A RENAMED/b"}, []string{"/A renamed/b 1-1", "/A renamed/b/deep 1-1", "/A renamed/b/deep/three.txt 1-1", "/A renamed/b/two.txt 1-1"}},
		"directories":       {timeline.Query{Name: glob("d*p"), Kinds: []ntfs.Kind{ntfs.KindDir}}, []string{"/A renamed/b/deep 1-1", "/a/b/deep 0-0", "/c/deep 2-4"}},
		"size":              {timeline.Query{Name: glob("*"), Size: &timeline.Range[int64]{Min: 100_000, Max: 1 << 40}}, []string{"/A renamed/b/deep/three.txt 1-1", "/a/b/deep/three.txt 0-0", "/c/deep/three.txt 2-3", "/three.txt 4-4"}},
		"content":           {timeline.Query{Name: glob("*"), Content: content("PASSWORD is (\\w+)$")}, []string{"/secret.txt 0-1 [{54 11 the password is swordfish false}]"}},
		"content in place":  {timeline.Query{Name: glob("still*"), Content: content("same")}, []string{"/still.txt 0-2 [{11 1 always the same false}]", "/still.txt 3-4 [{11 1 ALWAYS THE SAME false}]"}},
	} {
		var got []string
		for h, err := range timeline.Find(t.Context(), points, d, c.q, nil) {
			if err != nil {
				t.Fatal(err)
			}
			line := fmt.Sprintf("%s %d-%d", h.Path, h.First, h.Last)
			if len(h.Matches) > 0 {
				line += fmt.Sprint(" ", h.Matches)
			}
			got = append(got, line)
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// walk tells what the directories of a point hold.
func walk(t *testing.T, n *ntfs.Node, dir string, out map[string]seen) {
	entries, err := n.Children()
	if err != nil {
		t.Errorf("%s: %v", dir, err)
	}
	for _, e := range entries {
		if e.Ref.Record == 5 || e.Metafile() {
			continue
		}
		c, err := e.Node()
		if err != nil {
			t.Errorf("%s/%s: %v", dir, e.Name, err)
			continue
		}
		path := dir + "/" + e.Name
		out[path] = seen{c.Ref.Record, c.Size, c.Times.Modified}
		if c.Dir() && c.Kind == ntfs.KindDir {
			walk(t, c, path, out)
		}
	}
}

// volumes opens a disk and gives the points of each volume, oldest first.
func volumes(t *testing.T, image string) (out [][]*ntfs.Tree) {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	all, err := s.NTFS()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		var points []*ntfs.Tree
		for _, p := range append(slices.Clone(v.Snapshots()), v.Current()) {
			nt, err := p.Files()
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, nt)
		}
		out = append(out, points)
	}
	return out
}

func images(t *testing.T) map[string]func(t *testing.T) string {
	return map[string]func(t *testing.T) string{
		"demo":    func(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") },
		"vsstest": func(t *testing.T) string { return testenv.Shared(t, "data", "vsstest.qcow2") },
		"vss_3_volstor": func(t *testing.T) string {
			dir := t.TempDir()
			testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), "-C", dir)
			files, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%q, %v", files, err)
			}
			return files[0]
		},
	}
}

// TestImages compares with a walk of the directories of each point.
func TestImages(t *testing.T) {
	for name, path := range images(t) {
		t.Run(name, func(t *testing.T) {
			for i, points := range volumes(t, path(t)) {
				want := make([]map[string]seen, len(points))
				for p, nt := range points {
					root, err := nt.Root()
					if err != nil {
						t.Fatal(err)
					}
					want[p] = map[string]seen{}
					walk(t, root, "", want[p])
				}
				n := compareSeen(t, told(t, points), want)
				t.Logf("volume %d: %d paths at %d points", i, n, len(points))
			}
		})
	}
}

func TestStops(t *testing.T) {
	points := volumes(t, images(t)["demo"](t))[0]
	for stop := range 40 {
		n := 0
		for range timeline.Versions(t.Context(), points, timeline.Options{}) {
			if n++; n > stop {
				break
			}
		}
		if n != stop+1 {
			t.Errorf("%d versions, want %d", n, stop+1)
		}
	}
	for range timeline.Versions(t.Context(), nil, timeline.Options{}) {
		t.Error("a version of nothing")
	}
}

// TestUnopened has a point that could not be opened: nothing lasts over it.
func TestUnopened(t *testing.T) {
	points := volumes(t, images(t)["demo"](t))[0]
	all := told(t, points)
	points[1] = nil
	var gap *timeline.Gap
	for v, err := range timeline.Versions(t.Context(), points, timeline.Options{}) {
		if errors.As(err, &gap) || v.First <= 1 && v.Last >= 1 {
			t.Errorf("%+v, %v", v, err)
		}
	}
	all[1] = map[string]seen{}
	compareSeen(t, told(t, points), all)
	points[len(points)-1] = nil
	for h, err := range timeline.Find(t.Context(), points, timeline.ReadDirs(t.Context(), points, nil), timeline.Query{Deleted: true}, nil) {
		if err == nil {
			t.Errorf("%s is deleted, though the newest point cannot be opened", h.Path)
		}
	}
}
