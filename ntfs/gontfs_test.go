package ntfs_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/layertest"

	"www.velocidex.com/golang/go-ntfs/parser"

	"snapmount/ntfs"
)

// The tag is for builds whose go.sum has the modules that go-ntfs needs: go get www.velocidex.com/golang/go-ntfs/parser

// TestGoNTFS compares with go-ntfs what that gets right: plain, sparse and resident streams, names, times after 1677.
func TestGoNTFS(t *testing.T) {
	image := layertest.Open(t, feat4K.build(t))
	tree := openTree(t, image)
	theirs, err := parser.GetNTFSContext(image, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared := map[string]int{}
	for _, dir := range []string{"sizes", "sparse", "ads", "names", "init", "dos"} {
		n, err := tree.Lookup(dir)
		if err != nil {
			t.Fatal(err)
		}
		list, err := n.Children()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			compareGoNTFS(t, theirs, e, compared)
		}
	}
	t.Log(compared)
	if compared["streams"] < 300 || compared["names"] < 60 {
		t.Error("next to nothing was compared")
	}
}

func compareGoNTFS(t *testing.T, theirs *parser.NTFSContext, e ntfs.Entry, compared map[string]int) {
	n, err := e.Node()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := theirs.GetMFT(int64(e.Ref.Record))
	if err != nil {
		t.Fatal(err)
	}
	si, err := entry.StandardInformation(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if want := si.File_altered_time().Time; !n.Times.Modified.Time().Equal(want) {
		t.Errorf("%s: modified %v, go-ntfs has %v", e.Name, n.Times.Modified, want)
	}
	for _, name := range entry.FileName(theirs) {
		if name.Name() == e.Name {
			compared["names"]++
		}
	}
	streams, err := n.Streams()
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range streams {
		s, err := n.Stream(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := parser.OpenStream(theirs, entry, 128, parser.WILDCARD_STREAM_ID, info.Name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(r, 0, int64(len(ours))))
		if err != nil || !bytes.Equal(b, ours) {
			t.Errorf("%s:%s: other content than go-ntfs's, %v", e.Name, info.Name, err)
		}
		compared["streams"]++
	}
	if strings.HasPrefix(e.Name, "\ufeff") { // go-ntfs takes it for a byte order mark
		compared["names"]++
	}
}
