package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"snapmount/diffstore/vsstest"
)

// makeLocal builds a sparse volume with six local snapshots, between which files changed. It is laid out as other
// readers want it too, so that they can be compared with.
func makeLocal(work, out string, size int64, files int) error {
	const snapshots = 6
	v, err := newVolume(work, "Local", size, map[string]int64{catalogID: min(size/8, 1<<30)})
	if err != nil {
		return err
	}
	var changes []func(string) error
	for k := range snapshots + 1 {
		changes = append(changes, func(dir string) error {
			var errs []error
			for i := range files {
				if k == 0 || i%(k+5) == 0 {
					name := fmt.Sprintf("Users/u%02d/d%02d/file%04d.bin", i%10, i/10%20, i)
					errs = append(errs, write(dir, name, string(noise(40<<10, uint32(i+files*k)))))
				}
			}
			return errors.Join(errs...)
		})
	}
	if err := steps(v, []int{1, 2, 3, 4, 5, 6, 7}, changes...); err != nil {
		return err
	}
	area, err := v.blocksOf(catalogID)
	if err != nil {
		return err
	}
	file, err := openFile(v.img)
	if err != nil {
		return err
	}
	if err := simulate(v, file, area); err != nil {
		return err
	}
	if err := os.Rename(v.img, out); err == nil {
		return nil
	}
	return command("cp", "--sparse=always", v.img, filepath.Clean(out))
}

func openFile(path string) (*vsstest.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return vsstest.NewFile(f)
}

// simulate writes the differences of the states through the simulator, block by block where either has data.
func simulate(v *volume, file *vsstest.File, area []vsstest.Blocks) error {
	live := v.img + ".live"
	if err := command("cp", "--sparse=always", v.img, live); err != nil {
		return err
	}
	states := append(append([]string{}, v.states...), live)
	if err := copyBlocks(file, states[0], live, nil); err != nil {
		return err
	}
	sim, err := vsstest.New(vsstest.Config{Volume: file, Area: area, NoTruth: true})
	if err != nil {
		return err
	}
	for k := range v.states {
		free, err := freeBlocks(states[k])
		if err != nil {
			return err
		}
		at := time.Date(2026, 3, 1+k, 12, 0, 0, 0, time.UTC)
		if _, err := sim.Snapshot(vsstest.Options{Created: at, Free: free}); err != nil {
			return err
		}
		if err := copyBlocks(file, states[k+1], states[k], sim); err != nil {
			return err
		}
	}
	return sim.Flush()
}
