package inflate

import (
	"bytes"
	"hash/adler32"
	"math/rand/v2"
	"testing"
)

func TestAdler32(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	b := make([]byte, 40000)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	for _, p := range [][]byte{b, bytes.Repeat([]byte{0xff}, 40000)} {
		for n := 0; n < len(p); n += 1 + n/30 {
			if got, want := Adler32(p[:n]), adler32.Checksum(p[:n]); got != want {
				t.Errorf("0x%08x of %d bytes, want 0x%08x", got, n, want)
			}
		}
	}
}

func BenchmarkAdler32(b *testing.B) {
	p := make([]byte, 32768)
	b.SetBytes(32768)
	for b.Loop() {
		Adler32(p)
	}
}
