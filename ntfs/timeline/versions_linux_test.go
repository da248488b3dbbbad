package timeline_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

// numbers has the version of a file that a command tells at each point, 0 where it tells of none.
type numbers map[ntfs.Ref][]int

func (n numbers) note(ref ntfs.Ref, first, last, version, points int) {
	if n[ref] == nil {
		n[ref] = make([]int, points)
	}
	for p := first; p <= last; p++ {
		n[ref][p] = version
	}
}

// byFind and byRows give what find and timeline count, of files that are there.
func byFind(t *testing.T, trees []*ntfs.Tree) numbers {
	out, total := numbers{}, map[string]map[int]bool{}
	d := timeline.ReadDirs(t.Context(), trees, nil)
	key := func(h timeline.Hit) string { return fmt.Sprint(h.Ref, h.Path) }
	for h, err := range timeline.Find(t.Context(), trees, d, timeline.Query{Versions: true}, nil) {
		if err == nil && !h.Deleted {
			out.note(h.Ref, h.First, h.Last, h.Version, len(trees))
			if total[key(h)] == nil {
				total[key(h)] = map[int]bool{}
			}
			total[key(h)][h.Version] = h.Version > 0
		}
	}
	for h, err := range timeline.Find(t.Context(), trees, d, timeline.Query{}, nil) {
		if whole := h.First == 0 && h.Last == len(trees)-1; err == nil && whole && h.Versions != len(total[key(h)]) {
			t.Errorf("%s: find counts %d versions, and gives %v", h.Path, h.Versions, total[key(h)])
		}
	}
	return out
}

func byRows(t *testing.T, trees []*ntfs.Tree, points bool) numbers {
	out := numbers{}
	v := timeline.Volume{Points: make([]timeline.Point, len(trees))}
	for i := range trees {
		v.Points[i] = timeline.Point{Name: fmt.Sprint(i), Tree: trees[i]}
	}
	for r, err := range v.Rows(t.Context(), timeline.RowOptions{Points: points}) {
		if err == nil && !r.Node.Deleted {
			out.note(r.Node.Ref, r.First, r.Last, r.Version, len(trees))
		}
	}
	return out
}

// byHistory follows files by their references.
func byHistory(t *testing.T, trees []*ntfs.Tree, refs numbers) numbers {
	out := numbers{}
	for ref := range refs {
		var moments []compare.Moment
		for _, tree := range trees {
			moments = append(moments, compare.Moment{Tree: func() (*ntfs.Tree, error) {
				if tree == nil {
					return nil, layer.ErrCorrupt
				}
				return tree, nil
			}, Find: func() (*ntfs.Node, string, error) {
				if tree == nil {
					return nil, "", layer.ErrCorrupt
				}
				n, err := tree.Node(ref)
				return n, "", err
			}})
		}
		versions, err := compare.History(t.Context(), moments, compare.HistoryOptions{})
		if err != nil {
			t.Errorf("%v: %v", ref, err)
			continue
		}
		for v, err := range versions {
			if err != nil {
				t.Fatal(err)
			}
			if v.Ref == ref && v.Node != nil {
				out.note(ref, v.First, v.Last, v.Number, len(trees))
			}
		}
	}
	return out
}

// agree fails where the commands count otherwise, and returns what they count.
func agree(t *testing.T, what string, trees []*ntfs.Tree) numbers {
	t.Helper()
	found := byFind(t, trees)
	told := byHistory(t, trees, found)
	for other, got := range map[string]numbers{"history": told, "timeline": byRows(t, trees, false), "timeline --points": byRows(t, trees, true)} {
		for ref, want := range found {
			if g := got[ref]; fmt.Sprint(g) != fmt.Sprint(want) && !(g == nil && strings.Trim(fmt.Sprint(want), "[0 ]") == "") {
				t.Errorf("%s: %v: find has versions %v, %s %v", what, ref, want, other, g)
			}
		}
		for ref := range got {
			if found[ref] == nil {
				t.Errorf("%s: %v: %s has versions %v, find none", what, ref, other, got[ref])
			}
		}
	}
	return found
}

