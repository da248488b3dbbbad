package treetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/tree"
)

// written is what was written to the volumes of the demo image: the SHA-256 of each file, or "link", by volume, by point
// and by path.
func written(t *testing.T) (files map[string]map[string]map[string]string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err == nil {
		err = json.Unmarshal(b, &files)
	}
	if err != nil {
		t.Fatal(err)
	}
	return map[string]map[string]map[string]string{"p1-Documents": files["Documents"], "p2-Archive": files["Archive"]}
}

// contents reads each file at each point.
func (s *suite) contents(t *testing.T) {
	read := 0
	for volume, points := range written(t) {
		for point, files := range points {
			for name, want := range files {
				path := path.Join("/", volume, point, name)
				if want == "link" {
					continue
				}
				b, err := s.client.Read(path)
				if sum := fmt.Sprintf("%x", sha256.Sum256(b)); sum != want || err != nil {
					t.Errorf("%s: %d bytes of SHA-256 %s, want %s, %v", path, len(b), sum, want, err)
				}
				read++
			}
		}
	}
	if read < 30 {
		t.Errorf("only %d files", read)
	}
}

// everyNode compares all that the tree has, node by node.
func (s *suite) everyNode(t *testing.T) {
	all := s.everything(t)
	entries := map[string][]place{}
	for _, p := range all {
		if p.path != "/" && p.listed {
			dir := path.Dir(p.path)
			entries[dir] = append(entries[dir], p)
		}
	}
	for _, p := range all {
		if p.path == "/README.txt" {
			continue // it names the image
		}
		info, err := s.client.Stat(p.path)
		if err != nil {
			t.Errorf("%s: %v", p.path, err)
			continue
		}
		s.compare(t, p, info)
		switch p.Kind {
		case tree.KindDir:
			s.compareEntries(t, p, entries[p.path])
		case tree.KindFile:
			s.compareContent(t, p)
		case tree.KindLink:
			want, err := p.Link()
			if got, err2 := s.client.Link(p.path); got != want || err != nil || err2 != nil {
				t.Errorf("%s -> %q, want %q, %v, %v", p.path, got, want, err, err2)
			}
		}
	}
}

// compare holds what is shown of a node against the node.
func (s *suite) compare(t *testing.T, p place, got Info) {
	t.Helper()
	want, err := p.Attr()
	if err != nil {
		t.Fatalf("%s: %v", p.path, err)
	}
	if got.Kind != p.Kind || s.IDs && got.ID != p.ID || p.Kind != tree.KindDir && got.Attr.Size != want.Size {
		t.Errorf("%s: kind %d, number 0x%x, %d bytes, want kind %d, number 0x%x, %d bytes", p.path, got.Kind, got.ID, got.Attr.Size, p.Kind, p.ID, want.Size)
	}
	if s.LinkCount && got.Attr.Links != want.Links {
		t.Errorf("%s: %d links, want %d", p.path, got.Attr.Links, want.Links)
	}
	if want.Generation == 0 {
		return // what is in no point has the time of the start, and its blocks are the image's
	}
	units := func(n int64) int64 { return (n + 511) / 512 }
	if s.Allocated && units(got.Attr.Allocated) != units(want.Allocated) {
		t.Errorf("%s: 0x%x bytes allocated, want 0x%x", p.path, got.Attr.Allocated, want.Allocated)
	}
	for _, x := range []struct {
		shown     bool
		got, want time.Time
	}{
		{true, got.Attr.Modified, want.Modified}, {s.Times, got.Attr.Accessed, want.Accessed},
		{s.Times, got.Attr.Changed, want.Changed}, {s.Created, got.Attr.Created, want.Created},
	} {
		if unit := max(s.Precision, 100*time.Nanosecond); x.shown && !x.got.Truncate(unit).Equal(x.want.Truncate(unit)) {
			t.Errorf("%s: time %v, want %v", p.path, x.got, x.want)
		}
	}
}

func (s *suite) compareEntries(t *testing.T, dir place, want []place) {
	t.Helper()
	if !dir.listed && len(want) == 0 {
		return // what is in it was not looked at
	}
	list, err := s.client.List(dir.path)
	if err != nil {
		t.Errorf("%s: %v", dir.path, err)
		return
	}
	got := map[string]Info{}
	for _, e := range list {
		if _, twice := got[e.Name]; twice {
			t.Errorf("%s lists %s twice", dir.path, e.Name)
		}
		got[e.Name] = e
	}
	for _, w := range want {
		e, there := got[path.Base(w.path)]
		if !there || e.Kind != w.Kind || s.IDs && e.ID != w.ID {
			t.Errorf("%s is listed as %+v, want kind %d, number 0x%x", w.path, e, w.Kind, w.ID)
		}
	}
	if s.Links && len(got) != len(want) {
		t.Errorf("%s lists %d entries, want %d", dir.path, len(got), len(want))
	}
}

func (s *suite) compareContent(t *testing.T, p place) {
	t.Helper()
	got, err := s.client.Read(p.path)
	src, err2 := p.Open()
	if err != nil || err2 != nil {
		t.Errorf("%s: %v, %v", p.path, err, err2)
		return
	}
	want := make([]byte, src.Size())
	if err := layer.ReadFull(src, want, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: other bytes, %d of them, want %d, %v", p.path, len(got), len(want), err)
	}
}

// attributes looks at a file of two names, at one in its record.
func (s *suite) attributes(t *testing.T) {
	const point = "/p1-Documents/snapshots/2026-03-02T180000Z"
	stat := func(path string) Info { return s.stat(t, path) }
	plan, also, later := stat(point+"/Projects/plan.txt"), stat(point+"/Projects/plan (also).txt"), stat("/p1-Documents/current/Projects/plan.txt")
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	if plan.Kind != tree.KindFile || plan.Attr.Size != 111000 || !plan.Attr.Modified.Equal(noon) || s.Created && !plan.Attr.Created.Equal(noon) {
		t.Errorf("a file is %+v", plan)
	}
	if s.LinkCount && plan.Attr.Links != 2 || s.IDs && (plan.ID != also.ID || plan.ID == later.ID || plan.ID == 0) {
		t.Errorf("two names of a file are %+v and %+v, at the next point %+v", plan, also, later)
	}
	if letter := stat(point + "/Letters/offer.txt"); letter.Attr.Size != 52 || s.Allocated && letter.Attr.Allocated == 0 {
		t.Errorf("a file in its record is %+v", letter)
	}
}

func (s *suite) stat(t *testing.T, path string) Info {
	t.Helper()
	info, err := s.client.Stat(path)
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return info
}

// listings looks at what is listed where.
func (s *suite) listings(t *testing.T) {
	const point = "/p1-Documents/snapshots/2026-03-02T180000Z"
	for path, want := range map[string][]string{
		point + "/Letters":          {"offer.txt", "thanks.txt"},
		"/p1-Documents/current":     {"Letters", "My Letters", "Pictures", "Projects", "READ ME TO GET YOUR FILES BACK.txt", "System Volume Information"},
		"/p2-Archive/vss2/2025":     {"ledger.txt"},
		"/raw/p2-Archive":           {"current.img", "vss1.img", "vss2.img"},
		"/sets/2026-03-02T180000Z/": {"p1-Documents", "p2-Archive"},
	} {
		list, err := s.client.List(path)
		var got []string
		for _, e := range list {
			got = append(got, e.Name)
		}
		if slices.Sort(got); !slices.Equal(got, want) || err != nil {
			t.Errorf("%s lists %q, want %q, %v", path, got, want, err)
		}
	}
}
