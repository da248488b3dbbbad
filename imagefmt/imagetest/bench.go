package imagetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"snapmount/imagefmt/layer"
)

// Reads measures reading 64 KiB at a time: over and over the first 256 MiB in a row, and anywhere. name stands before what
// it is of.
func Reads(b *testing.B, name string, d layer.Source) {
	for _, random := range []bool{false, true} {
		b.Run(fmt.Sprintf("%srandom=%v", name, random), func(b *testing.B) {
			p := make([]byte, 64<<10)
			r := rand.New(rand.NewPCG(1, 1))
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for i := range b.N {
				off := int64(i) % 4096 << 16
				if random {
					off = r.Int64N(d.Size() - int64(len(p)))
				}
				if err := layer.ReadFull(d, p, off); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
