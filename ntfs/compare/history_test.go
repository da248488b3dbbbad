package compare_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

func openImage(t testing.TB, path string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{path}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// pointsOf lists the points of a volume, the oldest first, and moments for a path.
func pointsOf(v *points.Volume, path string) ([]*points.Point, []compare.Moment) {
	points := append(append([]*points.Point{}, v.Snapshots()...), v.Current())
	var moments []compare.Moment
	for _, p := range points {
		moments = append(moments, compare.Moment{Tree: p.Files, Find: func() (*ntfs.Node, string, error) { return p.Lookup(path, false) }})
	}
	return points, moments
}

// allSums follows a path and returns the SHA-256 of what the history says that each point has, by point and path.
func allSums(t *testing.T, v *points.Volume, path string) map[string]string {
	t.Helper()
	points, moments := pointsOf(v, path)
	versions, err := compare.History(t.Context(), moments, compare.HistoryOptions{Path: path, First: len(moments) - 1})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	sums := map[string]string{}
	for x := range versions {
		if x.Err != nil {
			t.Errorf("%s: %v", path, x.Err)
		}
		if x.Node == nil || x.Node.Kind != ntfs.KindFile && x.Stream == "" {
			continue
		}
		m, err := x.Node.Stream(x.Stream)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(m, 0, m.Size())); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for i := x.First; i <= x.Last; i++ {
			sums[points[i].Name+x.Path] = fmt.Sprintf("%x", h.Sum(nil))
		}
	}
	return sums
}

// TestHistoryOfDemo compares with what was written to each point.
func TestHistoryOfDemo(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth map[string]map[string]map[string]string // label, point, path
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	for _, v := range openImage(t, filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")).Volumes {
		names := map[string]string{}
		for i, p := range v.Snapshots() {
			names[fmt.Sprintf("vss%d", i+1)] = p.Name
		}
		names["current"] = "current"
		want, paths := map[string]string{}, map[string]bool{}
		for point, files := range truth[v.Label] {
			for path, sum := range files {
				if sum != "link" && !strings.HasPrefix(path, "System") {
					want[names[point]+"/"+path], paths[path] = sum, true
				}
			}
		}
		for path := range paths {
			got := allSums(t, v, path)
			for where, sum := range got {
				if want[where] != sum {
					t.Errorf("%s: %s at %s, want %q", path, sum, where, want[where])
				}
			}
			for where := range want {
				if _, at, _ := strings.Cut(where, "/"); at == path && got[where] == "" {
					t.Errorf("%s: nothing told of %s", path, where)
				}
			}
		}
		if len(paths) < 2 {
			t.Errorf("%s: %d paths", v.Name, len(paths))
		}
	}
}

// TestHistoryOfVectors compares with what an independent reader saw in images that Windows made.
func TestHistoryOfVectors(t *testing.T) {
	for name, image := range map[string]func() (path string, volume int){
		"vsstest.json": func() (string, int) { return testenv.Shared(t, "data", "vsstest.qcow2"), 0 },
		"vss_3_volstor.json": func() (string, int) {
			dir := t.TempDir()
			testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), "-C", dir)
			return filepath.Join(dir, "vss_3_volstor.raw"), 1
		},
	} {
		b, err := os.ReadFile(testenv.Shared(t, "vectors", name))
		if err != nil {
			t.Fatal(err)
		}
		var want struct {
			Snapshots []struct {
				Files []struct{ Name, Sha256 string }
			}
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		path, volume := image()
		v, compared := openImage(t, path).Volumes[volume], 0
		for i, s := range want.Snapshots {
			for _, f := range s.Files {
				if f.Sha256 == "" || strings.Contains(f.Name, ":") || strings.HasPrefix(f.Name, "$") {
					continue // the last: of a metafile, all that is told is in $MFT
				}
				compared++
				if got := allSums(t, v, f.Name)[v.Snapshots()[i].Name+"/"+f.Name]; got != f.Sha256 {
					t.Errorf("%s: %s in snapshot %d: %q, want %s", name, f.Name, i+1, got, f.Sha256)
				}
			}
		}
		if compared < 3 {
			t.Errorf("%s: %d files compared", name, compared)
		}
	}
}
