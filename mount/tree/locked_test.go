package tree_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// encrypted is the demo disk with its first volume encrypted, and what opens that.
func encrypted(t *testing.T) (image string, keys *bitlocker.Keyring) {
	t.Helper()
	s := openSet(t, demo)
	image = filepath.Join(t.TempDir(), "encrypted.raw")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	disk, v := s.Images[0].Disk, s.Volumes[0]
	if _, err := io.Copy(f, io.NewSectionReader(disk, 0, disk.Size())); err != nil {
		t.Fatal(err)
	}
	made, err := bitlockertest.Write(io.NewOffsetWriter(f, v.Partition.Off), v.Block, v.Block.Size(), bitlockertest.Options{Seed: "tree", Description: "HOST\x1b[31m C:",
		Protectors: []bitlockertest.Protector{{Kind: bitlockertest.RecoveryPassword, Secret: bitlockertest.NewRecoveryPassword("tree")}, {Kind: bitlockertest.StartupKey}}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := bitlocker.ReadKeys("key", made.StartupKeys[0])
	if err != nil {
		t.Fatal(err)
	}
	return image, bitlocker.NewKeyring(list...)
}

// TestEncrypted holds the tree of an encrypted disk, node by node, against that of the plain one.
func TestEncrypted(t *testing.T) {
	image, keys := encrypted(t)
	s, err := points.Open(t.Context(), []string{image}, points.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	nodes, files := 0, 0
	var same func(path string, a, b tree.Node)
	same = func(path string, a, b tree.Node) {
		nodes++
		x, err := a.Attr()
		y, err2 := b.Attr()
		if err != nil || err2 != nil || a.ID != b.ID || a.Kind != b.Kind || x != y && path != "/README.txt" && a.Point != nil {
			t.Errorf("%s: %v %v, %d %d, %+v %+v", path, err, err2, a.ID, b.ID, x, y)
		}
		switch {
		case a.Kind == tree.KindDir:
			var names []string
			for e, err := range a.Entries() {
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				m, err := e.Node()
				n, err2 := b.Child(e.Name)
				if names = append(names, e.Name); err != nil || err2 != nil {
					t.Fatalf("%s/%s: %v, %v", path, e.Name, err, err2)
				}
				same(strings.TrimSuffix(path, "/")+"/"+e.Name, m, n)
			}
			count := 0
			for range b.Entries() {
				count++
			}
			if count != len(names) {
				t.Errorf("%s: %d entries, want %q", path, count, names)
			}
		case a.Kind == tree.KindFile && path != "/README.txt":
			if files++; sum(t, a) != sum(t, b) {
				t.Errorf("%s: other content", path)
			}
		}
	}
	plain := newTree(t, openSet(t, demo), tree.View{})
	same("/", root(t, plain), root(t, newTree(t, s, tree.View{})))
	if nodes < 200 || files < 50 {
		t.Errorf("%d nodes, %d files", nodes, files)
	}
}

func root(t *testing.T, f *tree.FS) tree.Node {
	t.Helper()
	n, err := f.Walk("/", false)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sum(t *testing.T, n tree.Node) (h [sha256.Size]byte) {
	t.Helper()
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	w := sha256.New()
	if _, err := io.Copy(w, io.NewSectionReader(src, 0, src.Size())); err != nil {
		return h // of what a snapshot did not keep, in both
	}
	return [sha256.Size]byte(w.Sum(nil))
}

// TestLockedVolume has a volume locked: a directory with what is known of it and what opens it, and nothing else.
func TestLockedVolume(t *testing.T) {
	image, _ := encrypted(t)
	for _, view := range []tree.View{{}, {Volume: "%l"}} {
		f := newTree(t, openSet(t, image), view)
		all := map[string]string{}
		above(t, root(t, f), "", all)
		for path, there := range map[string]bool{"/p1/LOCKED.txt": true, "/p1/current": false, "/raw/p1": false, "/raw/p1/current.img": false} {
			if _, ok := all[path]; ok != there {
				t.Errorf("%s is there: %v, want %v", path, ok, there)
			}
		}
		if n, err := f.Walk("/p1/current", false); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v, %v", n, err)
		}
		for path, words := range map[string][]string{
			"/p1/LOCKED.txt": {"XTS-AES 128", "state        encrypted", "HOST\\x1b[31m C:", "recovery password ", "startup key ", "BitLocker, locked: give a recovery password for key ", ".BEK", "snapmount help unlock"},
			"/README.txt":    {"p1: BitLocker, locked", "give a recovery password for key ", "Archive: ntfs"},
		} {
			n, err := f.Walk(path, false)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			src, err := n.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(io.NewSectionReader(src, 0, src.Size()))
			for _, w := range words {
				if !strings.Contains(string(b), w) || strings.Contains(string(b), "\x1b") {
					t.Errorf("%s has no %q:\n%s", path, w, b)
				}
			}
		}
	}
}
