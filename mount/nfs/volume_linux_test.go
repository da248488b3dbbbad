package nfs_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/ntfs/ntfstest"
)

// base is the current state of a volume without partitions.
const base = "/p0-odd/current"

// volume makes one that ntfs-3g fills.
func volume(t *testing.T, fill func(dir string) error) (image string) {
	t.Helper()
	image = filepath.Join(t.TempDir(), "volume.img")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 64<<20)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "odd", image)
	dir, unmount := ntfstest.MountNTFS3G(t, image, "streams_interface=windows")
	if err := fill(dir); err != nil {
		t.Fatal(err)
	}
	unmount()
	return image
}

func write(path, content string) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600))
}

// edit changes an image.
func edit(t *testing.T, image string, change func(b []byte)) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOddNames lists names that are no UTF-8, that are long, or in another form than is asked for, and finds each.
func TestOddNames(t *testing.T) {
	names := []string{" leading", "trailing.", "ctrl\x01\x1b[2J", "line\nend", "日本 😀", "caf\u00e9", "e\u0301te\u0301", "\u202egnp.exe", "\ue006 lone", "back\\slash", "..x", "...", "名" + strings.Repeat("名", 200),
		".DS_Store", "._caf\u00e9", "a:b"}
	image := volume(t, func(dir string) (err error) {
		for _, name := range names {
			err = errors.Join(err, write(filepath.Join(dir, "in here", name), name))
		}
		return err
	})
	edit(t, image, func(b []byte) { // half a surrogate pair, which ntfs-3g does not write
		for from, to := []byte("\x06\xe0 \x00l\x00"), []byte("\x00\xd8 \x00l\x00"); bytes.Contains(b, from); {
			copy(b[bytes.Index(b, from):], to)
		}
	})
	c := dial(t, start(t, open(t, image), tree.Options{}))
	dir := c.handle(t, base+"/in here")
	all, err := c.entries(dir, true)
	if err != nil || len(all) != len(names)+2 {
		t.Fatalf("%d entries, want %d, %v", len(all), len(names)+2, err)
	}
	content := func(handle string) string {
		b, _, err := c.read(handle, 0, 4096)
		if err != nil {
			t.Error(err)
		}
		return b
	}
	for _, e := range all[2:] {
		f, err := c.lookup(dir, e.name)
		if err != nil || f.handle != e.handle || len(e.name) > 255 {
			t.Errorf("%q of %d bytes: %+v, %v", e.name, len(e.name), f, err)
			continue
		}
		want := strings.ReplaceAll(e.name, "\xed\xa0\x80", "\ue006")
		if b := content(f.handle); !strings.HasPrefix(e.name, "名") && e.name != "a" && b != points.UnescapeName(want) {
			t.Errorf("%q has %q", e.name, b)
		}
	}
	for asked, want := range map[string]string{"cafe\u0301": "caf\u00e9", "\u00e9t\u00e9": "e\u0301te\u0301", "._cafe\u0301": "._caf\u00e9", "a:b": "a:b", ".DS_Store": ".DS_Store"} {
		if f, err := c.lookup(dir, asked); err != nil || content(f.handle) != want {
			t.Errorf("%q: %+v, %v, want that of %q", asked, f, err, want)
		}
	}
	if f, err := c.lookup(dir, "E\u0301te"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a name that is not there: %+v, %v", f, err)
	}
}

// TestDamagedIndex loses blocks of a directory's index, and the record of a file in them: all other entries are there, and then an
// error, which says in the log what it is.
func TestDamagedIndex(t *testing.T) {
	const files = 2000
	image := volume(t, func(dir string) (err error) {
		for i := range files {
			err = errors.Join(err, write(fmt.Sprintf("%s/many/file %04d.txt", dir, i), "x"))
		}
		return err
	})
	name := []byte("f\x00i\x00l\x00e\x00 \x001\x000\x000\x000\x00")
	edit(t, image, func(b []byte) {
		for at := 0; at < len(b); at += 1024 {
			index := at%4096 == 0 && string(b[at:at+4]) == "INDX" && bytes.Contains(b[at:at+4096], name)
			if index {
				clear(b[at : at+4096])
			}
			if string(b[at:at+4]) == "FILE" && bytes.Contains(b[at:at+1024], name) {
				clear(b[at : at+1024])
			}
		}
	})
	c := dial(t, start(t, open(t, image), tree.Options{}))
	dir := c.handle(t, base+"/many")
	for _, plus := range []bool{true, false} {
		all, err := c.entries(dir, plus)
		seen := map[string]bool{}
		for _, e := range all {
			seen[e.name] = true
		}
		if err != status(5) || len(all) != files-1+2 || len(seen) != len(all) {
			t.Errorf("%d entries, %d names, %v", len(all), len(seen), err)
		}
	}
	if said := c.said(); !strings.Contains(said, "nfs: READDIRPLUS: ") || !strings.Contains(said, "nfs: READDIR: ") || !strings.Contains(said, ": entries are missing: ") {
		t.Errorf("told is %q", said)
	}
}

