//go:build linux

package mount_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// TestEndurance has 24 readers compare files and pieces of block images of all points of the demo image for some
// seconds, each time under another spelling and with no page in the kernel's cache, while one more does all else that a
// mount can be asked.
func TestEndurance(t *testing.T) {
	const readers, howLong = 24, 3 * time.Second
	s := openDemo(t)
	e := endurance{dir: mounted(t, s), sums: demoSums(t)}
	e.paths = slices.Sorted(maps.Keys(e.sums))
	for _, v := range s.Volumes {
		_, b := blockBytes(t, v.Points[1])
		e.images = append(e.images, image{"raw/" + v.Name + "/vss1.img", b})
	}
	var wg sync.WaitGroup
	for i := range readers + 1 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 24))
			for end := time.Now().Add(howLong); time.Now().Before(end); {
				err := e.read(rnd)
				if i == readers {
					err = e.ask(rnd)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d reads, %d rounds of other requests", e.reads.Load(), e.asked.Load())
	if e.reads.Load() < 2*readers || e.asked.Load() < 2 {
		t.Error("next to nothing was read")
	}
}

// endurance is what the readers share.
type endurance struct {
	dir          string
	sums         map[string]string // of files, by path below dir
	paths        []string
	images       []image
	reads, asked atomic.Int64
}

type image struct {
	path  string
	bytes []byte
}

// read compares a file, or some bytes of a block image.
func (e *endurance) read(rnd *rand.Rand) error {
	e.reads.Add(1)
	if rnd.IntN(8) == 0 {
		return e.readImage(rnd)
	}
	path := e.paths[rnd.IntN(len(e.paths))]
	b, err := readUncached(filepath.Join(e.dir, respelled(rnd, path)))
	if sum := fmt.Sprintf("%x", sha256.Sum256(b)); err != nil || sum != e.sums[path] {
		return fmt.Errorf("%s: %d bytes of SHA-256 %s, want %s, %w", path, len(b), sum, e.sums[path], err)
	}
	return nil
}

func (e *endurance) readImage(rnd *rand.Rand) error {
	img := e.images[rnd.IntN(len(e.images))]
	off := rnd.IntN(len(img.bytes))
	b := make([]byte, min(1+rnd.IntN(256<<10), len(img.bytes)-off))
	f, err := os.Open(filepath.Join(e.dir, img.path))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(b, int64(off))
	if err = errors.Join(err, forget(f)); err != nil || !bytes.Equal(b, img.bytes[off:][:len(b)]) {
		return fmt.Errorf("%s: other bytes in %d at 0x%x, %w", img.path, len(b), off, err)
	}
	return nil
}

// readUncached reads a file that the kernel then forgets, so that the next reader's reads come to the mount.
func readUncached(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return b, errors.Join(err, forget(f))
}

func forget(f *os.File) error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// respelled changes the case of letters in the last name, which NTFS finds all the same and the kernel has not cached.
func respelled(rnd *rand.Rand, path string) string {
	dir, name := filepath.Split(path)
	return dir + strings.Map(func(r rune) rune {
		if rnd.IntN(2) == 0 {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, name)
}

// ask makes the requests that are not reads, for one file and its directory.
func (e *endurance) ask(rnd *rand.Rand) error {
	e.asked.Add(1)
	path := e.paths[rnd.IntN(len(e.paths))]
	file := filepath.Join(e.dir, path)
	sum, b := make([]byte, 64), make([]byte, 4096)
	_, err := unix.Getxattr(file, "user.snapmount.sha256", sum)
	if string(sum) != e.sums[path] || err != nil {
		return fmt.Errorf("%s: user.snapmount.sha256 is %q, want %s, %w", path, sum, e.sums[path], err)
	}
	var fs unix.Statfs_t
	_, err1 := unix.Listxattr(file, b)
	_, err2 := unix.Getxattr(file, "system.ntfs_times", b)
	err = errors.Join(err1, err2, unix.Statfs(file, &fs))
	names, err1 := os.ReadDir(filepath.Dir(file))
	points, err2 := os.ReadDir(filepath.Join(filepath.Dir(file), ".snapshots"))
	for _, p := range points {
		_, err3 := os.Stat(filepath.Join(filepath.Dir(file), ".snapshots", p.Name()))
		err = errors.Join(err, err3)
	}
	if err = errors.Join(err, err1, err2); err != nil || len(names) == 0 || fs.Blocks == 0 {
		return fmt.Errorf("%s: %d names, %d blocks, %w", path, len(names), fs.Blocks, err)
	}
	if _, err := os.Stat(fmt.Sprintf("%s.%x", file, rnd.Uint64())); !os.IsNotExist(err) {
		return fmt.Errorf("a name that is not there: %w", err)
	}
	return readLinks(filepath.Join(e.dir, strings.SplitN(path, "/", 2)[0], "snapshots"))
}

// readLinks looks at "latest" and "oldest".
func readLinks(dir string) error {
	for _, name := range []string{"latest", "oldest"} {
		to, err := os.Readlink(filepath.Join(dir, name))
		if _, err2 := os.Stat(filepath.Join(dir, to)); err != nil || err2 != nil {
			return fmt.Errorf("%s -> %q: %w", name, to, errors.Join(err, err2))
		}
	}
	return nil
}

// demoSums returns the SHA-256 of the files of the demo image, by path in a mount: not of its stores, megabytes that are
// the same at all points.
func demoSums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for label, points := range demoFiles(t) {
		volume := map[string]string{"Documents": "p1-Documents", "Archive": "p2-Archive"}[label]
		for point, files := range points {
			for path, sum := range files {
				if sum != "link" && !strings.HasPrefix(path, "System Volume") {
					sums[filepath.Join(volume, point, path)] = sum
				}
			}
		}
	}
	return sums
}
