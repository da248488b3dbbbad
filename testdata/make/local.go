package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"snapmount/diffstore/vsstest"
)

// plan says how a sparse volume with local snapshots is made. It is laid out as other readers want it too, so that they
// can be compared with.
type plan struct {
	name       string
	size, area int64 // bytes of the volume, and of its diff area
	snapshots  int
	change     func(k int, dir string, truth sums) error // makes the files when k is 0; then changes them, and the sums
}

// sums has by path the SHA-256 that a point must show; that of a directory is of the sorted paths of the files below it,
// a line each.
type sums map[string]string

// set notes the content of a path.
func (s sums) set(path string, content []byte) { s[path] = fmt.Sprintf("%x", sha256.Sum256(content)) }

// build makes the volume, with a snapshot between any two changes, and beside it out.sha256, the sums of all points.
func (p plan) build(work, out string) error {
	v, err := newVolume(work, p.name, p.size, map[string]int64{catalogID: p.area})
	if err != nil {
		return err
	}
	truth, err := os.Create(out + ".sha256")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(truth)
	d, err := attach(v)
	if err != nil {
		return err
	}
	if err := errors.Join(p.run(v, d, w), d.detach(), w.Flush(), truth.Close()); err != nil {
		return err
	}
	if err := os.Rename(v.img, out); err == nil {
		return nil
	}
	return command("cp", "--sparse=always", v.img, filepath.Clean(out))
}

func (p plan) run(v *volume, d *disk, w *bufio.Writer) error {
	truth := sums{}
	for k := range p.snapshots + 1 {
		if err := v.edit(func(dir string) error { return p.change(k, dir, truth) }); err != nil {
			return err
		}
		point := "current"
		if k < p.snapshots {
			free, err := freeBlocks(v.img)
			if err != nil {
				return err
			}
			if _, err := d.sim.Snapshot(vsstest.Options{Created: day(k), Free: free}); err != nil {
				return err
			}
			point = fmt.Sprintf("vss%d", k+1)
		}
		for _, path := range slices.Sorted(maps.Keys(truth)) {
			fmt.Fprintf(w, "%s  %s/%s\n", truth[path], point, path)
		}
	}
	return nil
}

// day is when snapshot k is taken.
func day(k int) time.Time { return time.Date(2026, 3, 1+k, 12, 0, 0, 0, time.UTC) }

// makeLocal builds a volume of small files with six snapshots.
func makeLocal(work, out string, size int64, files int) error {
	change := func(k int, dir string, truth sums) error {
		var errs []error
		for i := range files {
			if k == 0 || i%(k+5) == 0 {
				name := fmt.Sprintf("Users/u%02d/d%02d/file%04d.bin", i%10, i/10%20, i)
				content := noise(40<<10, uint32(i+files*k))
				errs = append(errs, write(dir, name, string(content)))
				truth.set(name, content)
			}
		}
		return errors.Join(append(errs, redate(dir, day(k)))...)
	}
	return plan{"Local", size, min(size/8, 1<<30), 6, change}.build(work, out)
}
