package imagetest

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
)

// Same compares two disks: the SHA-256 of all of them, a number of reads from one goroutine, and as many from eight.
func Same(t testing.TB, got, want layer.Source, reads int) {
	t.Helper()
	if got.Size() != want.Size() {
		t.Fatalf("size %d, want %d", got.Size(), want.Size())
	}
	if !bytes.Equal(sum(t, got), sum(t, want)) {
		t.Fatal("other bytes")
	}
	SameReads(t, got, want, 1, reads)
	var wg sync.WaitGroup
	for g := range uint64(8) {
		wg.Go(func() { SameReads(t, got, want, g+2, reads/8) })
	}
	wg.Wait()
}

func sum(t testing.TB, s layer.Source) []byte {
	t.Helper()
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{io.NewSectionReader(s, 0, s.Size())}, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	return h.Sum(nil)
}

// SameReads compares a number of reads at random.
func SameReads(t testing.TB, got, want layer.Source, seed uint64, reads int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for range reads {
		off := r.Int64N(got.Size())
		n := min(1+r.Int64N(1<<(1+r.IntN(16))), got.Size()-off)
		if err := layer.ReadFull(got, a[:n], off); err != nil {
			t.Errorf("%d bytes at %d: %v", n, off, err)
			return
		}
		if err := layer.ReadFull(want, b[:n], off); err != nil || !bytes.Equal(a[:n], b[:n]) {
			t.Errorf("%d bytes at %d are others (%v)", n, off, err)
			return
		}
	}
}
