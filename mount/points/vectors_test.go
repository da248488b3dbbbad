package points_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// vectorFile is a file of a snapshot as an independent reader saw it: times to the second, and only if it could read
// the content the sha256.
type vectorFile struct {
	Type, Inode, Name           string
	Mtime, Atime, Ctime, Crtime string
	Size                        int64
	Class, Sha256               string
}

type vectors struct {
	Snapshots []struct {
		StackPosition int    `json:"stack_position"`
		CopyID        string `json:"copy_id"`
		CreationTime  string `json:"creation_time"`
		Files         []vectorFile
	}
}

func readVectors(t *testing.T, name string) (want vectors) {
	t.Helper()
	b, err := os.ReadFile(testenv.Shared(t, "vectors", name))
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestFilesEqualVectors(t *testing.T) {
	for name, image := range map[string]func() (path string, volume int){
		"vsstest.json": func() (string, int) { return testenv.Shared(t, "data", "vsstest.qcow2"), 0 },
		"vss_3_volstor.json": func() (string, int) {
			dir := t.TempDir()
			testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), "-C", dir)
			return filepath.Join(dir, "vss_3_volstor.raw"), 1
		},
	} {
		want := readVectors(t, name)
		path, volume := image()
		v := open(t, path).Volumes[volume]
		if len(v.Snapshots()) != len(want.Snapshots) || len(want.Snapshots) != 2 {
			t.Fatalf("%s: %d snapshots, want %d", name, len(v.Snapshots()), len(want.Snapshots))
		}
		for i, w := range want.Snapshots {
			p := v.Snapshots()[i]
			if p.Snapshot.Index != w.StackPosition || p.Snapshot.CopyID.String() != w.CopyID || p.Created().Format(wintype.Layout7) != w.CreationTime {
				t.Errorf("%s: snapshot %d is {%s} of %s", name, p.Snapshot.Index, p.Snapshot.CopyID, p.Created())
			}
			if n := compareVectors(t, p, w.Files); n < 10 {
				t.Errorf("%s: only %d contents compared", name, n)
			}
		}
	}
}

// compareVectors checks names, records, times, sizes and content, and that no user file is there beside. It returns how
// many contents were compared.
func compareVectors(t *testing.T, p *points.Point, files []vectorFile) (hashed int) {
	expected := map[string]bool{}
	for _, f := range files {
		if f.Type == "V/V" || strings.Contains(f.Inode, "-144-") && strings.Contains(f.Name, ":") {
			continue // made up by that reader, or an index, which is no stream
		}
		n, stream, err := p.Lookup(f.Name, false)
		if err != nil {
			t.Error(err)
			continue
		}
		if stream == "" && n.Kind != ntfs.KindDir {
			expected[f.Name] = true
		}
		record, _, _ := strings.Cut(f.Inode, "-")
		if got := strconv.FormatUint(n.Ref.Record, 10); got != record {
			t.Errorf("%s: record %s, want %s", f.Name, got, record)
		}
		for got, want := range map[wintype.Filetime]string{n.Times.Modified: f.Mtime, n.Times.Accessed: f.Atime, n.Times.Changed: f.Ctime, n.Times.Created: f.Crtime} {
			if text := got.Time().Format("2006-01-02 15:04:05 (UTC)"); text != want {
				t.Errorf("%s: time %s, want %s", f.Name, text, want)
			}
		}
		if f.Sha256 == "" || n.Kind == ntfs.KindDir && stream == "" {
			continue
		}
		hashed++
		if size, hash := streamSum(t, n, stream); size != f.Size || hash != f.Sha256 {
			t.Errorf("%s: %d bytes, sha256 %s, want %d, %s", f.Name, size, hash, f.Size, f.Sha256)
		}
	}
	for path := range contents(t, p) {
		if !expected[path] && !strings.HasPrefix(path, "$Extend/") {
			t.Errorf("%s is not among the vectors", path)
		}
	}
	return hashed
}
