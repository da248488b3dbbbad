package points_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// carveCases are volumes whose snapshots were deleted, with how many files at least are right, and how many points come
// back.
var carveCases = []struct {
	name          string
	points, right int
}{
	{"c1-emptied", 4, 73}, {"c2-removed", 5, 233}, {"c3-reused", 3, 36}, {"c4-twice", 6, 315}, {"c5-oldest", 2, 43}, {"c6-elsewhere", 3, 60},
}

// tally counts files.
type tally struct{ right, wrong, withheld int }

// TestCarved brings back what was deleted: no file is wrong, as many are right as can be, and all points are in order.
func TestCarved(t *testing.T) {
	testenv.NotUnderRace(t)
	for _, c := range carveCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{c.name + ".tar.gz", c.name + ".truth.tar.gz"} {
				testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "carve", name), "-C", dir)
			}
			image := filepath.Join(dir, c.name, c.name+".raw")
			truth := readTruth(t, filepath.Join(dir, c.name, "truth.json"))
			sum := tallyCarved(t, image, truth, carve.Agreed, c.points)
			if sum.wrong > 0 || sum.right < c.right {
				t.Errorf("%+v, want %d right at least and none wrong", sum, c.right)
			}
			tallyCarved(t, image, truth, carve.Doubtful, c.points)
		})
	}
}

func readTruth(t *testing.T, path string) (truth emptied) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	return truth
}

// tallyCarved compares the carved points of an image with the truth, point by point.
func tallyCarved(t *testing.T, image string, truth emptied, show carve.Trust, want int) (sum tally) {
	t.Helper()
	set, err := points.Open(t.Context(), []string{image}, points.Options{Carve: points.CarveScan, CarveShow: show, Warn: func(err error) { t.Log(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	count := 0
	for _, v := range set.Volumes {
		last := -1
		for _, p := range v.Points {
			if same, err := set.Point(p.Number); err != nil || same != p {
				t.Errorf("point %d is not %s: %v", p.Number, p.Name, err)
			}
		}
		for _, p := range v.Snapshots() {
			if p.Carved == nil {
				continue
			}
			count++
			at, files := truth.find(p.Snapshot.CopyID.String())
			if at < 0 {
				t.Logf("%s: vss%d %v is not in the truth by its id", p.Name, p.Snapshot.Index, p.Snapshot.CopyID)
				continue
			}
			if p.Carved.Ordered() && at < last {
				t.Errorf("%s is out of order", p.Name)
			}
			if p.Carved.Ordered() {
				last = at
			}
			one := tallyPoint(t, p, files)
			t.Logf("%v: point %d %s: %+v", show, at+1, p.Name, one)
			sum.right, sum.wrong, sum.withheld = sum.right+one.right, sum.wrong+one.wrong, sum.withheld+one.withheld
		}
	}
	t.Logf("%v: %+v", show, sum)
	if count < want {
		t.Errorf("%d carved points, want %d", count, want)
	}
	return sum
}

// find returns which of the snapshots has a copy identifier.
func (e emptied) find(id string) (int, []truthFile) {
	for _, v := range e.Volumes {
		for i, s := range v.Snapshots {
			if s.Copy == id {
				return i, s.Files
			}
		}
	}
	return -1, nil
}

func tallyPoint(t *testing.T, p *points.Point, files []truthFile) (n tally) {
	t.Helper()
	tree, err := p.Files()
	if err != nil {
		t.Logf("%s: %v", p.Name, err)
		n.withheld = len(files)
		return n
	}
	for _, f := range files {
		if f.Dir {
			continue
		}
		switch hash, err := recordSum(tree, ntfs.Ref{Record: f.Record, Seq: f.Sequence}, f.Size); {
		case err != nil:
			n.withheld++
		case hash == f.SHA256:
			n.right++
		default:
			n.wrong++
			if p.Carved != nil {
				t.Logf("%s: %s is wrong (lost: %q)", p.Name, f.Path, f.Lost)
			}
		}
	}
	return n
}
