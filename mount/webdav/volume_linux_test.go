package webdav_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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

// base is the current state of a volume without partitions.
const base = "/p0-odd/current"

// TestOddNames lists names that addresses or XML cannot hold as they are, and reads each file by the address it has there.
func TestOddNames(t *testing.T) {
	names := []string{"100% sure; #1?.txt", `a&b<c>'".txt`, " leading", "trailing.", "+plus[x]{y}^~=,@!$()*", "ctrl\x01\x1b[2J", "line\nend\r\t", "a%01b", "a%2501b", "%2F", "%252F",
		"日本 😀", "e\u0301", "\u202egnp.exe", "\ue006 lone", "back\\slash", "..x", "...", "\u0085\ufeff", "名" + strings.Repeat("名", 200), "CON", "evil.html", "evil.svg"}
	image := volume(t, func(dir string) (err error) {
		for _, name := range names {
			err = errors.Join(err, write(filepath.Join(dir, "in here", name), name), os.Mkdir(filepath.Join(dir, "in here", "d"+name), 0o700))
		}
		return errors.Join(err, write(dir+"/in here/.DS_Store", "of the image"), write(dir+"/in here/stream.txt", "x"), write(dir+"/in here/stream.txt:ä b", "of the stream"))
	})
	edit(t, image, func(b []byte) { // half a surrogate pair, which ntfs-3g does not write
		for from, to := []byte("\x06\xe0 \x00l\x00"), []byte("\x00\xd8 \x00l\x00"); ; {
			i := bytes.Index(b, from)
			if i < 0 {
				return
			}
			copy(b[i:], to)
		}
	})
	c := serve(t, open(t, image))
	all, err := c.propfind(base+"/in here", "1", "")
	if err != nil || len(all) != 2*len(names)+3 {
		t.Fatalf("%d entries, want %d, %v", len(all), 2*len(names)+3, err)
	}
	seen := map[string]bool{}
	for _, x := range all[1:] {
		if seen[x.Href] || x.Status != "" {
			t.Errorf("%s is there twice, or %s %s", x.Href, x.Status, x.Why)
		}
		seen[x.Href] = true
		rest := strings.TrimPrefix(x.Href, "/dav/p0-odd/current/in%20here/")
		if plain := strings.Trim(rest, "/"); strings.ContainsFunc(plain, func(r rune) bool { return r > 0x7e || strings.ContainsRune(" \"<>&'#?;:,+/", r) }) {
			t.Errorf("the address %s is not escaped", x.Href)
		}
		if name, _ := url.PathUnescape(strings.Trim(rest, "/")); name != x.Propstat[0].Prop.Name {
			t.Errorf("%s is shown as %q", x.Href, x.Propstat[0].Prop.Name)
		}
		i, err := x.info()
		if err != nil {
			t.Fatal(err)
		}
		res, body, err := c.do("GET", x.Href, "")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("GET %s: %v, %v", x.Href, res, err)
			continue
		}
		if i.Kind == tree.KindFile {
			checkEvidence(t, res, i.Name)
			if want := strings.ReplaceAll(i.Name, "\xed\xa0\x80", "\ue006"); !strings.HasPrefix(i.Name, "名") && string(body) != points.UnescapeName(want) && !slices.Contains([]string{".DS_Store", "stream.txt"}, i.Name) {
				t.Errorf("%s has %q", x.Href, body)
			}
		}
		if again, err := c.propfind(base+"/in here/"+i.Name, "0", ""); err != nil || len(again) != 1 || again[0].Href != x.Href {
			t.Errorf("%s is found as %+v, %v", x.Href, again, err)
		}
	}
	if b, err := c.Read(base + "/in here/.DS_Store"); string(b) != "of the image" || err != nil {
		t.Errorf(".DS_Store of the image: %q, %v", b, err)
	}
	if _, err := c.Read(base + "/in here/._stream.txt"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("._stream.txt: %v", err)
	}
	if b, err := c.Read(base + "/in here/stream.txt:ä b"); string(b) != "of the stream" || err != nil {
		t.Errorf("a stream: %q, %v", b, err)
	}
	_, page, _ := c.do("GET", "/dav/p0-odd/current/in%20here/", "")
	if bytes.ContainsAny(page, "\x01\x1b\u202e") || bytes.Contains(page, []byte("<c>")) || bytes.Count(page, []byte("<tr><td>")) != 2*len(names)+3 {
		t.Errorf("the page: %s", page)
	}
}