// TestVersionsOfImages has files of Windows' volumes, whole and with holes in the middle.
func TestVersionsOfImages(t *testing.T) {
	for name, path := range images(t) {
		t.Run(name, func(t *testing.T) {
			for i, trees := range volumes(t, path(t)) {
				n := agree(t, fmt.Sprint("volume ", i), trees)
				if len(n) == 0 {
					t.Errorf("volume %d: nothing found", i)
				}
				if len(trees) > 2 {
					trees[1] = nil
					agree(t, fmt.Sprintf("volume %d without a point", i), trees)
				}
			}
		})
	}
}

// raw is an edit of an image that no file system notices: it has the node of a file, and writes to the image.
type raw func(image *os.File, n *ntfs.Node) error

// inContent overwrites the first cluster of content.
func inContent(image *os.File, n *ntfs.Node) error {
	for r := range n.Places() {
		_, err := image.WriteAt([]byte("EDITED IN PLACE"), r.Off)
		return err
	}
	return errors.New("no clusters")
}

// inRecord overwrites bytes at an offset of $STANDARD_INFORMATION.
func inRecord(at int64, b ...byte) raw {
	return func(image *os.File, n *ntfs.Node) error {
		rec := make([]byte, 1024)
		for e, err := range layer.Extents(n.Tree().MFT(), int64(n.Ref.Record)*1024, 1024) {
			if err != nil {
				return err
			}
			if _, err := image.ReadAt(rec, e.BaseOff); err != nil {
				return err
			}
			first := int64(binary.LittleEndian.Uint16(rec[20:]))
			_, err = image.WriteAt(b, e.BaseOff+first+24+at)
			return err
		}
		return errors.New("no record")
	}
}

