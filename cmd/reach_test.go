package cmd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs"
)

// A damager changes file records of the first volume of the demo image.
type damager struct {
	t      *testing.T
	volume []byte
	files  *ntfs.Tree
}

// record gives the bytes of the record of a path to change, without its fixups.
func (d *damager) record(path string, change func(b []byte)) {
	d.t.Helper()
	n, err := d.files.Lookup(path)
	if err != nil {
		d.t.Fatal(err)
	}
	e, err := layer.Leaf(d.files.MFT(), int64(n.Ref.Record)*1024, 1024)
	if err != nil {
		d.t.Fatal(err)
	}
	le := binary.LittleEndian
	b := d.volume[e.BaseOff:][:1024]
	if !bytes.HasPrefix(b, []byte("FILE")) {
		d.t.Fatalf("%s: no record at 0x%x", path, e.BaseOff)
	}
	fixups := b[le.Uint16(b[4:]):]
	for i := 1; i < int(le.Uint16(b[6:])); i++ {
		copy(b[512*i-2:][:2], fixups[2*i:])
	}
	change(b)
	for i := 1; i < int(le.Uint16(b[6:])) && b[0] != 0; i++ {
		copy(fixups[2*i:][:2], b[512*i-2:])
		copy(b[512*i-2:][:2], fixups)
	}
}

// zero clears the clusters of a stream.
func (d *damager) zero(path, stream string) {
	d.t.Helper()
	n, err := d.files.Lookup(path)
	if err != nil {
		d.t.Fatal(err)
	}
	m, err := n.Stream(stream)
	if err != nil {
		d.t.Fatal(err)
	}
	for e, err := range layer.Resolve(m, 0, m.Size()) {
		if err != nil || e.Kind != layer.Data {
			d.t.Fatal(e, err)
		}
		clear(d.volume[e.BaseOff:][:e.Len])
	}
}

// attribute is the value of the resident attribute of a type, where b[10] is the length of a name.
func attribute(b []byte, typ uint32) []byte {
	le := binary.LittleEndian
	for at := int(le.Uint16(b[20:])); le.Uint32(b[at:]) != 0xffffffff; at += int(le.Uint32(b[at+4:])) {
		if a := b[at:]; le.Uint32(a) == typ && a[8] == 0 {
			return a[le.Uint16(a[20:]):][:le.Uint32(a[16:])]
		}
	}
	return nil
}

const typeIndexRoot, typeBitmap = 0x90, 0xb0

// cut takes the entry of a name out of an $INDEX_ROOT; "" is all that is before the last one.
func cut(b []byte, name string) {
	le := binary.LittleEndian
	node := attribute(b, typeIndexRoot)[16:]
	var wide []byte
	for _, c := range utf16.Encode([]rune(name)) {
		wide = le.AppendUint16(wide, c)
	}
	end := int(le.Uint32(node[4:]))
	for at := int(le.Uint32(node)); at < end && node[at+12]&2 == 0; {
		n := int(le.Uint16(node[at+8:]))
		if name != "" && !bytes.Equal(node[at+16+66:][:2*int(node[at+16+64])], wide) {
			at += n
			continue
		}
		copy(node[at:], node[at+n:end])
		end -= n
		le.PutUint32(node[4:], uint32(end))
	}
}

