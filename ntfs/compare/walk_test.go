package compare_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// walked is what a walk saw of a file.
type walked struct {
	node    *ntfs.Node
	paths   map[string]string // by parent and name
	streams map[string]string
}

// walk visits all directories of a point by their indexes, and reads everything.
func walk(t *testing.T, tr *ntfs.Tree) map[ntfs.Ref]*walked {
	root, err := tr.Root()
	if err != nil {
		t.Fatal(err)
	}
	out := map[ntfs.Ref]*walked{root.Ref: {node: root, paths: map[string]string{"": ""}}}
	var visit func(dir *ntfs.Node, path string)
	visit = func(dir *ntfs.Node, path string) {
		entries, err := dir.Children()
		if err != nil {
			t.Error(err)
		}
		for _, e := range entries {
			n, err := e.Node()
			if err != nil {
				t.Error(err)
				continue
			}
			store := path == "System Volume Information/" && strings.HasSuffix(strings.ToLower(e.Name), "{3808876b-c176-4e48-b7ae-04046e6cc752}")
			if n.Metafile() || store || n.Ref == root.Ref {
				continue
			}
			w := out[n.Ref]
			if w == nil {
				w = &walked{node: n, paths: map[string]string{}, streams: contents(t, n)}
				out[n.Ref] = w
			}
			w.paths[fmt.Sprint(dir.Ref, "/", e.Name)] = path + e.Name
			if n.Kind == ntfs.KindDir {
				visit(n, path+e.Name+"/")
			}
		}
	}
	visit(root, "")
	return out
}

func contents(t *testing.T, n *ntfs.Node) map[string]string {
	out := map[string]string{}
	streams, err := n.Streams()
	if err != nil {
		t.Error(err)
	}
	for _, s := range streams {
		m, err := n.Stream(s.Name)
		if err != nil {
			out[s.Name] = err.Error()
			continue
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(m, 0, m.Size())); err != nil {
			t.Error(err)
		}
		out[s.Name] = fmt.Sprintf("%d %x", m.Size(), h.Sum(nil))
	}
	return out
}

// walkedChanges says what differs between two walks: kinds and paths.
func walkedChanges(a, b map[ntfs.Ref]*walked) (out []string) {
	add := func(kind compare.Kind, path string) { out = append(out, fmt.Sprintf("%v %q", kind, path)) }
	first := func(w *walked) string {
		var all []string
		for _, p := range w.paths {
			all = append(all, p)
		}
		return slices.MinFunc(all, comparePaths)
	}
	for ref, x := range a {
		y := b[ref]
		if y == nil {
			for _, p := range x.paths {
				add(compare.Deleted, p)
			}
			continue
		}
		for k := range y.paths {
			if _, ok := x.paths[k]; !ok {
				add(compare.Renamed, y.paths[k])
			}
		}
		if x.streams[""] != y.streams[""] {
			add(compare.Content, first(y))
		}
		all := map[string]bool{}
		for k := range x.streams {
			all[k] = all[k] || k != "" && x.streams[k] != y.streams[k]
		}
		for k := range y.streams {
			all[k] = all[k] || k != "" && x.streams[k] != y.streams[k]
		}
		for _, differs := range all {
			if differs {
				add(compare.Streams, first(y))
				break
			}
		}
		if x.node.Times != y.node.Times || x.node.Attr != y.node.Attr || !slices.Equal(security(x.node), security(y.node)) {
			add(compare.Metadata, first(y))
		}
	}
	for ref, y := range b {
		if a[ref] == nil {
			for _, p := range y.paths {
				add(compare.Created, p)
			}
		}
	}
	slices.Sort(out)
	return out
}

func security(n *ntfs.Node) []byte {
	b, err := n.Security()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []byte(err.Error())
	}
	return b
}

// TestRealPoints holds the changes between all points of real volumes against walks of both.
func TestRealPoints(t *testing.T) {
	for _, get := range []func(t *testing.T) string{
		func(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") },
		func(t *testing.T) string { return testenv.Shared(t, "data", "vsstest.qcow2") },
		volstor,
	} {
		t.Run("", func(t *testing.T) {
			s, err := points.Open(t.Context(), []string{get(t)}, points.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for _, v := range s.Volumes {
				if v.Filesystem == "ntfs" {
					comparePoints(t, v)
				}
			}
		})
	}
}

// volstor unpacks a disk whose second volume has its diff area on the first.
func volstor(t *testing.T) string {
	archive, dir := testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), t.TempDir()
	testenv.Run(t, testenv.Peer(t, "tar"), "-xSzf", archive, "-C", dir)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return filepath.Join(dir, entries[0].Name())
}

func comparePoints(t *testing.T, v *points.Volume) {
	var trees []*ntfs.Tree
	var walks []map[ntfs.Ref]*walked
	for _, p := range v.Points {
		tr, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		trees, walks = append(trees, tr), append(walks, walk(t, tr))
	}
	for i := range trees {
		for k := range trees {
			var got []string
			for _, l := range told(t, trees[i], trees[k], compare.Options{}) {
				kind, rest, _ := strings.Cut(l, ` "`)
				path, _, _ := strings.Cut(rest, `"`)
				got = append(got, kind+` "`+path+`"`)
			}
			want := walkedChanges(walks[i], walks[k])
			sameLines(t, fmt.Sprintf("%s: %s to %s", v.Name, v.Points[i].Name, v.Points[k].Name), got, want)
			if i != k && len(want) == 0 {
				t.Logf("%s: %s to %s: nothing", v.Name, v.Points[i].Name, v.Points[k].Name)
			}
		}
	}
	t.Logf("%s: %d points, %d files", v.Name, len(trees), len(walks[0]))
}
