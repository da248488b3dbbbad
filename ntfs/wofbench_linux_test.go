package ntfs_test

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"

	"snapmount/imagefmt/layer"
)

// BenchmarkWOF reads a file of 144 MiB of machine code, which is more than the cache holds, in a row.
func BenchmarkWOF(b *testing.B) {
	const size = 128 << 10
	code := originals(b)["code"]
	code = bytes.Repeat(code[:len(code)&^(32<<10-1)], 48)
	image, _ := wofVolume(b, map[string][]byte{"code": code})
	for _, f := range wofFormats {
		path := fmt.Sprintf("code.%d", f.format)
		read := func(b *testing.B, s layer.Source, p []byte, i int64) {
			off := i * size % s.Size()
			if err := layer.ReadFull(s, p[:min(size, s.Size()-off)], off); err != nil {
				b.Error(err)
			}
		}
		name := f.compress + f.chunk
		b.Run(name, func(b *testing.B) {
			s, p := open(b, image, path), make([]byte, size)
			b.SetBytes(size)
			for i := int64(0); b.Loop(); i++ {
				read(b, s, p, i)
			}
		})
		b.Run(name+" 8 at once", func(b *testing.B) {
			s := open(b, image, path)
			b.SetBytes(size)
			b.SetParallelism(4) // times 2 processors
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for p := make([]byte, size); pb.Next(); {
					read(b, s, p, next.Add(1))
				}
			})
		})
	}
}
