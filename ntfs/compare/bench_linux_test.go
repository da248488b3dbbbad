package compare_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// BenchmarkTrees compares two points of 8,000 files in 8 directories. Between them each 20th came, went, was renamed, moved
// or written again, in turn. Nothing is in a cache when it begins.
func BenchmarkTrees(b *testing.B) {
	const files, every, changes = 8000, 20, 400
	image := format(b, 4096)
	path := func(dir string, i int, end string) string {
		return filepath.Join(dir, fmt.Sprint("d", i/1000%8), fmt.Sprintf("file %06d%s", i, end))
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	edit(b, image, func(dir string) {
		for i := range files {
			if i%1000 == 0 {
				if err := os.Mkdir(filepath.Dir(path(dir, i, "")), 0o700); err != nil {
					b.Fatal(err)
				}
			}
			write(path(dir, i, ".txt"), "old")
		}
	})
	states := []*os.File{keep(b, image, 0)}
	edit(b, image, func(dir string) {
		var err error
		for k, i := 0, 0; err == nil && i < files; k, i = k+1, i+every {
			old := path(dir, i, ".txt")
			switch k % 5 {
			case 0:
				write(path(dir, i, " added.txt"), "new")
			case 1:
				err = os.Remove(old)
			case 2:
				err = os.Rename(old, path(dir, i, " renamed.txt"))
			case 3:
				err = os.Rename(old, path(dir, i+1000, ".txt moved"))
			default:
				write(old, "new")
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	})
	states = append(states, keep(b, image, 1))
	open := shadow(b, states)
	b.ReportAllocs()
	for b.Loop() {
		x, y := again(b, open[0]), again(b, open[1])
		all, err := compare.Trees(context.Background(), x, y, compare.Options{})
		if err != nil {
			b.Fatal(err)
		}
		told := 0
		for c, err := range all {
			if err != nil {
				b.Fatal(err)
			}
			if c.Kind != compare.Metadata {
				told++
			}
		}
		if told != changes {
			b.Fatalf("%d changes, want %d", told, changes)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/changes, "ns/change")
}

// again opens a tree anew, with a cache of its own.
func again(b *testing.B, t *ntfs.Tree) *ntfs.Tree {
	return openTree(b, t.Volume())
}
