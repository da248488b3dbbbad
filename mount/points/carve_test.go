package points_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
)

// emptied is the truth of a volume whose snapshots were deleted.
type emptied struct {
	Volumes []struct {
		Snapshots []struct {
			Copy  string `json:"copy_id"`
			Files []truthFile
		}
	}
}

type truthFile struct {
	Path, SHA256, Lost string
	Size               int64
	Dir                bool
	Record             uint64
	Sequence           uint16
}

// TestEmptiedCatalog has a real file system's snapshots of which the catalog was emptied before most files were encrypted
// in place, without copies: nothing wrong is shown.
func TestEmptiedCatalog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"c1-emptied.tar.gz", "c1-emptied.truth.tar.gz"} {
		testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "carve", name), "-C", dir)
	}
	b, err := os.ReadFile(filepath.Join(dir, "c1-emptied", "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth emptied
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	v := open(t, filepath.Join(dir, "c1-emptied", "c1-emptied.raw")).Volumes[0]
	right, wrong, withheld := 0, 0, 0
	for i, want := range truth.Volumes[0].Snapshots {
		p := v.Snapshots()[i]
		if p.Snapshot.CopyID.String() != want.Copy || !p.Snapshot.Recovered {
			t.Fatalf("point %d is %v, want %v", i+1, p.Snapshot.CopyID, want.Copy)
		}
		tree, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range want.Files {
			if f.Dir {
				continue
			}
			switch hash, err := recordSum(tree, ntfs.Ref{Record: f.Record, Seq: f.Sequence}, f.Size); {
			case err != nil:
				withheld++
			case hash == f.SHA256:
				right++
			default:
				wrong++
				t.Errorf("%s: %s: %s, want %s (lost: %q)", p.Name, f.Path, hash, f.SHA256, f.Lost)
			}
		}
	}
	t.Logf("%d right, %d wrong, %d withheld", right, wrong, withheld)
	if right < 70 {
		t.Errorf("only %d files are right", right)
	}
}

// recordSum hashes the main stream of a file.
func recordSum(tree *ntfs.Tree, ref ntfs.Ref, size int64) (string, error) {
	n, err := tree.Node(ref)
	if err != nil {
		return "", err
	}
	got, hash, err := hashStream(n, "")
	if err == nil && got != size {
		return "another size", nil
	}
	return hash, err
}
