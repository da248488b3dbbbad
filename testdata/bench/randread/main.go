//go:build linux

// Command randread reads blocks of 4 KiB at random offsets of a file: "randread FILE READS THREADS" prints the sha256
// of what was read. The offsets depend on the arguments and the size of the file only, and the kernel reads nothing
// ahead.
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

const blockSize = 4096

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "randread:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%d arguments, want FILE READS THREADS", len(args))
	}
	reads, err1 := strconv.Atoi(args[1])
	threads, err2 := strconv.Atoi(args[2])
	f, err3 := os.Open(args[0])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if reads < 1 || threads < 1 || info.Size() < blockSize {
		return fmt.Errorf("%d reads by %d threads of %d bytes", reads, threads, info.Size())
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
		return err
	}
	runtime.GOMAXPROCS(threads) // else a blocked read keeps others from starting
	sums, errs := make([][]byte, threads), make([]error, threads)
	var all sync.WaitGroup
	for i := range threads {
		all.Go(func() { sums[i], errs[i] = read(f, info.Size()/blockSize, reads/threads, uint64(i)) })
	}
	all.Wait()
	h := sha256.New()
	for _, sum := range sums {
		h.Write(sum)
	}
	fmt.Printf("%x\n", h.Sum(nil))
	return errors.Join(errs...)
}

// read gives the sum of n blocks of a file that has so many.
func read(f *os.File, blocks int64, n int, seed uint64) ([]byte, error) {
	r, h, buf := rand.New(rand.NewPCG(1, seed)), sha256.New(), make([]byte, blockSize)
	for range n {
		if _, err := f.ReadAt(buf, r.Int64N(blocks)*blockSize); err != nil {
			return nil, err
		}
		h.Write(buf)
	}
	return h.Sum(nil), nil
}