// TestReach has a volume with one fault of each kind: what files there are all commands agree on.
func TestReach(t *testing.T) {
	dir := t.TempDir()
	_, volume, _ := run("cat", "--raw", demo(t)+":p1")
	sound := filepath.Join(dir, "sound.img")
	if err := os.WriteFile(sound, []byte(volume), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := points.Open(t.Context(), []string{sound}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	files, err := set.Volumes[0].Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	all := treeFiles(t, sound)
	for _, c := range []struct {
		name  string
		spoil func(d *damager)
		lost  string // the file, or what all of it is below
		info  int
	}{
		{"sound", func(*damager) {}, "", exitOK},
		{"the root's index lost", func(d *damager) { d.record("", func(b []byte) { clear(attribute(b, typeIndexRoot)) }) }, "", exitDamaged},
		{"a directory's index lost", func(d *damager) { d.record("Letters", func(b []byte) { clear(attribute(b, typeIndexRoot)) }) }, "", exitOK},
		{"a directory's record lost", func(d *damager) { d.record("Letters", func(b []byte) { clear(b) }) }, "Letters", exitDamaged},
		{"a file's record lost", func(d *damager) { d.record("Letters/offer.txt", func(b []byte) { clear(b) }) }, "Letters/offer.txt", exitDamaged},
		{"an entry removed", func(d *damager) { d.record("Letters", func(b []byte) { cut(b, "offer.txt") }) }, "", exitOK},
		{"an empty index", func(d *damager) { d.record("Letters", func(b []byte) { cut(b, "") }) }, "", exitOK},
		{"the root's $BITMAP cleared", func(d *damager) {
			d.record("", func(b []byte) {
				if bits := attribute(b, typeBitmap); bits == nil || bits[0] == 0 {
					t.Error("the root has no index blocks")
				} else {
					clear(bits)
				}
			})
		}, "", exitDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &damager{t, []byte(volume), files}
			c.spoil(d)
			image := filepath.Join(t.TempDir(), "disk.img")
			if err := os.WriteFile(image, d.volume, 0o600); err != nil {
				t.Fatal(err)
			}
			checkReach(t, image, all, c.lost)
			if code, _, errs := run("info", image); code != c.info {
				t.Errorf("info: exit %d, want %d\n%s", code, c.info, errs)
			}
		})
	}
}

// TestFaultsOfVolume has a volume of which one of the structures that all of it rests on is lost: info names it.
func TestFaultsOfVolume(t *testing.T) {
	_, volume, _ := run("cat", "--raw", demo(t)+":p1")
	image := filepath.Join(t.TempDir(), "disk.img")
	write := func(b []byte) {
		if err := os.WriteFile(image, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write([]byte(volume))
	set, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	files, err := set.Volumes[0].Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	lost := func(path string) func(*damager) {
		return func(d *damager) { d.record(path, func(b []byte) { clear(b) }) }
	}
	for _, c := range []struct {
		spoil func(d *damager)
		says  string
	}{
		{func(*damager) {}, ""},
		{lost(""), "root directory: "},
		{func(d *damager) { d.record("", func(b []byte) { clear(attribute(b, typeIndexRoot)) }) }, "root directory: "},
		{func(d *damager) { d.record("", func(b []byte) { clear(attribute(b, typeBitmap)) }) }, "root directory: "},
		{lost("$Bitmap"), "$Bitmap: "},
		{func(d *damager) { d.record("$Bitmap", cutData) }, "$Bitmap: "},
		{lost("$Secure"), "$Secure: "},
		{func(d *damager) { d.record("$Secure", cutData) }, "$Secure: "},
		{func(d *damager) { d.zero("$Secure", "$SDS") }, "$Secure: descriptor 0x"},
		{lost("$MFTMirr"), "$MFT record 1"},
	} {
		d := &damager{t, []byte(volume), files}
		c.spoil(d)
		write(d.volume)
		want := exitOK
		if c.says != "" {
			want = exitDamaged
		}
		if code, out, errs := run("info", image); code != want || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s info: exit %d, want %d\n%s%s", c.says, code, want, out, errs)
		}
	}
}

// cutData makes the size of the first $DATA attribute, which lies in clusters, one byte.
func cutData(b []byte) {
	le := binary.LittleEndian
	for at := int(le.Uint16(b[20:])); le.Uint32(b[at:]) != 0xffffffff; at += int(le.Uint32(b[at+4:])) {
		if a := b[at:]; le.Uint32(a) == 0x80 && a[8] == 1 {
			le.PutUint64(a[48:], 1)
			le.PutUint64(a[56:], 1)
			return
		}
	}
}

// isBelow reports whether a path is another one, or in it.
func isBelow(path, top string) bool {
	return top != "" && (path == top || strings.HasPrefix(path, top+"/"))
}

// checkReach asks every command for what there is.
func checkReach(t *testing.T, image string, all []string, lost string) {
	t.Helper()
	want := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return isBelow(p, lost) })
	ranges := exitOK
	if lost != "" {
		ranges = exitPartial
	}
	agree := func(what string, code int, got []string) {
		t.Helper()
		got = slices.DeleteFunc(got, func(p string) bool { return isBelow(p, lost) || strings.HasPrefix(p, "System Volume Information") })
		slices.Sort(got)
		if !slices.Equal(got, want) || code != ranges {
			t.Errorf("%s: exit %d, want %d: %q, want %q", what, code, ranges, got, want)
		}
	}
	code, out, _ := run("find", image+"@current", "*", "--type", "f", "--json")
	agree("find", code, jsonPaths(t, out))
	code, out, _ = run("ls", "-R", "--json", image+"@current:/")
	agree("ls -R", code, jsonPaths(t, out))
	target := filepath.Join(t.TempDir(), "restored")
	code, _, _ = run("restore", image+"@current", target)
	agree("restore", code, diskFiles(t, target))
	agree("the mount", ranges, treeFiles(t, image))
	for _, path := range all {
		gone := isBelow(path, lost)
		code, _, errs := run("cat", image+"@current:/"+path)
		if gone != (code != exitOK) || gone && code != exitDamaged {
			t.Errorf("cat %s: exit %d\n%s", path, code, errs)
		}
		if code, _, errs := run("history", image+"@current:/"+path); gone != (code == exitPartial) || !gone && code != exitOK {
			t.Errorf("history of %s: exit %d\n%s", path, code, errs)
		}
	}
	if top, _, _ := strings.Cut(lost, "/"); top == lost && lost != "" {
		if code, _, errs := run("ls", image+"@current:/"); code != exitPartial || !strings.Contains(errs, lost) {
			t.Errorf("ls of the directory above: exit %d\n%s", code, errs)
		}
		if code, _, errs := run("ls", image+"@current:/"+lost); code != exitDamaged {
			t.Errorf("ls of what is lost itself: exit %d\n%s", code, errs)
		}
	}
}

