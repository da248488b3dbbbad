package restore_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/restore"
)

// swapping puts links to outside in the place of directories of dest, and takes them away again, until stop is closed. It
// returns how many times it could.
func swapping(dest, outside string, stop <-chan struct{}) (swaps int) {
	for {
		for d := range 8 {
			select {
			case <-stop:
				return swaps
			default:
			}
			name, aside := fmt.Sprintf("%s/d%d", dest, d), fmt.Sprintf("%s/aside%d", dest, d)
			if os.Rename(name, aside) != nil || os.Symlink(outside, name) != nil {
				continue
			}
			swaps++
			os.Remove(name)
			os.Rename(aside, name)
		}
	}
}

// TestSwapped restores, and applies sidecars, while directories of the target become links that lead out of it: nothing
// is written there.
func TestSwapped(t *testing.T) {
	image := volumeOf(t, func(dir string) error {
		var err error
		for d := range 8 {
			for i := range 50 {
				err = errors.Join(err, write(dir, fmt.Sprintf("d%d/sub%d/f%d", d, i%3, i), strings.Repeat("x", 5000)))
			}
		}
		return err
	})
	outer := t.TempDir()
	if err := errors.Join(write(outer, "outside/f1", "old"), write(outer, "outside/sub0/f0", "old"), write(outer, "outside/sub1/f1", "old")); err != nil {
		t.Fatal(err)
	}
	dest, outside := filepath.Join(outer, "dest"), filepath.Join(outer, "outside")
	if err := os.Mkdir(dest, 0o700); err != nil {
		t.Fatal(err)
	}
	before, times := listing(t, outside), modified(t, outside)
	stop, swaps := make(chan struct{}), make(chan int)
	go func() { swaps <- swapping(dest, outside, stop) }()
	span := time.Second
	if os.Getenv("SNAPMOUNT_LONG") != "" {
		span = 10 * time.Second
	}
	rounds, failed, told := 0, 0, 0
	for end := time.Now().Add(span); time.Now().Before(end) || failed+told == 0 && rounds < 50; rounds++ {
		r := restored(t, testenv.Open(t, image), dest, restore.Options{Overwrite: restore.Always, Resume: rounds%2 == 1})
		failed += len(r.failed())
		root, err := os.OpenRoot(dest)
		if err != nil {
			t.Fatal(err)
		}
		err = restore.Apply(t.Context(), root, func(_ string, _ []string, err error) {
			if err != nil {
				told++
			}
		})
		if errors.Is(err, fs.ErrNotExist) { // nothing was restored at all
			err = root.Close()
		} else {
			err = errors.Join(err, root.Remove(restore.SidecarName), root.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	close(stop)
	t.Logf("%d swaps, %d rounds, %d items failed, %d lines", <-swaps, rounds, failed, told)
	if got := listing(t, outside); got != before || modified(t, outside) != times {
		t.Errorf("outside became\n%s\nfrom\n%s", got, before)
	}
	if failed+told == 0 {
		t.Error("no swap was met")
	}
}

// modified lists the times of change of the records of all that is in a directory.
func modified(t *testing.T, dir string) string {
	return string(testenv.Run(t, "find", dir, "-printf", `%P %T@ %C@\n`))
}
