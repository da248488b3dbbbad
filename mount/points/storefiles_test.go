package points_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// Where the catalog of vsstest.qcow2 is, and the tables of its stores behind their headers.
var (
	vsstestCatalog = int64(0x6e30000)
	vsstestTables  = map[int64]int64{0x31564000: 0xc000, 0x6e44000: 0x14000}
)

// sparseCopy writes the volume of an image to a sparse file.
func sparseCopy(t *testing.T, m layer.Mapper, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for e, err := range layer.Resolve(m, 0, m.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Base == nil {
			continue
		}
		b := make([]byte, e.Len)
		if err := layer.ReadFull(m, b, e.Off); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(b, e.Off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(m.Size()); err != nil {
		t.Fatal(err)
	}
}

func zero(t *testing.T, path string, off, n int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, n), off); err != nil {
		t.Fatal(err)
	}
}

// captured copies the files of VSS out of a volume by their clusters, under other names.
func captured(t *testing.T, p *points.Point, dir string) {
	t.Helper()
	n, _, err := p.Lookup("System Volume Information", false)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := n.Children()
	if err != nil || len(entries) != 3 {
		t.Fatal(len(entries), err)
	}
	for i, e := range entries {
		n, err := e.Node()
		if err != nil {
			t.Fatal(err)
		}
		m, err := n.Clusters()
		if err != nil {
			t.Fatal(err)
		}
		sparseCopy(t, m, filepath.Join(dir, string(rune('a'+i))))
	}
}

// TestLostTables takes away the catalog of a real volume, which its own store files then replace, and then the tables of
// the stores too, which copies of those files replace.
func TestLostTables(t *testing.T) {
	whole := open(t, testenv.Shared(t, "data", "vsstest.qcow2"))
	want := []map[string]string{contents(t, whole.Volumes[0].Snapshots()[0]), contents(t, whole.Volumes[0].Snapshots()[1])}
	image, dir := filepath.Join(t.TempDir(), "lost.raw"), t.TempDir()
	sparseCopy(t, whole.Volumes[0].Block, image)
	captured(t, whole.Volumes[0].Current(), dir)

	zero(t, image, vsstestCatalog, 0x10000)
	checkRecovered(t, open(t, image), want, true)
	noHeader := filepath.Join(t.TempDir(), "noheader.raw")
	sparseCopy(t, open(t, image).Volumes[0].Block, noHeader)
	zero(t, noHeader, 0x1e00, 512)
	checkRecovered(t, open(t, noHeader), want, true)
	for off, n := range vsstestTables {
		zero(t, image, off, n)
	}
	for _, p := range open(t, image).Volumes[0].Snapshots() {
		if own, _ := p.Snapshot.Check(); own == nil {
			t.Errorf("%s has no table, and no damage", p.Name)
		}
	}
	s, err := points.Open(t.Context(), []string{image}, points.Options{DiffArea: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	checkRecovered(t, s, want, false)
}

func checkRecovered(t *testing.T, s *points.Set, want []map[string]string, inferred bool) {
	t.Helper()
	v := s.Volumes[0]
	if len(v.Snapshots()) != len(want) {
		t.Fatalf("%d snapshots, want %d; warnings %q", len(v.Snapshots()), len(want), s.Warnings())
	}
	for i, p := range v.Snapshots() {
		if p.Snapshot.Recovered != inferred || strings.HasSuffix(p.Name, "-recovered") != inferred {
			t.Errorf("snapshot %s: recovered is %v, want %v", p.Name, p.Snapshot.Recovered, inferred)
		}
		got := contents(t, p)
		if len(got) != len(want[i]) {
			t.Errorf("%s: %d files, want %d", p.Name, len(got), len(want[i]))
		}
		withheld := 0
		for path, hash := range want[i] {
			if inferred && got[path] == "unknown" { // written after the newest point: nothing proves that it was copied
				withheld++
			} else if got[path] != hash {
				t.Errorf("%s: %s: %s, want %s", p.Name, path, got[path], hash)
			}
		}
		if withheld > 1 {
			t.Errorf("%s: %d of %d files are unknown, want the log at most", p.Name, withheld, len(got))
		}
	}
}