// jsonPaths are the paths of files in lines of JSON that say nothing of an error.
func jsonPaths(t *testing.T, lines string) (out []string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var x struct {
			Path, Kind, Type string
			Orphan           bool
			Error            *string
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		if x.Kind+x.Type == "file" && !x.Orphan && x.Error == nil {
			out = append(out, strings.TrimPrefix(x.Path, "/"))
		}
	}
	return out
}

func diskFiles(t *testing.T, dir string) (out []string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if rel, err2 := filepath.Rel(dir, path); err == nil && err2 == nil && e.Type().IsRegular() && !strings.HasPrefix(e.Name(), "snapmount") && !strings.HasPrefix(e.Name(), ".snapmount") {
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// treeFiles are the files of the current state that the tree of a mount has.
func treeFiles(t *testing.T, image string) (out []string) {
	t.Helper()
	set, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	files, err := tree.New(set, tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var walk func(dir tree.Node, below string)
	walk = func(dir tree.Node, below string) {
		for e, err := range dir.Entries() {
			if err != nil {
				t.Errorf("/%s: %v", below, err)
				continue
			}
			n, err := dir.Child(e.Name)
			switch {
			case below+e.Name == "System Volume Information":
			case err != nil:
				t.Logf("/%s%s: %v", below, e.Name, err)
			case n.Kind == tree.KindDir:
				walk(n, below+e.Name+"/")
			case n.Kind == tree.KindFile:
				out = append(out, below+e.Name)
			}
		}
	}
	top, err := files.Walk("/p0-Documents/current", true)
	if err != nil {
		t.Fatal(err)
	}
	walk(top, "")
	slices.Sort(out)
	return out
}
