package ntfs_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

func BenchmarkTree(b *testing.B) {
	tree := openTree(b, testenv.Open(b, ntfstest.Files200K.Build(b)))
	flat, err := tree.Lookup("flat")
	if err != nil {
		b.Fatal(err)
	}
	name := func(i int) string { return fmt.Sprintf("file_%06d_%s.dat", i, "xxxxxxxxxxxxxxxxxxxxxxx"[:i%23]) }
	b.Run("lookup in 100000", func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		names := make([]string, 4096)
		for i := range names {
			names[i] = name(r.IntN(100000))
			if _, err := flat.Child(names[i]); err != nil { // warm
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := flat.Child(names[i%len(names)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("path of 4 names", func(b *testing.B) {
		for b.Loop() {
			if _, err := tree.Lookup("tree/a3/b4/c5/doc003.txt"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("names of 100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for e, err := range flat.Entries() {
				if err != nil || e.Name == "" {
					b.Fatal(e, err)
				}
				n++
			}
			if n != 100000 {
				b.Fatal(n)
			}
		}
	})
	b.Run("list 100000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if list, err := flat.Children(); err != nil || len(list) != 100000 {
				b.Fatal(len(list), err)
			}
		}
	})
	b.Run("random node", func(b *testing.B) {
		r := rand.New(rand.NewPCG(1, 2))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tree.Node(ntfs.Ref{Record: 64 + r.Uint64N(100000)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("confirm each 100th of 200000", func(b *testing.B) { // with nothing in the cache
		b.ReportAllocs()
		asked := 0
		for b.Loop() {
			tree := openTree(b, tree.Volume())
			for i := uint64(64); i < tree.Records(); i += 100 {
				n, err := tree.Node(ntfs.Ref{Record: i})
				if errors.Is(err, ntfs.ErrStale) {
					continue
				}
				if asked++; err != nil || n.Confirm() != nil {
					b.Fatal(err, n.Confirm())
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(asked), "ns/name")
	})
	b.Run("whole MFT", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for x, err := range tree.Nodes() {
				if err != nil {
					b.Fatal(err)
				}
				n += x.Links
			}
			if n < 100000 {
				b.Fatal(n)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(tree.Records()), "ns/record")
	})
}

func BenchmarkRead(b *testing.B) {
	tree := openTree(b, testenv.Open(b, ntfstest.Frag.Build(b)))
	for _, path := range []string{"frag4k.bin", "frag64k.bin"} {
		n, err := tree.Lookup(path)
		if err != nil {
			b.Fatal(err)
		}
		s, err := n.Stream("")
		if err != nil {
			b.Fatal(err)
		}
		b.Run(path+" open", func(b *testing.B) {
			for b.Loop() {
				if n, err = tree.Node(n.Ref); err != nil {
					b.Fatal(err)
				}
				if _, err := n.Stream(""); err != nil {
					b.Fatal(err)
				}
			}
		})
		for _, size := range []int64{128 << 10, 4 << 10} {
			b.Run(fmt.Sprintf("%s %d KiB", path, size>>10), func(b *testing.B) {
				p := make([]byte, size)
				r := rand.New(rand.NewPCG(1, 2))
				blocks := s.Size() / size
				b.SetBytes(size)
				b.ReportAllocs()
				for i := int64(0); b.Loop(); i++ {
					off := i % blocks * size
					if size < 64<<10 {
						off = r.Int64N(blocks) * size
					}
					if err := layer.ReadFull(s, p, off); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// ratio reports how many times as long the peer took for each of its n rounds.
func ratio(b *testing.B, peer time.Duration, n int) {
	b.ReportMetric(float64(peer)/float64(n)/(float64(b.Elapsed())/float64(b.N)), "ratio")
	b.ReportMetric(float64(peer.Nanoseconds())/float64(n), "peer-ns/op")
}
