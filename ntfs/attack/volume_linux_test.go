package attack_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/attack"
	"snapmount/ntfs/attack/attacktest"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/timeline"
)

const (
	fsSize    = 48 << 20 // of the file system; the blocks behind it are the catalog's
	imageSize = fsSize + 8*vsstest.BlockSize
)

// build makes a volume, edit by edit, with a snapshot of each state but the last.
func build(t *testing.T, edits ...func(dir string) error) []timeline.Point {
	t.Helper()
	testenv.Peer(t, "mkntfs")
	name := filepath.Join(t.TempDir(), "volume.img")
	if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Truncate(name, imageSize)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", name, fmt.Sprint(fsSize/512))
	var states []io.ReaderAt
	for i, edit := range edits {
		dir, unmount := ntfstest.MountNTFS3G(t, name, "noatime")
		if err := edit(dir); err != nil {
			t.Fatalf("edit %d: %v", i, err)
		}
		unmount()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		m := vsstest.NewMemory(imageSize)
		if _, err := m.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		states = append(states, m)
	}
	live, storage := vsstest.NewMemory(imageSize), vsstest.NewMemory(256<<20)
	last := len(states) - 1
	_, err := vsstest.FromStates(vsstest.Config{Volume: live, Storage: storage, Area: []vsstest.Blocks{{First: 1, Count: 256<<20/vsstest.BlockSize - 1}},
		Catalog: []vsstest.Blocks{{First: fsSize / vsstest.BlockSize, Count: 6}}, NoTruth: true}, states[:last], states[last], nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := diffstore.Open(live, diffstore.Options{Storage: func(wintype.GUID) (layer.Source, error) { return storage, nil }})
	if err != nil {
		t.Fatal(err)
	}
	var out []timeline.Point
	for i, s := range v.Snapshots() {
		view, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, timeline.Point{Name: fmt.Sprint(i + 1), Tree: open(t, view)})
	}
	return append(out, timeline.Point{Name: "current", Tree: open(t, live)})
}

func open(t *testing.T, s layer.Source) *ntfs.Tree {
	t.Helper()
	tree, err := ntfs.Open(s, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func put(dir, name string, b []byte) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644))
}

// fill writes files of all kinds to folders.
func fill(dir string, n int) error {
	var err error
	for i := range n {
		kind := attacktest.Kinds[i%len(attacktest.Kinds)]
		err = errors.Join(err, put(dir, fmt.Sprintf("Users/ann/%c/file%03d.%s", 'A'+i%8, i, kind), attacktest.Make(kind, uint64(i))))
	}
	return err
}

func look(t *testing.T, points []timeline.Point) *attack.Survey {
	t.Helper()
	start := time.Now()
	s, err := attack.Look(t.Context(), points, attack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d same, %d judged, %d files told, %v", s.Same, s.Judged, len(s.Files), time.Since(start).Round(time.Millisecond))
	for _, st := range s.Steps {
		t.Logf("%d..%d attack %v: spoiled %d, gone %d, removed %d, folders %v, extensions %v, times %v", st.From, st.To, st.Attack, st.Spoiled, st.Gone, st.Removed, st.Folders, st.Extensions, st.Records)
		for _, b := range st.Bursts {
			t.Logf("  %v .%s in %q: %d of %d, mass %v: spoiled %d whole %d undecided %d unknown %d unchanged %d", b.Sign, b.Ext, b.Folder, b.Files, b.Of, b.Mass, b.Spoiled, b.Whole, b.Undecided, b.Unknown, b.Unchanged)
		}
		for _, n := range st.Notes {
			t.Logf("  note %q: %d files in %d folders, %d the same, such as %s", n.Name, n.Files, n.Folders, n.Same, n.Path)
		}
	}
	return s
}

// outcomes counts what is to be done about files.
func outcomes(s *attack.Survey) map[attack.Outcome]int {
	out := map[attack.Outcome]int{}
	for _, f := range s.Files {
		out[f.Outcome]++
	}
	return out
}

// TestAttack encrypts all files of a user between two points: with another extension, by new files in the place of old ones,
// in place, and without a trace.
func TestAttack(t *testing.T) {
	testenv.NotUnderRace(t)
	for _, c := range []struct {
		name string
		lock func(path string, b []byte) error
		sign attack.Sign
		ext  string
	}{
		{"renamed", func(path string, b []byte) error {
			return errors.Join(os.WriteFile(path, b, 0o644), os.Rename(path, path+".locked"))
		}, attack.Renamed, "locked"},
		{"replaced", func(path string, b []byte) error {
			return errors.Join(os.WriteFile(path+".id-7.[a@b.c].locked", b, 0o644), os.Remove(path))
		}, attack.Replaced, "locked"},
		{"in place", func(path string, b []byte) error { return os.WriteFile(path, b, 0o644) }, attack.Rewritten, ""},
		{"new file of the name", func(path string, b []byte) error {
			return errors.Join(os.WriteFile(path+".tmp", b, 0o644), os.Rename(path+".tmp", path))
		}, attack.Rewritten, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			points := build(t, func(dir string) error { return fill(dir, 180) },
				func(dir string) error { return put(dir, "Users/ann/A/new.txt", []byte("a new file, before all of it")) },
				func(dir string) error { return encrypt(dir, c.lock) })
			s := look(t, points)
			if len(s.Steps) != 1 || !s.Steps[0].Attack || s.Steps[0].From != 1 {
				t.Fatalf("steps %+v, want one attack after point 1", s.Steps)
			}
			st := s.Steps[0]
			if b := st.Bursts[0]; b.Sign != c.sign || b.Ext != c.ext || b.Files != 181 || b.Folder != "/Users/ann" || !b.Attack {
				t.Errorf("burst %+v", b)
			}
			if len(st.Notes) != 1 || st.Notes[0].Folders != 8 || st.Notes[0].Same != 8 {
				t.Errorf("notes %+v", st.Notes)
			}
			if n := outcomes(s)[attack.Found]; n != 181 || len(s.Files) != n || st.Spoiled != n || st.Records.Files != n {
				t.Errorf("%v, %d files, %d spoiled, times of %d", outcomes(s), len(s.Files), st.Spoiled, st.Records.Files)
			}
		})
	}
}

