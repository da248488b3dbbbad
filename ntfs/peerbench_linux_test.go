package ntfs_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// mounted mounts a volume with ntfs-3g, so that nothing of it is in the kernel's cache, until the end of the benchmark.
func mounted(b *testing.B, image string) string {
	b.Helper()
	dir := b.TempDir()
	testenv.Run(b, testenv.Peer(b, "ntfs-3g"), image, dir, "-o", "ro")
	b.Cleanup(func() { testenv.Run(b, "umount", dir) })
	return dir
}

// BenchmarkNTFS3G does what a program does through a mount of ntfs-3g: there by the system's calls, here in process.
func BenchmarkNTFS3G(b *testing.B) {
	image := ntfstest.Files200K.Build(b)
	tree := openTree(b, testenv.Open(b, image))
	flat, err := tree.Lookup("flat")
	if err != nil {
		b.Fatal(err)
	}
	list, err := flat.Children()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("lookup in 100000", func(b *testing.B) {
		dir := mounted(b, image)
		r := rand.New(rand.NewPCG(1, 2))
		names := make([]string, 4096)
		start := time.Now()
		for i := range names {
			names[i] = list[r.IntN(len(list))].Name
			if _, err := os.Lstat(filepath.Join(dir, "flat", names[i])); err != nil {
				b.Fatal(err)
			}
		}
		peer := time.Since(start)
		for _, n := range names { // warm
			flat.Child(n)
		}
		for i := 0; b.Loop(); i++ {
			if _, err := flat.Child(names[i%len(names)]); err != nil {
				b.Fatal(err)
			}
		}
		ratio(b, peer, len(names))
	})
	b.Run("names of 100000", func(b *testing.B) {
		dir, err := os.Open(filepath.Join(mounted(b, image), "flat"))
		if err != nil {
			b.Fatal(err)
		}
		defer dir.Close()
		start := time.Now()
		if names, err := dir.Readdirnames(-1); err != nil || len(names) != len(list) {
			b.Fatal(len(names), err)
		}
		peer := time.Since(start)
		for b.Loop() {
			n := 0
			for e, err := range flat.Entries() {
				if err != nil || e.Name == "" {
					b.Fatal(e, err)
				}
				n++
			}
			if n != len(list) {
				b.Fatal(n)
			}
		}
		ratio(b, peer, 1)
	})
}

// BenchmarkLZNT1 reads a compressed file of 192 MiB.
func BenchmarkLZNT1(b *testing.B) {
	image := ntfstest.Big.Build(b)
	const path = "comp/text.bin"
	for _, size := range []int64{4 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%d KiB in a row", size>>10), func(b *testing.B) {
			peer, n := sequential(b, filepath.Join(mounted(b, image), path), size)
			s := open(b, image, path)
			p := make([]byte, size)
			b.SetBytes(size)
			for i := int64(0); b.Loop(); i++ {
				if err := layer.ReadFull(s, p, i*size%s.Size()); err != nil {
					b.Fatal(err)
				}
			}
			ratio(b, peer, n)
		})
	}
	b.Run("4 KiB anywhere", func(b *testing.B) {
		f, err := os.Open(filepath.Join(mounted(b, image), path))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM); err != nil {
			b.Fatal(err)
		}
		s := open(b, image, path)
		const size, n = 4 << 10, 20000
		p := make([]byte, size)
		peer := anywhere(b, f, s.Size(), p, n)
		b.SetBytes(size)
		r := rand.New(rand.NewPCG(3, 4))
		for b.Loop() {
			if err := layer.ReadFull(s, p, r.Int64N(s.Size()/size)*size); err != nil {
				b.Fatal(err)
			}
		}
		ratio(b, peer, n)
	})
	b.Run("8 at once", func(b *testing.B) {
		s := open(b, image, path)
		b.SetBytes(128 << 10)
		b.SetParallelism(4)
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			p := make([]byte, 128<<10)
			for pb.Next() {
				if err := layer.ReadFull(s, p, next.Add(1)*int64(len(p))%s.Size()); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

func open(b *testing.B, image, path string) layer.Mapper {
	b.Helper()
	tree, err := ntfs.Open(testenv.Open(b, image), ntfs.Options{})
	if err != nil {
		b.Fatal(err)
	}
	n, err := tree.Lookup(path)
	if err != nil {
		b.Fatal(err)
	}
	s, err := n.Stream("")
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// sequential reads a file from end to end and returns how long it took, and in how many reads.
func sequential(b *testing.B, path string, size int64) (time.Duration, int) {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := make([]byte, size)
	start, n := time.Now(), 0
	for ; ; n++ {
		if _, err := io.ReadFull(f, p); err == io.EOF {
			break
		} else if err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start), n
}

func anywhere(b *testing.B, f io.ReaderAt, size int64, p []byte, n int) time.Duration {
	b.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	start := time.Now()
	for range n {
		if _, err := f.ReadAt(p, r.Int64N(size/int64(len(p)))*int64(len(p))); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}
