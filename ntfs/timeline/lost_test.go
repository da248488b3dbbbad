package timeline_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

// spoiled is a volume with other bytes at some places.
type spoiled struct {
	layer.Source
	at map[int64][]byte
}

func (s *spoiled) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Source.ReadAt(p, off)
	for at, b := range s.at {
		if from, to := max(at, off), min(at+int64(len(b)), off+int64(n)); from < to {
			copy(p[from-off:to-off], b[from-at:])
		}
	}
	return n, err
}

// bitOf finds the byte of the volume in which $MFT:$BITMAP has the bit of a record.
func bitOf(t *testing.T, tree *ntfs.Tree, number uint64) int64 {
	t.Helper()
	le, b := binary.LittleEndian, make([]byte, 1024)
	if err := layer.ReadFull(tree.MFT(), b, 0); err != nil {
		t.Fatal(err)
	}
	at := int(le.Uint16(b[20:]))
	for le.Uint32(b[at:]) != 0xb0 {
		at += int(le.Uint32(b[at+4:]))
	}
	if b[at+8] == 0 {
		t.Fatal("$MFT:$BITMAP is resident")
	}
	pairs := b[at+int(le.Uint16(b[at+32:])):]
	n, m := int(pairs[0]&15), int(pairs[0]>>4)
	lcn := int64(0)
	for i := range m {
		lcn |= int64(pairs[1+n+i]) << (8 * i)
	}
	return lcn*int64(tree.ClusterSize()) + int64(number/8)
}

// TestLost takes file records out of the newest point of the demo, in several ways. The files are not known then: neither
// are they deleted nor are they as they were.
func TestLost(t *testing.T) {
	s, err := points.Open(t.Context(), []string{filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := s.Volumes[0]
	older, err := v.Latest().Files()
	if err != nil {
		t.Fatal(err)
	}
	newest, err := v.Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"Projects/notes.txt", "Projects/plan.txt", "Projects"} {
		n, err := older.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		number := n.Ref.Record
		e, err := layer.Leaf(newest.MFT(), int64(number)*1024, 1024)
		var off int64
		for x := range layer.Extents(newest.MFT(), int64(number)*1024, 1024) {
			off = x.BaseOff
		}
		if err != nil || e.Len < 1024 {
			t.Fatal(e, err)
		}
		bit := bitOf(t, newest, number)
		was := make([]byte, 1)
		if err := layer.ReadFull(v.Block, was, bit); err != nil || was[0]>>(number%8)&1 == 0 {
			t.Fatalf("bit of record %d: %x, %v", number, was, err)
		}
		free := []byte{was[0] &^ (1 << (number % 8))}
		for name, at := range map[string]map[int64][]byte{
			"zeros":                {off: make([]byte, 1024)},
			"the first half zeros": {off: make([]byte, 512)},
			"the last half zeros":  {off + 512: make([]byte, 512)},
			"4 KiB of zeros":       {off &^ 4095: make([]byte, 4096)},
			"zeros, and free":      {off: make([]byte, 1024), bit: free},
			"garbage":              {off: []byte(strings.Repeat("garbage.", 128))},
			"$BITMAP lost too":     {off: make([]byte, 1024), bit - int64(number/8): make([]byte, 64)},
			"not in use by itself": {off + 22: {0}},
			"not in use, and free": {off + 22: {0}, bit: free},
			"another file's":       {off + 16: {byte(n.Ref.Seq + 3)}},
			"another's extension":  {off + 32: {40, 0, 0, 0, 0, 0, 1}},
		} {
			lost, err := ntfs.Open(&spoiled{v.Block, at}, ntfs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s: %s", path, name)
			checkDiff(t, what, older, lost, number, path)
			checkFind(t, what, []*ntfs.Tree{older, lost}, number)
			checkHistory(t, what, []*ntfs.Tree{older, lost}, path)
		}
	}
}

// checkDiff fails if a comparison says that the file is gone, or nothing of its record.
func checkDiff(t *testing.T, what string, older, lost *ntfs.Tree, number uint64, path string) {
	t.Helper()
	changes, err := compare.Trees(t.Context(), older, lost, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for c, err := range changes {
		if err == nil && c.Kind == compare.Deleted && (c.Ref.Record == number || c.Path == path) {
			t.Errorf("%s: called deleted", what)
		}
		told = told || err != nil && c.Ref.Record == number
	}
	if !told {
		t.Errorf("%s: nothing told of the record", what)
	}
}

// checkFind fails if a search for what is deleted gives the file, or does not tell that it cannot know.
func checkFind(t *testing.T, what string, trees []*ntfs.Tree, number uint64) {
	t.Helper()
	told := false
	for h, err := range timeline.Find(t.Context(), trees, timeline.ReadDirs(t.Context(), trees, nil), timeline.Query{Deleted: true}, nil) {
		if err == nil && h.Ref.Record == number {
			t.Errorf("%s: found as deleted: %s", what, h.Path)
		}
		told = told || err != nil
	}
	if !told {
		t.Errorf("%s: a search tells of nothing unknown", what)
	}
}

// checkHistory fails if the history of the path ends with the file's deletion.
func checkHistory(t *testing.T, what string, trees []*ntfs.Tree, path string) {
	t.Helper()
	var moments []compare.Moment
	for _, tree := range trees {
		moments = append(moments, compare.Moment{Tree: func() (*ntfs.Tree, error) { return tree, nil }, Find: func() (*ntfs.Node, string, error) {
			n, err := tree.Lookup(path)
			return n, "", err
		}})
	}
	if _, _, err := moments[1].Find(); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: a lookup gives %v", what, err)
	}
	versions, err := compare.History(t.Context(), moments, compare.HistoryOptions{Path: path})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	unknown := false
	for x, err := range versions {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range x.Events {
			if e == compare.EventDeleted && strings.TrimPrefix(x.Path, "/") == path {
				t.Errorf("%s: the history says deleted", what)
			}
		}
		unknown = unknown || x.Err != nil && x.Last == 1
	}
	if !unknown {
		t.Errorf("%s: the history knows of nothing unknown", what)
	}
}