// TestVersionsCounted has an edit of each kind, and what versions it makes.
func TestVersionsCounted(t *testing.T) {
	big := strings.Repeat("content in clusters. ", 2000)
	at := func(dir, name string) string { return filepath.Join(dir, name) }
	day := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ticks := binary.LittleEndian.AppendUint64(nil, uint64(wintype.FiletimeOf(day)))
	keep := func(dir, name string, edit func(path string) error) error { // and its times
		info, err := os.Stat(at(dir, name))
		return errors.Join(err, edit(at(dir, name)), os.Chtimes(at(dir, name), info.ModTime(), info.ModTime()))
	}
	edits := []func(dir string) error{func(dir string) error {
		var errs []error
		for _, name := range []string{"still", "in place", "size", "times", "access", "changed", "log", "stream", "rename", "link", "recreate", "list", "hidden", "zero", "dir/inside"} {
			errs = append(errs, write(dir, name, big+name))
		}
		for i := range manyStreams {
			errs = append(errs, unix.Setxattr(at(dir, "list"), fmt.Sprintf("user.stream%03d", i), []byte("text"), 0))
		}
		return errors.Join(errs...)
	}, func(string) error { return nil }, func(dir string) error {
		return errors.Join(
			keep(dir, "size", func(p string) error { return os.WriteFile(p, []byte(big+"size and more"), 0o644) }),
			os.Chtimes(at(dir, "times"), day, day),
			unix.Setxattr(at(dir, "stream"), "user.note", []byte("a note"), 0),
			os.Rename(at(dir, "rename"), at(dir, "renamed")), os.Link(at(dir, "link"), at(dir, "linked")),
			os.Remove(at(dir, "recreate")), write(dir, "in between", "x"), write(dir, "recreate", big+"recreate"),
			unix.Setxattr(at(dir, "list"), "user.stream007", []byte("TEXT"), 0),
			unix.Setxattr(at(dir, "hidden"), "system.ntfs_attrib", []byte{0x22, 0, 0, 0}, 0),
			os.Rename(at(dir, "dir"), at(dir, "directory")))
	}, func(string) error { return nil }}
	trees, _ := scriptRaw(t, "streams_interface=xattr", map[int]map[string]raw{2: {
		"in place": inContent,
		"zero":     inRecord(0, make([]byte, 32)...),
		"access":   inRecord(24, ticks...),
		"changed":  inRecord(16, ticks...),
		"log":      inRecord(8-56-24, 1, 2, 3, 4), // its place in $LogFile
	}}, edits...)
	check := func(what string, trees []*ntfs.Tree, want map[string]string) {
		t.Helper()
		got, names := agree(t, what, trees), map[string]string{}
		for h, err := range timeline.Find(t.Context(), trees, timeline.ReadDirs(t.Context(), trees, nil), timeline.Query{}, nil) {
			if name := strings.TrimPrefix(h.Path, "/"); err == nil && want[name] != "" {
				names[name] = fmt.Sprint(got[h.Ref])
			}
		}
		if !maps.Equal(names, want) {
			t.Errorf("%s: versions %v, want %v", what, names, want)
		}
	}
	check("whole", trees, map[string]string{
		"still": "[1 1 1 1]", "in place": "[1 1 2 2]", "size": "[1 1 2 2]", "times": "[1 1 2 2]", "access": "[1 1 1 1]", "changed": "[1 1 2 2]",
		"log": "[1 1 1 1]", "stream": "[1 1 2 2]", "renamed": "[1 1 2 2]", "linked": "[1 1 2 2]", "recreate": "[0 0 1 1]", "zero": "[1 1 2 2]", "list": "[1 1 2 2]",
		"hidden": "[1 1 2 2]", "directory": "[1 1 2 2]", "directory/inside": "[1 1 1 1]",
	})
	accessed := map[wintype.Filetime]bool{}
	v := timeline.Volume{}
	for i, tree := range trees {
		v.Points = append(v.Points, timeline.Point{Name: fmt.Sprint(i), Tree: tree})
	}
	for r, err := range v.Rows(t.Context(), timeline.RowOptions{}) {
		if err == nil && r.Path == "/access" {
			accessed[r.Node.Times.Accessed] = true
		}
	}
	if len(accessed) != 2 {
		t.Errorf("a timeline has the last accesses %v, want two", accessed)
	}

	// The middle is not known: content, record, all of the point.
	lose := func(of func(n *ntfs.Node) ntfs.Range, names ...string) []*ntfs.Tree {
		out := append([]*ntfs.Tree{}, trees...)
		hurt := layer.Source(trees[1].Volume())
		for _, name := range names {
			n, err := trees[1].Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			r := of(n)
			hurt = unkept{hurt, r.Off, r.Len}
		}
		tree, err := ntfs.Open(hurt, ntfs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		out[1] = tree
		return out
	}
	check("content lost", lose(func(n *ntfs.Node) (r ntfs.Range) {
		for r = range n.Places() {
		}
		return r
	}, "still", "in place"), map[string]string{"still": "[1 2 3 3]", "in place": "[1 2 3 3]", "log": "[1 1 1 1]"})
	check("record lost", lose(func(n *ntfs.Node) (r ntfs.Range) {
		for e := range layer.Extents(n.Tree().MFT(), int64(n.Ref.Record)*1024, 1024) {
			r = ntfs.Range{Off: e.BaseOff, Len: e.Len}
		}
		return r
	}, "still", "in place", "access"), map[string]string{"still": "[1 0 1 1]", "in place": "[1 0 2 2]", "access": "[1 0 1 1]", "log": "[1 1 1 1]"})
	without := append([]*ntfs.Tree{}, trees...)
	without[1] = nil
	check("point lost", without, map[string]string{"still": "[1 0 1 1]", "in place": "[1 0 2 2]", "access": "[1 0 1 1]", "linked": "[1 0 2 2]"})
}

// unkept is a volume of which a range is not known.
type unkept struct {
	base   layer.Source
	off, n int64
}

func (u unkept) Size() int64                             { return u.base.Size() }
func (u unkept) ReadAt(b []byte, off int64) (int, error) { return layer.Read(u, b, off, layer.Live) }

func (u unkept) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Base: u.base, BaseOff: off}
	switch {
	case off < u.off:
		e.Len = min(n, u.off-off)
	case off < u.off+u.n:
		e.Len, e.Kind, e.Why = min(n, u.off+u.n-off), layer.Unknown, layer.Incomplete
	}
	return e, nil
}
