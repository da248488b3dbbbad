package points_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs/ntfstest"
)

// TestStreamNames has a file whose name is that of another one's stream, and what is left of a directory that is lost.
func TestStreamNames(t *testing.T) {
	image := t.TempDir() + "/ntfs.img"
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 16<<20); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	dir, unmount := ntfstest.MountNTFS3G(t, image, "streams_interface=xattr")
	write := func(name, text string) {
		if err := os.WriteFile(dir+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir+"/lost/below", 0o700); err != nil {
		t.Fatal(err)
	}
	write("/a.txt", "file")
	write("/a.txt:ads", "a name")
	write("/lost/inner.txt", "inner")
	write("/lost/below/deep.txt", "deep")
	if err := unix.Setxattr(dir+"/a.txt", "user.ads", []byte("a stream"), 0); err != nil {
		t.Fatal(err)
	}
	unmount()
	s := open(t, image)
	p := s.Volumes[0].Current()
	read := func(path string) string {
		n, stream, err := p.Lookup(path, true)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return ""
		}
		m, err := n.Stream(stream)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, m.Size())
		if err := layer.ReadFull(m, b, 0); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return string(b)
	}
	for path, want := range map[string]string{"/a.txt": "file", "/a.txt:ads": "a name", "/a.txt::ads": "a stream", "/a.txt::$DATA": "file"} {
		if got := read(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	n, _, err := p.Lookup("/lost", false)
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := p.Files()
	e, err := layer.Leaf(tree.MFT(), int64(n.Ref.Record)*1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(image, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 1024), e.BaseOff); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	p = open(t, image).Volumes[0].Current()
	list, err := p.Lost(t.Context())
	var names []string
	for _, l := range list {
		names = append(names, l.Name[4:])
	}
	if fmt.Sprint(names) != "[inner.txt below]" && fmt.Sprint(names) != "[below inner.txt]" || !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("lost: %v, %v", names, err)
	}
	for _, l := range list {
		if m, _, err := p.Lookup(fmt.Sprintf("#%d", l.Node.Ref.Record), false); err != nil || m.Ref != l.Node.Ref {
			t.Errorf("%s: %v", l.Name, err)
		}
		if l.Node.Dir() {
			if m, err := points.Child(l.Node, "deep.txt"); err != nil || m.Size != 4 {
				t.Errorf("below what is lost: %v", err)
			}
		}
	}
}