// checkEvidence wants headers that keep a browser from running the content of a file.
func checkEvidence(t *testing.T, res *http.Response, name string) {
	t.Helper()
	h := res.Header
	if h.Get("Content-Security-Policy") != "sandbox; default-src 'none'" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%q: %v", name, h)
	}
	if kind := h.Get("Content-Type"); strings.Contains(kind, "html") || strings.Contains(kind, "svg") || strings.Contains(kind, "script") {
		t.Errorf("%q is sent as %s", name, kind)
	}
	how, file, ok := strings.Cut(h.Get("Content-Disposition"), "; filename*=UTF-8''")
	if !ok || how != "inline" && how != "attachment" || strings.ContainsAny(file, " \"\\\r\n;") {
		t.Errorf("%q: disposition %q", name, h.Get("Content-Disposition"))
	}
}

// TestLinks follows those that lead somewhere, and leaves out those that do not, and those that lead back.
func TestLinks(t *testing.T) {
	c := serve(t, open(t, volume(t, func(dir string) error {
		link := func(to, at string) error { return os.Symlink(to, filepath.Join(dir, at)) }
		return errors.Join(write(dir+"/a/b/deep.txt", "deep"), write(dir+"/other/x.txt", "x"), link("..", "a/up"), link(".", "a/self"), link("../other", "a/side"),
			link("../a", "other/back"), link("b/deep.txt", "a/file"), link("nowhere", "a/gone"), link("loop", "a/loop"), link("file", "a/twice"), link("/etc/passwd", "a/out"), link("b/deep.txt/x", "a/through"))
	})))
	for dir, want := range map[string][]string{
		"/a": {"b", "file", "side", "twice"}, "/a/side": {"x.txt"}, "/other": {"back", "x.txt"}, "/other/back": {"b", "file", "twice"},
		"/a/up": {"a", "other"}, "/a/self": {"b", "file", "side", "twice"},
	} {
		if got := c.names(t, base+dir); !slices.Equal(got, want) {
			t.Errorf("%s lists %q, want %q", dir, got, want)
		}
	}
	for path, want := range map[string]string{"/a/twice": "deep", "/a/up/other/back/up/a/side/x.txt": "x"} {
		if b, err := c.Read(base + path); string(b) != want || err != nil {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	for _, path := range []string{"/a/gone", "/a/out", "/a/through", "/a/loop"} {
		if _, err := c.Read(base + path); err == nil {
			t.Errorf("%s leads somewhere", path)
		}
	}
	if said := strings.Join(c.warned, "\n"); strings.Count(said, "a link that leads to nothing") < 3 || strings.Count(said, "left out") > 4 {
		t.Errorf("of links that lead nowhere is said:\n%s", said)
	}
	if walked := c.walk(t, base); walked > 40 {
		t.Errorf("a client that walks everything meets %d entries", walked)
	}
}

// walk counts what a client meets that lists all directories.
func (c *client) walk(t *testing.T, dir string) (n int) {
	t.Helper()
	list, err := c.List(dir)
	if err != nil {
		t.Errorf("%s: %v", dir, err)
	}
	for _, i := range list {
		if n++; i.Kind == tree.KindDir {
			n += c.walk(t, dir+"/"+i.Name)
		}
	}
	return n
}

// TestDamagedIndex loses blocks of a directory's index, and the record of a file in them: all other entries are there, by
// their records, and the loss is told.
func TestDamagedIndex(t *testing.T) {
	const files = 2000
	image := volume(t, func(dir string) (err error) {
		for i := range files {
			err = errors.Join(err, write(fmt.Sprintf("%s/many/file %04d.txt", dir, i), "x"))
		}
		return err
	})
	edit(t, image, func(b []byte) {
		for at := 0; at < len(b); at += 4096 {
			if string(b[at:at+4]) == "INDX" && bytes.Contains(b[at:at+4096], []byte("f\x00i\x00l\x00e\x00 \x001\x000\x000\x000\x00")) {
				clear(b[at : at+4096])
			}
			if r := b[at:]; len(r) > 1024 { // a record of it, too: names of the others are known by theirs
				for r := r[:4096]; len(r) > 0; r = r[1024:] {
					if string(r[:4]) == "FILE" && bytes.Contains(r[:1024], []byte("f\x00i\x00l\x00e\x00 \x001\x000\x000\x000\x00")) {
						clear(r[:1024])
					}
				}
			}
		}
	})
	c := serve(t, open(t, image))
	all, err := c.propfind(base+"/many", "1", "")
	last := all[len(all)-1]
	if err != nil || len(all) != files+1 || last.Href != all[0].Href || !strings.HasPrefix(last.Status, "HTTP/1.1 500 ") || !strings.Contains(last.Why, "entries are missing: ") {
		t.Errorf("%d entries, then %+v, %v", len(all), last, err)
	}
	if res, page, _ := c.do("GET", "/dav/p0-odd/current/many/", ""); res.StatusCode != 200 || !strings.Contains(string(page), "Entries are missing: ") {
		t.Errorf("the page does not tell: %.300s", page)
	}
}

// fill makes a volume of one large file, and tells where in the image its byte at off is.
func large(t *testing.T, size int) (image string, content []byte, at func(off int64) int64) {
	t.Helper()
	content = make([]byte, size)
	_, _ = rand.Read(content)
	image = volume(t, func(dir string) error { return write(dir+"/large.bin", string(content)) })
	return image, content, func(off int64) int64 {
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
		e, err := layer.Leaf(src, off, 1)
		if err != nil {
			t.Fatal(err)
		}
		return e.BaseOff
	}
}

// TestUnknown has a range of a file that was not read when the image was made: what does not need it is given, and all else
// is an error before the first byte.
func TestUnknown(t *testing.T) {
	image, content, at := large(t, 4<<20)
	lost := at(2 << 20)
	rescued := fmt.Sprintf("# Mapfile. Created by GNU ddrescue version 1.27\n0x0  +  1\n0x0 0x%x +\n0x%x 0x1000 -\n0x%x 0x%x +\n", lost, lost, lost+0x1000, 64<<20-lost-0x1000)
	if err := os.WriteFile(image+".map", []byte(rescued), 0o600); err != nil {
		t.Fatal(err)
	}
	c := serve(t, open(t, image))
	for _, x := range []struct {
		header string
		code   int
		from   int
		n      int
	}{
		{"", 500, 0, 0}, {"bytes=0-2097151", 206, 0, 2 << 20}, {"bytes=2101248-", 206, 2101248, len(content) - 2101248}, {"bytes=0-2097152", 500, 0, 0}, {"bytes=2101247-", 500, 0, 0},
	} {
		res, b, err := c.do("GET", "/dav"+base+"/large.bin", "", "Range: "+x.header)
		if err != nil || res.StatusCode != x.code || x.code == 206 && !bytes.Equal(b, content[x.from:x.from+x.n]) {
			t.Errorf("%s: %v, want %d, %v, %d bytes", x.header, res, x.code, err, len(b))
		}
		if x.code == 500 && (!strings.Contains(string(b), "not read when the image was made") || res.Header.Get("ETag") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain")) {
			t.Errorf("%s: %v: %s", x.header, res.Header, b)
		}
	}
	if res, _, err := c.do("HEAD", "/dav"+base+"/large.bin", ""); err != nil || res.StatusCode != 500 {
		t.Errorf("HEAD: %v, %v", res, err)
	}
	res, b, err := c.do("GET", "/dav"+base+"/large.bin", "", "Range: bytes=0-9,2097152-2097161")
	if err == nil && res.StatusCode != 500 {
		t.Errorf("two ranges: %v, %d bytes", res, len(b))
	}
	if i, err := c.Stat(base + "/large.bin"); err != nil || i.Attr.Size != 4<<20 {
		t.Errorf("%+v, %v", i, err)
	}
	if !strings.Contains(strings.Join(c.warned, "\n"), "not read when the image was made") {
		t.Errorf("told is %q", c.warned)
	}
}

// TestImageGoes cuts the image while a file of it is sent: the download fails, and so do all that need what went; the server
// lives.
func TestImageGoes(t *testing.T) {
	image, content, at := large(t, 32<<20)
	end := at(20 << 20)
	c := serve(t, open(t, image))
	res, err := c.Client().Get(c.URL + "/dav" + base + "/large.bin")
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	defer res.Body.Close()
	head := make([]byte, 1<<20)
	if _, err := io.ReadFull(res.Body, head); err != nil || !bytes.Equal(head, content[:1<<20]) {
		t.Fatal(err)
	}
	if err := os.Truncate(image, end); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(res.Body)
	if got := 1<<20 + len(rest); err == nil || got >= len(content) || !bytes.Equal(rest, content[1<<20:got]) {
		t.Errorf("%d bytes came, %v", 1<<20+len(rest), err)
	}
	if res, b, err := c.do("GET", "/dav"+base+"/large.bin", "", "Range: bytes=22020096-22024191"); err != nil || res.StatusCode != 500 {
		t.Errorf("a range that went: %v, %d bytes, %v", res, len(b), err)
	}
	if res, b, err := c.do("GET", "/dav"+base+"/large.bin", "", "Range: bytes=1024-2047"); err != nil || !bytes.Equal(b, content[1024:2048]) {
		t.Errorf("a range that is there: %v, %v", res, err)
	}
	if !strings.Contains(strings.Join(c.warned, "\n"), "the download was cut") {
		t.Errorf("told is %q", c.warned)
	}
}
