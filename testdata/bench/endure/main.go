// Command endure has 24 readers read what a mount shows, for a time, and compares it with sums that testdata/make wrote:
//
//	endure FILE.sha256 DIRECTORY PID SECONDS
//
// DIRECTORY is what the paths of the sums are below, PID the process that serves it, whose memory is told four times.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "endure:", err)
		os.Exit(1)
	}
}

const readers = 24

// reading is what the readers share.
type reading struct {
	dir                    string
	sums                   []string // lines of sha256sum
	files, bytes, failures atomic.Int64
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("usage: endure FILE.sha256 DIRECTORY PID SECONDS")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	r := &reading{dir: args[1], sums: strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var group sync.WaitGroup
	for i := range readers {
		group.Go(func() { r.read(ctx, rand.New(rand.NewPCG(uint64(i), 0))) })
	}
	for quarter := range 4 {
		time.Sleep(time.Duration(seconds) * time.Second / 4)
		fmt.Printf("%d/4: %d files, %d MiB, %d errors, %s\n", quarter+1, r.files.Load(), r.bytes.Load()>>20, r.failures.Load(), memory(args[2]))
	}
	cancel()
	group.Wait()
	if n := r.failures.Load(); n > 0 || r.files.Load() == 0 {
		return fmt.Errorf("%d errors in %d files", n, r.files.Load())
	}
	return nil
}

// memory returns what a process has in memory.
func memory(pid string) string {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	_, rss, found := strings.Cut(string(text), "VmRSS:")
	if err != nil || !found {
		return "no process " + pid
	}
	line, _, _ := strings.Cut(rss, "\n")
	return "VmRSS " + strings.TrimSpace(line)
}

// read compares one path after the other, chosen at random, until ctx is done.
func (r *reading) read(ctx context.Context, rnd *rand.Rand) {
	for ctx.Err() == nil {
		want, path, found := strings.Cut(r.sums[rnd.IntN(len(r.sums))], "  ")
		h := sha256.New()
		err := r.sum(ctx, rnd, h, filepath.Join(r.dir, path))
		if ctx.Err() != nil {
			return
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)); err == nil && (!found || got != want) {
			err = fmt.Errorf("sum %s, want %q", got, want)
		}
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			r.failures.Add(1)
		}
		r.files.Add(1)
	}
}

func (r *reading) sum(ctx context.Context, rnd *rand.Rand, h hash.Hash, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return list(ctx, h, path)
	}
	const small = 4 << 20
	if info.Size() <= small && rnd.IntN(2) == 0 {
		err = r.pieces(rnd, h, f, info.Size())
	} else {
		err = r.stream(ctx, h, f)
	}
	// The kernel forgets the file, so that the next reader's reads come to the mount.
	return errors.Join(err, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// stream reads a file in order.
func (r *reading) stream(ctx context.Context, h hash.Hash, f *os.File) error {
	b := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := f.Read(b)
		h.Write(b[:n])
		r.bytes.Add(int64(n))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// pieces reads a file by pieces of odd size, in any order.
func (r *reading) pieces(rnd *rand.Rand, h hash.Hash, f *os.File, size int64) error {
	b, step := make([]byte, size), 1+rnd.Int64N(100_000)
	for _, i := range rnd.Perm(int((size + step - 1) / step)) {
		off := int64(i) * step
		n, err := f.ReadAt(b[off:min(off+step, size)], off)
		r.bytes.Add(int64(n))
		if err != nil {
			return err
		}
	}
	h.Write(b)
	return nil
}

// list writes the sorted paths of all files below a directory, a line each.
func list(ctx context.Context, h hash.Hash, dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, strings.TrimPrefix(path, dir+"/"))
		}
		return errors.Join(err, ctx.Err())
	})
	slices.Sort(paths)
	var b bytes.Buffer
	for _, p := range paths {
		b.WriteString(p + "\n")
	}
	h.Write(b.Bytes())
	return err
}
