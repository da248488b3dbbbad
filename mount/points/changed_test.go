package points_test

import (
	"os"
	"path/filepath"
	"testing"

	"snapmount/mount/points"
)

// TestChangedBytesIsReadOnce takes the image away after it was asked what each snapshot keeps, and before.
func TestChangedBytesIsReadOnce(t *testing.T) {
	whole := open(t, demo(t)).Volumes[0]
	want := map[string]int64{}
	for _, asked := range []bool{true, false} {
		image := filepath.Join(t.TempDir(), "volume.raw")
		sparseCopy(t, whole.Block, image)
		snapshots := open(t, image).Volumes[0].Snapshots()
		if asked {
			changedBytes(t, snapshots, func(p *points.Point, n int64, err error) {
				if want[p.Name] = n; err != nil || n == 0 {
					t.Error(p.Name, n, err)
				}
			})
		}
		if err := os.Truncate(image, 0); err != nil {
			t.Fatal(err)
		}
		changedBytes(t, snapshots, func(p *points.Point, n int64, err error) {
			if (err == nil) != asked || asked && n != want[p.Name] {
				t.Errorf("%s, asked before: %v: %d bytes, %v, want %d", p.Name, asked, n, err, want[p.Name])
			}
		})
	}
}

func changedBytes(t *testing.T, snapshots []*points.Point, see func(p *points.Point, n int64, err error)) {
	t.Helper()
	if len(snapshots) != 3 {
		t.Fatalf("%d snapshots", len(snapshots))
	}
	for _, p := range snapshots {
		n, err := p.ChangedBytes()
		see(p, n, err)
	}
}