// TestUnknown has a range of a file that was not read when the image was made: what is before it is given, then an error, and what is
// behind it again.
func TestUnknown(t *testing.T) {
	content := make([]byte, 4<<20)
	_, _ = rand.Read(content)
	image := volume(t, func(dir string) error { return write(dir+"/large.bin", string(content)) })
	files, err := tree.New(open(t, image), tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := files.Walk(base+"/large.bin", true)
	if err != nil {
		t.Fatal(err)
	}
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	const bad = 2<<20 + 0x5000
	e, err := layer.Leaf(src, bad, 1)
	if err != nil {
		t.Fatal(err)
	}
	lost := e.BaseOff
	rescued := fmt.Sprintf("# Mapfile. Created by GNU ddrescue version 1.27\n0x0  +  1\n0x0 0x%x +\n0x%x 0x1000 -\n0x%x 0x%x +\n", lost, lost, lost+0x1000, 64<<20-lost-0x1000)
	if err := os.WriteFile(image+".map", []byte(rescued), 0o600); err != nil {
		t.Fatal(err)
	}
	c := dial(t, start(t, open(t, image), tree.Options{}))
	f, err := c.walk(base + "/large.bin")
	if err != nil || f.size != 4<<20 {
		t.Fatalf("%+v, %v", f, err)
	}
	for _, x := range []struct{ off, count, n int }{
		{0, 1 << 20, 1 << 20}, {2 << 20, 1 << 20, 0x5000}, {bad - 1, 9, 1}, {bad, 1, -1}, {bad, 1 << 20, -1}, {bad + 0xfff, 2, -1}, {bad + 0x1000, 1 << 20, 1 << 20},
	} {
		b, _, err := c.read(f.handle, uint64(x.off), x.count)
		if x.n < 0 && err != status(5) || x.n >= 0 && (err != nil || b != string(content[x.off:x.off+x.n])) {
			t.Errorf("0x%x bytes at 0x%x: 0x%x, %v, want 0x%x", x.count, x.off, len(b), err, x.n)
		}
	}
	if said := c.said(); !strings.Contains(said, "nfs: READ: p0-odd@current: MFT record 0x") || !strings.Contains(said, "not read when the image was made") {
		t.Errorf("told is %q", said)
	}
}

// TestImageGoes cuts the image: what went is an error, and no name is missing for it.
func TestImageGoes(t *testing.T) {
	image := volume(t, func(dir string) error { return write(dir+"/large.bin", strings.Repeat("content ", 4<<20)) })
	c := dial(t, start(t, open(t, image), tree.Options{}))
	f, err := c.walk(base + "/large.bin")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 8<<20); err != nil {
		t.Fatal(err)
	}
	off, failed := uint64(0), false
	for ; off < f.size && !failed; off += 1 << 20 {
		b, _, err := c.read(f.handle, off, 1<<20)
		failed = err == status(5)
		if !failed && (err != nil || strings.Trim(b, "conte ") != "") {
			t.Errorf("0x%x: %d bytes, %v", off, len(b), err)
		}
	}
	if !failed {
		t.Error("all is there")
	}
}

// TestLinks reads those that lead out of their directory, in circles and out of the image: a client follows them by itself.
func TestLinks(t *testing.T) {
	c := dial(t, start(t, open(t, volume(t, func(dir string) error {
		link := func(to, at string) error { return os.Symlink(to, filepath.Join(dir, at)) }
		return errors.Join(write(dir+"/a/b/deep.txt", "deep"), link("..", "a/up"), link("b/deep.txt", "a/file"), link("nowhere", "a/gone"), link("loop", "a/loop"), link("/etc/passwd", "a/out"))
	})), tree.Options{}))
	all, err := c.entries(c.handle(t, base+"/a"), true)
	var names []string
	for _, e := range all {
		names = append(names, e.name)
		if text, err := c.readLink(e.handle); (e.typ == 5) != (err == nil) || strings.HasPrefix(text, "/") {
			t.Errorf("%s -> %q, %v", e.name, text, err)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{".", "..", "b", "file", "gone", "loop", "out", "up"}) || err != nil {
		t.Errorf("%q, %v", names, err)
	}
}
