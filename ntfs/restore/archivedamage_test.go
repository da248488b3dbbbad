package restore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// badRange is a volume with a range that cannot be read.
type badRange struct {
	layer.Source
	off, len int64
}

func (b badRange) ReadAt(p []byte, off int64) (int, error) {
	if off < b.off+b.len && off+int64(len(p)) > b.off {
		return 0, layer.Corrupt("test", b.off, "bad")
	}
	return b.Source.ReadAt(p, off)
}

// TestArchiveOfDamage damages one large file, in a way that no table tells.
func TestArchiveOfDamage(t *testing.T) {
	volume := testenv.Open(t, ntfstest.Feat512.Build(t))
	tree, err := ntfs.Open(volume, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	large, err := tree.Lookup("/sparse/mid.bin") // of 10 MiB
	if err != nil {
		t.Fatal(err)
	}
	m, err := large.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	var at layer.Extent
	for e := range layer.Resolve(m, piece, m.Size()-piece) {
		if e.Kind == layer.Data {
			at = e
		}
	}
	bad := badRange{volume, at.BaseOff, 1}

	_, told := archived(t, bad, "/sparse", Tar, Options{Verify: true})
	whole := readTarOf(t, volume)
	failed := 0
	for _, r := range told {
		if r.Err != nil {
			failed++
			if r.Ref != large.Ref || !errors.Is(r.Err, layer.ErrCorrupt) {
				t.Errorf("%s: %v", r.Path, r.Err)
			}
		}
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
	name, told := archived(t, bad, "/sparse", Tar, Options{Verify: true, Partial: true})
	members := readTar(t, name)
	gaps := 0
	for _, r := range told {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Path, r.Err)
		}
		if len(r.Gaps) > 0 {
			gaps++
			got := members[r.Path]
			if got.sum != r.SHA256 || got.sum == whole[r.Path].sum || members[r.Path+".ranges"].size == 0 || len(r.Gaps) != 1 || r.Gaps[0].Off != at.Off || r.Gaps[0].Len > pageSize {
				t.Errorf("%s: %v, gaps %v", r.Path, got, r.Gaps)
			}
		}
	}
	if gaps == 0 {
		t.Error("no file is incomplete")
	}
	top, err := ntfsRoot(bad)
	if err != nil {
		t.Fatal(err)
	}
	checkNotes(t, top, large.Ref, at.Off)
	var out bytes.Buffer
	if err := Archive(context.Background(), &out, Tar, one(Source{Node: top}), Options{}); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("without a look at it before: %v", err)
	}
}

// checkNotes restores to a directory what is damaged at off: an error, or with Partial a file with a note beside it, which
// is not written twice.
func checkNotes(t *testing.T, top *ntfs.Node, ref ntfs.Ref, off int64) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	sparse, err := top.Child("sparse")
	if err != nil {
		t.Fatal(err)
	}
	for i, opts := range []Options{{}, {Partial: true}, {Partial: true, Overwrite: Always}} {
		var mu sync.Mutex
		opts.Done = func(r Result) {
			mu.Lock()
			defer mu.Unlock()
			if i == 0 && r.Type == "file" && (r.Err != nil) != (r.Ref == ref) || i > 0 && (r.Ref == ref) != (len(r.Gaps) > 0) {
				t.Errorf("run %d: %s: %v, gaps %v", i, r.Path, r.Err, r.Gaps)
			}
		}
		if err := Run(context.Background(), root, one(Source{Node: sparse}), opts); err != nil {
			t.Fatal(err)
		}
	}
	notes, err := filepath.Glob(filepath.Join(dir, "*.ranges"))
	b, err2 := os.ReadFile(filepath.Join(dir, "mid.bin.ranges"))
	var note struct {
		Size int64
		Lost []Gap
	}
	if err := errors.Join(err, err2, json.Unmarshal(b, &note)); err != nil || len(notes) != 1 || note.Size != 10485760 || len(note.Lost) != 1 || note.Lost[0].Off != off {
		t.Errorf("%v, %v, %s", notes, err, b)
	}
}

func ntfsRoot(s layer.Source) (*ntfs.Node, error) {
	tree, err := ntfs.Open(s, ntfs.Options{})
	if err != nil {
		return nil, err
	}
	return tree.Root()
}

func readTarOf(t *testing.T, volume layer.Source) map[string]member {
	name, _ := archived(t, volume, "/sparse", Tar, Options{})
	return readTar(t, name)
}
