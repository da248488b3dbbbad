package ntfs_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
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

func TestManifest(t *testing.T) {
	for _, v := range ntfstest.Volumes() {
		t.Run(v.Name, func(t *testing.T) {
			v.SkipManyUnderRace(t)
			image := v.Build(t)
			tree := openTree(t, testenv.Open(t, image))
			counts := map[string]int{}
			for _, c := range ntfstest.Manifest(t, image) {
				if err := check(tree, c); err != nil {
					t.Errorf("%s %s: %v", c.Type, c.Path, err)
				}
				counts[c.Type]++
			}
			t.Log(counts)
			if counts["file"] < 3 {
				t.Error("the manifest lists next to nothing")
			}
		})
	}
}

// check compares the tree with a claim.
func check(tree *ntfs.Tree, c ntfstest.Claim) error {
	path, stream := c.Path, ""
	if c.Type == "stream" {
		path, stream, _ = strings.Cut(path, ":")
	}
	n, err := tree.Lookup(path)
	if err != nil {
		return err
	}
	switch c.Type {
	case "file", "stream", "wof":
		s, err := n.Stream(stream)
		if err != nil {
			return err
		}
		return checkContent(n, s, c)
	case "dir", "dircount":
		list, err := n.Children()
		if err == nil && c.Type == "dircount" && len(list) != c.Count {
			err = fmt.Errorf("%d entries, want %d", len(list), c.Count)
		}
		return err
	case "symlink": // ntfs-3g makes an Interix link, which is a system file to Windows
		b, err := fs.ReadFile(tree.FS(), strings.TrimPrefix(path, "/"))
		if want := "IntxLNK\x01" + utf16le("../sizes/s100.bin"); err != nil || string(b) != want || n.Attr&ntfs.AttrSystem == 0 {
			return fmt.Errorf("%v %q, want %q, %w", n.Attr, b, want, err)
		}
		if r, err := n.Reparse(); err != nil || n.Kind != ntfs.KindSymlink || r.Target != "../sizes/s100.bin" || !r.Relative {
			return fmt.Errorf("link %+v, kind %v: %w", r, n.Kind, err)
		}
	case "reparse":
		r, err := n.Reparse()
		if err == nil && (r.Tag != c.Tag || n.ReparseTag != c.Tag || n.Kind != ntfs.KindSymlink || r.Target != targets[path]) {
			err = fmt.Errorf("%+v, kind %d", r, n.Kind)
		}
		return err
	case "attrib":
		if uint32(n.Attr)&c.Attrib != c.Attrib {
			return fmt.Errorf("attributes %v, want 0x%x", n.Attr, c.Attrib)
		}
	case "times":
		if got := []int64{int64(n.Times.Created), int64(n.Times.Modified), int64(n.Times.Accessed)}; !slices.Equal(got, c.Times) {
			return fmt.Errorf("times %v, want %v", got, c.Times)
		}
	case "acl":
		b, err := n.Security()
		if err == nil && hex.EncodeToString(b) != c.ACL {
			err = fmt.Errorf("%x, want %s", b, c.ACL)
		}
		return err
	case "objid":
		o, err := n.ObjectID()
		if err == nil && hex.EncodeToString(o.Raw[:16]) != c.ID {
			err = fmt.Errorf("%x, want %s", o.Raw, c.ID)
		}
		return err
	default:
		return errors.New("what is this?")
	}
	return nil
}

// targets are what the reparse points of the feature volumes were made with.
var targets = map[string]string{
	"/reparse/junction": `\??\C:\sizes`, "/reparse/winsymlink": `..\sizes\s100.bin`, "/reparse/winsymlinkd": `..\sizes`, "/reparse/lxsymlink": "../sizes/s1.bin",
}

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func checkContent(n *ntfs.Node, s layer.Mapper, c ntfstest.Claim) error {
	if s.Size() != c.Size || (c.Type == "file" && n.Size != c.Size) {
		return fmt.Errorf("size %d, node says %d, want %d", s.Size(), n.Size, c.Size)
	}
	if c.DataExtents != nil {
		if got, want := dataOf(s), c.Data(int64(n.Tree().ClusterSize())); !slices.Equal(got, want) {
			return fmt.Errorf("data at %v, want %v", got, want)
		}
	}
	if testenv.Race && c.Size > 128<<20 {
		return nil // the detector takes a minute for them
	}
	got, err := sum(s)
	if err == nil && got != c.SHA256 {
		err = errors.New("wrong content")
	}
	return err
}

// dataOf gives the offsets and lengths of what is no hole.
func dataOf(s layer.Mapper) (out [][2]int64) {
	for e, err := range layer.Resolve(s, 0, s.Size()) {
		switch last := len(out) - 1; {
		case err == nil && e.Kind == layer.Zero:
		case last >= 0 && out[last][0]+out[last][1] == e.Off:
			out[last][1] += e.Len
		default:
			out = append(out, [2]int64{e.Off, e.Len})
		}
	}
	return out
}
