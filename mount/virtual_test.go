//go:build linux

package mount_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// demoTruth is what each point of the demo's volumes held: label, vssN or current, path, sha256 or what a link says.
func demoTruth(t *testing.T) map[string]map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth map[string]map[string]map[string]string
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	for _, points := range truth {
		for _, files := range points {
			maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "System Volume Information") })
		}
	}
	return truth
}

// sums gives the sha256 of each file below dir by path from there, and the text of links.
func sums(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, "System Volume Information") {
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		if e.Type() == fs.ModeSymlink {
			out[name], err = os.Readlink(path)
			return err
		}
		b, err := os.ReadFile(path)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

// points of a demo volume, oldest first: as the truth calls them, and as the mount does.
var demoPoints = map[string][][2]string{
	"p1-Documents": {{"vss1", "2026-03-02T180000Z"}, {"vss2", "2026-03-03T180000Z"}, {"vss3", "2026-03-04T180000Z"}, {"current", "current"}},
	"p2-Archive":   {{"vss1", "2026-03-02T180000Z"}, {"vss2", "2026-03-04T180000Z"}, {"current", "current"}},
}

// TestVersions compares versions/ with what was written: an entry for each run of points with the same content.
func TestVersions(t *testing.T) {
	top, truth := mounted(t, openDemo(t)), demoTruth(t)
	for volume, points := range demoPoints {
		held := truth[volume[3:]]
		want := map[string]string{}
		for i, p := range points {
			for name, sum := range held[p[0]] {
				if i > 0 && held[points[i-1][0]][name] == sum {
					continue // not the first of its run
				}
				last := i
				for last+1 < len(points) && held[points[last+1][0]][name] == sum {
					last++
				}
				interval := p[1]
				if last > i {
					interval += ".." + points[last][1]
				}
				want[name+"/"+interval+filepath.Ext(name)] = sum
			}
		}
		got := sums(t, filepath.Join(top, volume, "versions"))
		for name, text := range got {
			if len(want[name]) != 64 && want[name] != "" { // the truth has the text of a link; the view links to that link
				to, err := os.Readlink(filepath.Join(top, volume, "versions", filepath.Dir(name), text))
				if err != nil || to == "" {
					t.Errorf("%s leads to %s: %v", name, text, err)
				}
				got[name] = want[name]
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, want %v", volume, got, want)
		}
	}
	for _, name := range []string{"none", "Letters/none", "Letters/offer.txt/none", "Letters/offer.txt/current.doc"} {
		if _, err := os.Lstat(filepath.Join(top, "p1-Documents/versions", name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(top, "p1-Documents/versions/LETTERS/Offer.TXT")); err != nil {
		t.Error(err) // case as Windows has it
	}
}
