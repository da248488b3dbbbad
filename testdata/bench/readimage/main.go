// Command readimage reads the virtual disk of an image in process, the way "qemu-img bench" does:
//
//	readimage IMAGE                          prints the sha256 of the disk
//	readimage IMAGE BLOCK STEP COUNT DEPTH   reads COUNT blocks of BLOCK bytes, each STEP bytes after the one before,
//	                                         modulo the size of the disk, DEPTH of them at a time
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "readimage:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 && len(args) != 5 {
		return fmt.Errorf("%d arguments, want IMAGE, or IMAGE BLOCK STEP COUNT DEPTH", len(args))
	}
	img, err := imagefmt.Open(args[0], imagefmt.Options{Warn: func(err error) { fmt.Fprintln(os.Stderr, "readimage:", err) }})
	if err != nil {
		return err
	}
	defer img.Close()
	if len(args) == 1 {
		h := sha256.New()
		_, err := io.CopyBuffer(struct{ io.Writer }{h}, io.NewSectionReader(img, 0, img.Size()), make([]byte, 1<<20))
		fmt.Printf("%x\n", h.Sum(nil))
		return err
	}
	var n [4]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(args[1+i], 10, 64); err != nil || n[i] < 1 {
			return fmt.Errorf("%q: want a positive number", args[1+i])
		}
	}
	if img.Size()%n[0] != 0 || n[1]%n[0] != 0 {
		return fmt.Errorf("a disk of %d bytes and steps of %d, want multiples of %d", img.Size(), n[1], n[0])
	}
	return stride(img, n[0], n[1], n[2], n[3])
}

// stride reads count blocks by depth goroutines, which take turns.
func stride(img *imagefmt.Image, block, step, count, depth int64) error {
	var next atomic.Int64
	errs := make([]error, depth)
	var all sync.WaitGroup
	for g := range depth {
		all.Go(func() {
			for buf := make([]byte, block); errs[g] == nil; {
				i := next.Add(1) - 1
				if i >= count {
					return
				}
				_, errs[g] = img.ReadAt(buf, i*step%img.Size())
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
