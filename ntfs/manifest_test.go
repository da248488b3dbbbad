package ntfs_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// openTree opens a volume that must give no warnings.
func openTree(t testing.TB, s layer.Source) *ntfs.Tree {
	t.Helper()
	tree, err := ntfs.Open(s, ntfs.Options{Warn: func(err error) { t.Errorf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func sum(s layer.Source) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, io.NewSectionReader(s, 0, s.Size()))
	return hex.EncodeToString(h.Sum(nil)), err
}

// claim is a line of a builder's manifest: what was written.
type claim struct {
	Path, Type, SHA256 string
	Size               int64
	Compressed         bool
	Count              int
	Tag                uint32
	Attrib             uint32
	Times              []wintype.Filetime
	DataExtents        [][2]int64 `json:"data_extents"`
}

func manifest(t testing.TB, image string) []claim {
	t.Helper()
	f, err := os.Open(image + ".manifest.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []claim
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c claim
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

func TestManifest(t *testing.T) {
	for _, v := range []volume{feat4K, feat512, feat64K, feat4Kn, frag, big, files} {
		t.Run(v.name, func(t *testing.T) {
			image := v.build(t)
			tree := openTree(t, layertest.Open(t, image))
			counts := map[string]int{}
			claims := manifest(t, image)
			for _, c := range claims {
				what, err := c.check(tree)
				if err != nil {
					t.Errorf("%s %s: %v", c.Type, c.Path, err)
				}
				counts[what]++
			}
			t.Log(counts)
			if counts["content"] < 3 {
				t.Error("the manifest lists next to nothing")
			}
		})
	}
}

// check compares the tree with a claim and tells what it compared.
func (c claim) check(tree *ntfs.Tree) (string, error) {
	path, stream := c.Path, ""
	if c.Type == "stream" {
		path, stream, _ = strings.Cut(path, ":")
	}
	n, err := tree.Lookup(path)
	if err != nil {
		return "lookup", err
	}
	switch c.Type {
	case "file", "stream", "wof":
		s, err := n.Stream(stream)
		if err != nil {
			return "content", err
		}
		return "content", c.checkContent(n, s)
	case "dircount":
		list, err := n.Children()
		if err == nil && len(list) != c.Count {
			err = fmt.Errorf("%d entries, want %d", len(list), c.Count)
		}
		return "count", err
	case "reparse":
		r, err := n.Reparse()
		if err == nil && (r.Tag != c.Tag || n.ReparseTag != c.Tag || n.Kind != ntfs.KindSymlink || !strings.Contains(r.Target, "sizes")) {
			err = fmt.Errorf("%+v, kind %d", r, n.Kind)
		}
		return "reparse", err
	case "attrib":
		if uint32(n.Attr)&c.Attrib != c.Attrib {
			return "attrib", fmt.Errorf("attributes %v, want 0x%x", n.Attr, c.Attrib)
		}
		return "attrib", nil
	case "times":
		if got := []wintype.Filetime{n.Times.Created, n.Times.Modified, n.Times.Accessed}; fmt.Sprint(got) != fmt.Sprint(c.Times) {
			return "times", fmt.Errorf("times %v, want %v", got, c.Times)
		}
		return "times", nil
	}
	return "other", nil
}

func (c claim) checkContent(n *ntfs.Node, s layer.Mapper) error {
	if s.Size() != c.Size || (c.Type == "file" && n.Size != c.Size) {
		return fmt.Errorf("size %d, node says %d, want %d", s.Size(), n.Size, c.Size)
	}
	got, err := sum(s)
	if err == nil && got != c.SHA256 {
		err = errors.New("wrong content")
	}
	return err
}
