package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"snapmount/diffstore/vsstest"
)

const (
	millionFiles   = 1_000_000
	millionChanges = 10_000
)

// makeMillion builds 1,000,000 files in 1,000 directories, three of four resident in the MFT and the others of one
// cluster, and one snapshot, after which 1 % of them are changed. Beside it out.changes.jsonl tells what.
func makeMillion(work, out string) error {
	v, err := newVolume(work, "Million", 8<<30, map[string]int64{catalogID: 512 * mib})
	if err != nil {
		return err
	}
	if err := v.edit(fillMillion); err != nil {
		return err
	}
	d, err := attach(v)
	if err != nil {
		return err
	}
	if err := errors.Join(millionDelta(v, d, out+".changes.jsonl"), d.detach()); err != nil {
		return err
	}
	if err := os.Rename(v.img, out); err == nil {
		return nil
	}
	return command("cp", "--sparse=always", v.img, filepath.Clean(out))
}

func millionName(i int) string { return fmt.Sprintf("data/d%03d/file %06d.txt", i/1000, i) }

// millionText is what file i holds in a version; a quarter of the files are too large for their records.
func millionText(i, version int) string {
	s := fmt.Sprintf("file %06d version %d.\n", i, version)
	if i%4 == 3 {
		return strings.Repeat(s, 60)
	}
	return s
}

func fillMillion(dir string) error {
	for i := range millionFiles {
		if err := write(dir, millionName(i), millionText(i, 1)); err != nil {
			return err
		}
	}
	return nil
}

// A change is one line of the truth: a kind as "diff" names them. Renamed files have an old path.
type millionChange struct {
	Kind    string `json:"kind"`
	Path    string `json:"path"`
	OldPath string `json:"old_path,omitempty"`
	Times   string `json:"times,omitempty"` // "kept" where content was replaced in place, and the times put back
}

// millionDelta takes the snapshot, changes files and notes what was done.
func millionDelta(v *volume, d *disk, truth string) error {
	free, err := freeBlocks(v.img)
	if err != nil {
		return err
	}
	if _, err := d.sim.Snapshot(vsstest.Options{Created: day(0), Free: free}); err != nil {
		return err
	}
	f, err := os.Create(truth)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	err = v.edit(func(dir string) error {
		for k, i := range rand.New(rand.NewPCG(5, 0)).Perm(millionFiles)[:millionChanges] {
			c, err := changeMillion(dir, k, i)
			if err != nil {
				return err
			}
			if err := enc.Encode(c); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, w.Flush(), f.Close())
}

// changeMillion does change k to file i, or makes a new file beside it.
func changeMillion(dir string, k, i int) (millionChange, error) {
	name := millionName(i)
	switch k % 5 {
	case 0:
		added := fmt.Sprintf("data/d%03d/added %06d.txt", i/1000, i)
		return millionChange{Kind: "created", Path: "/" + added}, write(dir, added, millionText(i, 2))
	case 1:
		return millionChange{Kind: "deleted", Path: "/" + name}, os.Remove(filepath.Join(dir, name))
	case 2:
		to := strings.TrimSuffix(name, ".txt") + " (renamed).txt"
		if k%2 == 0 {
			to = fmt.Sprintf("data/d%03d/moved %06d.txt", (i/1000+1)%1000, i)
		}
		return millionChange{Kind: "renamed", Path: "/" + to, OldPath: "/" + name}, os.Rename(filepath.Join(dir, name), filepath.Join(dir, to))
	case 3:
		return millionChange{Kind: "content", Path: "/" + name}, write(dir, name, millionText(i, 3)+"edited\n")
	}
	path, times := filepath.Join(dir, name), make([]byte, 32)
	if _, err := unix.Lgetxattr(path, "system.ntfs_times", times); err != nil {
		return millionChange{}, err
	}
	err := overwrite(dir, name, 0, []byte(millionText(i, 4)))
	return millionChange{Kind: "content", Path: "/" + name, Times: "kept"}, errors.Join(err, unix.Lsetxattr(path, "system.ntfs_times", times, 0))
}