func encrypt(dir string, lock func(path string, b []byte) error) error {
	var list []string
	err := filepath.WalkDir(filepath.Join(dir, "Users"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	r := attacktest.Random(1)
	for i, path := range list {
		b, err2 := os.ReadFile(path)
		err = errors.Join(err, err2, lock(path, attacktest.Damages[i%len(attacktest.Damages)].Do(b, r)))
	}
	for i := range 8 {
		err = errors.Join(err, put(dir, fmt.Sprintf("Users/ann/%c/HOW TO DECRYPT.txt", 'A'+i), []byte("all your files\n")))
	}
	return err
}

// TestOrdinaryLife has what makes bursts of changes and is no attack.
func TestOrdinaryLife(t *testing.T) {
	testenv.NotUnderRace(t)
	each := func(dir, pattern string, do func(path string, i int) error) error {
		list, err := filepath.Glob(filepath.Join(dir, pattern))
		if len(list) == 0 {
			return fmt.Errorf("%s: nothing there", pattern)
		}
		for i, path := range list {
			err = errors.Join(err, do(path, i))
		}
		return err
	}
	many := func(dir, format, kind string, n, seed int) error {
		var err error
		for i := range n {
			err = errors.Join(err, put(dir, fmt.Sprintf(format, i), attacktest.Make(kind, uint64(seed+i))))
		}
		return err
	}
	rewrite := func(path string, b []byte) error { return os.WriteFile(path, b, 0o644) }
	s := look(t, build(t, func(dir string) error {
		return errors.Join(many(dir, "photos/p%02d.jpeg", "jpg", 60, 100), many(dir, "notes/n%02d.txt", "txt", 60, 200), many(dir, "windows/d%02d.dll", "so", 60, 300),
			many(dir, "logs/l%02d.log", "txt", 60, 400), many(dir, "pages/w%02d.html", "html", 60, 500), many(dir, "scans/s%02d.png", "png", 60, 600), many(dir, "old/o%02d.csv", "csv", 60, 700))
	}, func(dir string) error {
		return errors.Join(
			each(dir, "photos/*.jpeg", func(path string, _ int) error { return os.Rename(path, path[:len(path)-4]+"jpg") }), // a user renames
			each(dir, "logs/*.log", func(path string, _ int) error {
				return errors.Join(os.Rename(path, path+".1"), rewrite(path, []byte("begun anew\n")))
			}), // logs rotate
			each(dir, "windows/*.dll", func(path string, i int) error { // an update
				return errors.Join(rewrite(path+".new", attacktest.Make("so", uint64(9000+i))), os.Rename(path+".new", path))
			}),
			each(dir, "pages/*.html", func(path string, i int) error { return rewrite(path, attacktest.Make("html", uint64(9100+i))) }), // a site is made anew
			many(dir, "program/a%02d/README.txt", "txt", 20, 9200),                                                                      // an archive is unpacked
			many(dir, "program/a%02d/code.go", "go", 20, 9300),
		)
	}, func(dir string) error {
		return errors.Join(
			each(dir, "notes/*.txt", func(path string, i int) error { // gzip *.txt
				return errors.Join(rewrite(path+".gz", attacktest.Make("gz", uint64(9400+i))), os.Remove(path))
			}),
			each(dir, "scans/*.png", func(path string, i int) error { // pictures become others
				return errors.Join(rewrite(path[:len(path)-3]+"jpg", attacktest.Make("jpg", uint64(9500+i))), os.Remove(path))
			}),
			os.RemoveAll(filepath.Join(dir, "old")),
		)
	}))
	signs := map[string]bool{}
	for _, st := range s.Steps {
		if st.Attack || st.Spoiled > 0 || st.Gone > 0 || len(st.Notes) > 0 {
			t.Errorf("%d..%d: attack %v, %d spoiled, %d gone, notes %v", st.From, st.To, st.Attack, st.Spoiled, st.Gone, st.Notes)
		}
		for _, b := range st.Bursts {
			signs[fmt.Sprint(b.Sign, " ", b.Ext)] = b.Mass
		}
	}
	for _, want := range []string{"renamed jpg", "renamed 1", "rewritten ", "replaced gz", "replaced jpg", "removed "} {
		if !signs[want] {
			t.Errorf("no burst %q among %v", want, signs)
		}
	}
	if o := outcomes(s); o[attack.Found]+o[attack.None]+o[attack.Unread] > 0 {
		t.Errorf("outcomes %v", o)
	}
}
