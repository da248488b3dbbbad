package codec

import (
	"fmt"
	"testing"
	"time"
)

var corpusNames = []string{"text", "source", "binary"}

func BenchmarkLZNT1(b *testing.B) {
	const unit = 64 << 10
	for _, name := range corpusNames {
		b.Run(name, func(b *testing.B) {
			var units []wimChunk
			for data := corpora(b, 2<<20)[name]; len(data) >= unit; data = data[unit:] {
				units = append(units, wimChunk{name, packLZNT1(data[:unit]), data[:unit]})
			}
			benchmarkChunks(b, units, LZNT1)
		})
	}
}

func BenchmarkXPRESS(b *testing.B) {
	for _, size := range []int{4096, 8192, 16384} {
		for _, name := range corpusNames {
			b.Run(fmt.Sprintf("%dK/%s", size>>10, name), func(b *testing.B) {
				chunks, _ := wimChunks(b, map[string][]byte{name: corpora(b, 2<<20)[name]}, size, "XPRESS")
				benchmarkChunks(b, chunks, XPRESS)
			})
		}
	}
}

// The metric ratio is how many times as long go-winio takes.
func BenchmarkLZX(b *testing.B) {
	for _, name := range corpusNames {
		b.Run(name, func(b *testing.B) {
			chunks, _ := wimChunks(b, map[string][]byte{name: corpora(b, 2<<20)[name]}, 32768, "LZX")
			benchmarkChunks(b, chunks, LZX)
			const passes = 5
			start := time.Now()
			for range passes {
				decodeAll(b, make([]byte, lzxMax), chunks, peerLZX)
			}
			b.ReportMetric(float64(time.Since(start)/passes)/(float64(b.Elapsed())/float64(b.N)), "ratio")
		})
	}
}

func benchmarkChunks(b *testing.B, chunks []wimChunk, decode decoder) {
	n := 0
	for _, c := range chunks {
		n += len(c.want)
	}
	out := make([]byte, 64<<10)
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		decodeAll(b, out, chunks, decode)
	}
}

func decodeAll(b *testing.B, out []byte, chunks []wimChunk, decode decoder) {
	for _, c := range chunks {
		if err := decode(out[:len(c.want)], c.in); err != nil {
			b.Fatal(err)
		}
	}
}
