package tree

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"path/filepath"
)

// Identity is what the numbers of nodes hold for: the files of the images as they are on this machine's disk, what was found
// in them, unlocked volumes as such, and what is shown of it. A program that has another one may use a number for another
// node. Where an image is not of regular files, nobody knows whether it is the same: no other FS has its Identity.
func (f *FS) Identity() (sum [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintf(h, "numbers 1\n%q %v\n", f.opts.View, f.opts.System) // another packing is another first word
	for _, img := range f.set.Images {
		fmt.Fprintf(h, "image %q %s %d\n", img.Path, img.Disk.Format(), img.Disk.Size())
	}
	names := f.set.HostFiles()
	for _, name := range names {
		identifyFile(h, name)
	}
	if len(names) == 0 {
		identifyNone(h)
	}
	for _, v := range f.set.Volumes {
		fmt.Fprintf(h, "volume %q %d %d %s %q\n", v.Name, v.Partition.Off, v.Partition.Len, v.Filesystem, v.Label)
		for _, p := range v.Points {
			fmt.Fprintf(h, "point %q %d\n", p.Name, p.Created().UnixNano())
		}
	}
	h.Sum(sum[:0])
	return sum
}

func identifyFile(h hash.Hash, name string) {
	full, err := filepath.Abs(name)
	info, err2 := os.Stat(name)
	if err != nil || err2 != nil || !info.Mode().IsRegular() {
		identifyNone(h)
		return
	}
	fmt.Fprintf(h, "file %q %d %d\n", full, info.Size(), info.ModTime().UnixNano())
}

// identifyNone makes an identity that no other has.
func identifyNone(h hash.Hash) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	h.Write(b[:])
}
