package points_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// TestTellHoles writes the demo's disk in several ways: all of it, without what is zeros anyway, and without the clusters
// that are free now, as restoring from a backup of the clusters in use does.
func TestTellHoles(t *testing.T) {
	const block = 4096
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	s := openSet(t, demo)
	disk := make([]byte, s.Images[0].Disk.Size())
	if err := layer.ReadFull(s.Images[0].Disk, disk, 0); err != nil {
		t.Fatal(err)
	}
	free := make([]bool, len(disk)/block+1)
	for _, v := range s.Volumes {
		tree, err := v.Current().Files()
		if err != nil {
			t.Fatal(err)
		}
		used, err := tree.Allocation()
		if err != nil {
			t.Fatal(err)
		}
		for off := int64(0); off < tree.Size()/block*block; off += block {
			is, n, err := used(off, block)
			if err != nil {
				t.Fatal(err)
			}
			free[(v.Partition.Off+off)/block] = !is && n == block
		}
	}
	zero := make([]byte, block)
	for name, c := range map[string]struct {
		leave func(i int, b []byte) bool
		want  int
	}{
		"all":    {func(int, []byte) bool { return false }, 0},
		"zeros":  {func(_ int, b []byte) bool { return bytes.Equal(b, zero[:len(b)]) }, 0},
		"in use": {func(i int, _ []byte) bool { return free[i] }, 2},
	} {
		path := filepath.Join(t.TempDir(), "disk.raw")
		f, err := os.Create(path)
		if err == nil {
			err = f.Truncate(int64(len(disk)))
		}
		for i := 0; i*block < len(disk) && err == nil; i++ {
			if b := disk[i*block : min(len(disk), i*block+block)]; !c.leave(i, b) {
				_, err = f.WriteAt(b, int64(i*block))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		raw := openSet(t, path)
		raw.TellHoles()
		if n := strings.Count(strings.Join(raw.Warnings(), "\n"), "are free now and holes of the image file"); n != c.want {
			t.Errorf("%s: %d lines, want %d: %q", name, n, c.want, raw.Warnings())
		}
	}
}

func openSet(t *testing.T, path string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{path}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
