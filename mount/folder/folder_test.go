package folder_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

const (
	oldest = "2026-03-02T180000Z"
	second = "2026-03-03T180000Z"
	third  = "2026-03-04T180000Z"
)

func demo(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

// open gives the first volume of an image.
func open(t *testing.T, image string) *points.Volume {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.Volumes[0]
}

// harmed writes the documents of the demo to a file, has harm tell what is overwritten there, and opens that.
func harmed(t *testing.T, harm func(v *points.Volume, overwrite func(off int64, b []byte))) *points.Volume {
	t.Helper()
	whole := open(t, demo(t)).Block
	b := make([]byte, whole.Size())
	if err := layer.ReadFull(whole, b, 0); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "volume.raw")
	write := func() {
		if err := os.WriteFile(image, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	harm(open(t, image), func(off int64, other []byte) { copy(b[off:], other) })
	write()
	return open(t, image)
}

// recordOf tells where in the volume the record of a path lies now.
func recordOf(t *testing.T, v *points.Volume, path string) int64 {
	t.Helper()
	n, err := v.Current().Walk(path, false)
	if err != nil {
		t.Fatal(err)
	}
	e, err := layer.Leaf(n.Tree().MFT(), int64(n.Ref.Record)*1024, 1024)
	if err != nil || e.Len != 1024 {
		t.Fatal(e, err)
	}
	return e.BaseOff
}

// loseStore overwrites the block list of a snapshot, without which nothing is known of what was overwritten after it.
func loseStore(t *testing.T, v *points.Volume, point string, overwrite func(off int64, b []byte)) {
	t.Helper()
	p, err := v.PointNamed(point)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, v.Block.Size())
	if err := layer.ReadFull(v.Block, b, 0); err != nil {
		t.Fatal(err)
	}
	const block, header, list = 16 << 10, 4, 3 // types of records of VSS
	identifier, err := wintype.ParseGUID("3808876b-c176-4e48-b7ae-04046e6cc752")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for off := 0; off+2*block <= len(b); off += block {
		kind := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at+20:]) }
		if bytes.HasPrefix(b[off:], identifier[:]) && kind(off) == header && bytes.Contains(b[off:off+512], p.Snapshot.CopyID[:]) && kind(off+block) == list {
			overwrite(int64(off+block), make([]byte, block))
			found = true
		}
	}
	if !found {
		t.Fatal("no store of " + point)
	}
}

// at is a path at a point.
func at(t *testing.T, v *points.Volume, point, path string) folder.Place {
	t.Helper()
	p, err := v.PointNamed(point)
	if err != nil {
		t.Fatal(err)
	}
	return folder.Place{Point: p, Path: path}
}

// list gives all that List tells, by name.
func list(t *testing.T, p folder.Place, gone bool) (rows map[string]report.Row, order []string, err error) {
	t.Helper()
	dir, err := p.Point.Walk(p.Path, true)
	if err != nil {
		t.Fatal(err)
	}
	rows = map[string]report.Row{}
	between := func() { order = append(order, "|") }
	if !gone {
		between = nil
	}
	err = p.List(t.Context(), dir, between, func(r report.Row) bool {
		if rows[string(r.Name)].Name != "" {
			t.Errorf("%s is told twice", r.Name)
		}
		rows[string(r.Name)] = r
		order = append(order, string(r.Name))
		return true
	})
	return rows, order, err
}

// TestList holds rows against what was written, in the order of the index, without metafiles.
func TestList(t *testing.T) {
	v := open(t, demo(t))
	for _, c := range []struct {
		point, path string
		want        []string
	}{
		{"current", "/", []string{"Letters", "My Letters", "Pictures", "Projects", "READ ME TO GET YOUR FILES BACK.txt", "System Volume Information"}},
		{oldest, "/", []string{"Letters", "My Letters", "Photos", "Projects", "System Volume Information"}},
		{second, "/Projects", []string{"budget.csv", "latest offer.txt", "plan (also).txt", "plan.txt"}},
		{third, "/Projects", []string{"latest offer.txt", "notes.txt", "plan (also).txt", "plan.txt"}},
	} {
		rows, order, err := list(t, at(t, v, c.point, c.path), false)
		if err != nil || !slices.Equal(order, c.want) {
			t.Errorf("%s@%s: %q, %v\nwant %q", c.path, c.point, order, err, c.want)
		}
		for _, r := range rows {
			if r.Error != "" || r.Gone != "" || r.Point != "" || r.Mtime == nil {
				t.Errorf("%s@%s: %+v", c.path, c.point, r)
			}
		}
	}
	rows, _, _ := list(t, at(t, v, third, "/Projects"), false)
	if r := rows["plan.txt"]; r.Kind != "file" || r.Size != 111000 || r.Ref != rows["plan (also).txt"].Ref {
		t.Errorf("%+v", r)
	}
	if r := rows["latest offer.txt"]; r.Kind != "symlink" || r.Link == nil || *r.Link != `..\Letters\offer.txt` {
		t.Errorf("%+v", r)
	}
}

// TestListEnds has List end when no more is wanted, and when its context ends.
func TestListEnds(t *testing.T) {
	p := at(t, open(t, demo(t)), "current", "/Projects")
	dir, err := p.Point.Walk(p.Path, true)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	if err := p.List(t.Context(), dir, func() { t.Error("goes on") }, func(report.Row) bool { told++; return told < 2 }); err != nil || told != 2 {
		t.Errorf("%d rows, %v", told, err)
	}
	ended := errors.New("ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	err = p.List(ctx, dir, func() { cancel(ended) }, func(r report.Row) bool {
		if r.Gone != "" {
			t.Errorf("after the end: %+v", r)
		}
		return true
	})
	if !errors.Is(err, ended) {
		t.Errorf("%v, want that it has ended", err)
	}
}
