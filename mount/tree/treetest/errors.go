package treetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/tree"
)

func sha(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// errors asks of each kind of node what it has not.
func (s *suite) errors(t *testing.T) {
	const dir = "/p1-Documents/vss1/Letters"
	list := func(path string) error { _, err := s.client.List(path); return err }
	read := func(path string) error { _, err := s.client.Read(path); return err }
	link := func(path string) error { _, err := s.client.Link(path); return err }
	stat := func(path string) error { _, err := s.client.Stat(path); return err }
	for _, c := range []struct {
		what string
		do   func(string) error
		path string
		want error
	}{
		{"stat", stat, dir + "/none", fs.ErrNotExist},
		{"list", list, dir + "/none", fs.ErrNotExist},
		{"read", read, dir + "/none", fs.ErrNotExist},
		{"stat", stat, dir + "/offer.txt/none", tree.ErrNotDir},
		{"stat", stat, "/README.txt/none", tree.ErrNotDir},
		{"stat", stat, dir + "/offer.txt:author/none", tree.ErrNotDir},
		{"list", list, dir + "/offer.txt", tree.ErrNotDir},
		{"list", list, "/raw/p2-Archive/current.img", tree.ErrNotDir},
		{"read", read, "/", tree.ErrIsDir},
		{"read", read, dir, tree.ErrIsDir},
		{"read", read, "/p1-Documents/current", tree.ErrIsDir},
		{"read", read, "/p1-Documents/versions/Letters", tree.ErrIsDir},
		{"read", read, dir + "/.snapshots", tree.ErrIsDir},
		{"link", link, dir, tree.ErrNotLink},
		{"link", link, dir + "/offer.txt", tree.ErrNotLink},
		{"link", link, "/README.txt", tree.ErrNotLink},
	} {
		err := c.do(c.path)
		if wanted := errors.Is(err, c.want); err == nil || !wanted && (s.Kinds || c.want == fs.ErrNotExist) {
			t.Errorf("%s %s: %v, want %v", c.what, c.path, err, c.want)
		}
	}
	if !s.Xattrs {
		return
	}
	for _, name := range []string{"user.none", "system.none", "system.ntfs_object_id", "user.snapmount.none", "trusted.none", "user."} {
		if b, err := s.client.Xattr(dir+"/offer.txt", name); !errors.Is(err, tree.ErrNoXattr) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// damage zeroes the record of a file: it alone fails, and keeps its name.
func (s *suite) damage(t *testing.T) {
	const dir = "/p0-Documents/current/Projects"
	d := s.Front.suite(t, damaged(t, "notes.txt"))
	list, err := d.client.List(dir)
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name] = true
	}
	if len(list) != 4 || !names["notes.txt"] || err != nil {
		t.Errorf("%s lists %v, %v", dir, list, err)
	}
	if b, err := d.client.Read(dir + "/notes.txt"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the zeroed record: %q, %v", b, err)
	}
	if info, err := d.client.Stat(dir + "/notes.txt"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the zeroed record: %+v, %v", info, err)
	}
	b, err := d.client.Read(dir + "/plan.txt")
	if want := written(t)["p1-Documents"]["current"]["Projects/plan.txt"]; sha(b) != want || err != nil {
		t.Errorf("its neighbour: %d bytes, %v", len(b), err)
	}
}

// lost zeroes the record of a directory: what was in it is below lost/, by number and name, and as it was; all else of the
// volume is in its place, and no other point has lost anything.
func (s *suite) lost(t *testing.T) {
	const dir = "/p0-Documents/lost/current"
	was := open(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")).Volumes[0].Current()
	want := map[string]string{}                                                                          // by name in lost/, the content
	for name, best := range map[string]string{"notes.txt": "notes.txt", "plan.txt": "plan (also).txt"} { // which has both
		n, _, err := was.Lookup("/Projects/"+name, false)
		if err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprintf("#%d %s", n.Ref.Record, best)] = written(t)["p1-Documents"]["current"]["Projects/"+name]
	}
	d := s.Front.suite(t, damagedDir(t, "Projects"))
	list, _ := d.client.List(dir) // an error says that the directory above is lost
	names := map[string]bool{}
	for _, e := range list {
		names[e.Name] = true
	}
	for name, sum := range want {
		number, _, _ := strings.Cut(name, " ")
		if !names[name] || names[number] {
			t.Errorf("%s lists %v, not %q", dir, list, name)
		}
		for _, at := range []string{name, number} {
			if b, err := d.client.Read(dir + "/" + at); err != nil || sha(b) != sum {
				t.Errorf("%s: %d bytes, %v", at, len(b), err)
			}
		}
	}
	if _, err := d.client.List("/p0-Documents/current/Projects"); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory of the zeroed record: %v", err)
	}
	for _, name := range []string{"#", "#12x", "# plan.txt", "plan.txt"} { // the lost record may have been any of them
		if info, err := d.client.Stat(dir + "/" + name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %+v, %v", name, info, err)
		}
		if info, err := s.client.Stat("/p1-Documents/lost/current/" + name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q of a sound volume: %+v, %v", name, info, err)
		}
	}
	if info, err := d.client.Stat(dir + "/#1000000"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a number behind all records: %+v, %v", info, err)
	}
	sound, err := s.client.List("/p1-Documents/lost/current")
	if err != nil || len(sound) > 0 {
		t.Errorf("lost of a sound volume: %v, %v", sound, err)
	}
}

// damaged writes the first volume of the demo image, without the records of files of a name.
func damaged(t *testing.T, name string) string { return without(t, name, 0) }

// damagedDir is damaged for directories.
func damagedDir(t *testing.T, name string) string { return without(t, name, 2) }

// without writes the first volume of the demo image without the records of a name whose flag 2 at 22, a directory's, is dir.
func without(t *testing.T, name string, dir byte) string {
	t.Helper()
	block := open(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")).Volumes[0].Block
	raw := make([]byte, block.Size())
	if err := layer.ReadFull(block, raw, 0); err != nil {
		t.Fatal(err)
	}
	var wide []byte
	for _, c := range utf16.Encode([]rune(name)) {
		wide = append(wide, byte(c), byte(c>>8))
	}
	zeroed := 0
	for at := 0; at+1024 <= len(raw); at += 1024 {
		if r := raw[at:][:1024]; bytes.HasPrefix(r, []byte("FILE")) && r[22]&2 == dir && bytes.Contains(r, wide) {
			clear(r)
			zeroed++
		}
	}
	image := filepath.Join(t.TempDir(), "damaged.raw")
	if err := os.WriteFile(image, raw, 0o600); err != nil || zeroed == 0 {
		t.Fatalf("%d records, %v", zeroed, err)
	}
	return image
}
