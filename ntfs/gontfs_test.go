package ntfs_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"

	"www.velocidex.com/golang/go-ntfs/parser"

	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// The tag is for builds whose go.sum has the modules that go-ntfs needs: go get www.velocidex.com/golang/go-ntfs/parser

// TestGoNTFS compares with go-ntfs what that gets right: plain, sparse and resident streams, names, times after 1677.
func TestGoNTFS(t *testing.T) {
	image := testenv.Open(t, ntfstest.Feat.Build(t))
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

// BenchmarkGoNTFS compares reading tables with go-ntfs in the same run: for each how many times as long that took.
func BenchmarkGoNTFS(b *testing.B) {
	image := testenv.Open(b, ntfstest.Files200K.Build(b))
	tree := openTree(b, image)
	theirs, err := parser.GetNTFSContext(image, 0)
	if err != nil {
		b.Fatal(err)
	}
	flat, err := tree.Lookup("flat")
	if err != nil {
		b.Fatal(err)
	}
	entry, err := theirs.GetMFT(int64(flat.Ref.Record))
	if err != nil {
		b.Fatal(err)
	}
	mft := wholeMFT(b, tree)
	for _, c := range []struct {
		name  string
		names func(*ntfs.Node) (int, error)
	}{
		{"whole MFT", func(n *ntfs.Node) (int, error) { return n.Links, nil }},
		{"whole MFT with names", func(n *ntfs.Node) (int, error) { list, err := n.Names(); return len(list), err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			start, theirs, ours := time.Now(), 0, 0
			for range parser.ParseMFTFile(b.Context(), bytes.NewReader(mft), int64(len(mft)), int64(tree.ClusterSize()), 1024) {
				theirs++
			}
			peer := time.Since(start)
			for b.Loop() {
				ours = 0
				for n, err := range tree.Nodes() {
					names, err2 := c.names(n)
					if err := errors.Join(err, err2); err != nil {
						b.Fatal(err)
					}
					ours += names
				}
			}
			if ours < 201000 || theirs < ours {
				b.Errorf("go-ntfs found %d names, we %d", theirs, ours)
			}
			ratio(b, peer, 1)
		})
	}
	b.Run("list 100000", func(b *testing.B) {
		start := time.Now()
		if list := entry.Dir(theirs); len(list) != 100000 {
			b.Fatal(len(list))
		}
		peer := time.Since(start)
		for b.Loop() {
			if list, err := flat.Children(); err != nil || len(list) != 100000 {
				b.Fatal(len(list), err)
			}
		}
		ratio(b, peer, 1)
	})
	b.Run("lookup in 100000", func(b *testing.B) {
		list, err := flat.Children()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		const n = 3 // it lists the directory each time
		for _, e := range list[:n] {
			if _, err := entry.Open(theirs, e.Name); err != nil {
				b.Fatal(err)
			}
		}
		peer := time.Since(start)
		for i := 0; b.Loop(); i++ {
			if _, err := flat.Child(list[i*7919%len(list)].Name); err != nil {
				b.Fatal(err)
			}
		}
		ratio(b, peer, n)
	})
}

// wholeMFT reads the $MFT to memory.
func wholeMFT(b *testing.B, tree *ntfs.Tree) []byte {
	b.Helper()
	n, err := tree.Node(ntfs.Ref{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := n.Stream("")
	if err != nil {
		b.Fatal(err)
	}
	mft := make([]byte, s.Size())
	if err := layer.ReadFull(s, mft, 0); err != nil {
		b.Fatal(err)
	}
	return mft
}
