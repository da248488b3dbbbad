package compressed_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt/compressed"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// benchImage is a disk of 256 MiB, packed.
func benchImage(b *testing.B, command string) []byte {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "disk"), image(256<<20, 5), 0o600); err != nil {
		b.Fatal(err)
	}
	return pipe(b, dir, command)
}

func BenchmarkGzip(b *testing.B) { bench(b, benchImage(b, "gzip -c disk")) }
func BenchmarkZstd(b *testing.B) { bench(b, benchImage(b, "zstd -q -c disk")) }
func BenchmarkPzstd(b *testing.B) {
	bench(b, benchImage(b, "pzstd -q -p 2 -c <disk"))
}

func bench(b *testing.B, file []byte) {
	var d *compressed.Disk
	b.Run("open", func(b *testing.B) {
		b.SetBytes(256 << 20)
		for b.Loop() {
			var err error
			if d, err = compressed.Open(bytes.NewReader(file), format.Env{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("sequential", func(b *testing.B) {
		b.SetBytes(256 << 20)
		p := make([]byte, 64<<10)
		for b.Loop() {
			for off := int64(0); off < d.Size(); off += int64(len(p)) {
				if err := layer.ReadFull(d, p, off); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("random", func(b *testing.B) {
		b.SetBytes(64 << 10)
		p := make([]byte, 64<<10)
		r := rand.New(rand.NewPCG(1, 1))
		for b.Loop() {
			if err := layer.ReadFull(d, p, r.Int64N(d.Size()-int64(len(p)))); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRatio compares opening and reading in sequence with compress/gzip.
func BenchmarkRatio(b *testing.B) {
	file := benchImage(b, "gzip -c disk")
	var own, other time.Duration
	for b.Loop() {
		begin := time.Now()
		open(b, file)
		own += time.Since(begin)
		begin = time.Now()
		z, err := gzip.NewReader(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, z); err != nil {
			b.Fatal(err)
		}
		other += time.Since(begin)
	}
	b.ReportMetric(float64(other)/float64(own), "x-of-compress/gzip")
}
