package imagetest

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"snapmount/imagefmt/layer"
)

const (
	walkTime  = 20 * time.Millisecond // of looking at the extents of one image
	mostTime  = 5 * time.Second       // for one image
	mostBytes = 4 << 20               // allocated for one image, on average
)

// Disk is what a test looks at: a layer that says where its bytes are.
type Disk interface {
	layer.Source
	At(off, n int64) (layer.Extent, error)
}

// Hostile opens an image that may be anything, and reports whether it is one: then it is read here and there, and its
// extents are walked for a bounded time.
func Hostile[D Disk](t testing.TB, open func() (D, error)) bool {
	t.Helper()
	begin := time.Now()
	d, err := open()
	if err == nil {
		read(t, d)
		walk(t, d)
	}
	if s := time.Since(begin); s > mostTime {
		t.Errorf("took %v", s)
	}
	return err == nil
}

func read(t testing.TB, d Disk) {
	t.Helper()
	p := make([]byte, 9000)
	for _, off := range []int64{0, 1, 512, 1024, 4096, d.Size() / 2, d.Size() - 100} {
		if n, err := d.ReadAt(p, off); n < len(p) && err == nil || err == nil && off+int64(n) > d.Size() {
			t.Errorf("ReadAt(%d) = %d, %v of a disk of %d bytes", off, n, err, d.Size())
		}
	}
}

func walk(t testing.TB, d Disk) {
	t.Helper()
	begin := time.Now()
	for at := int64(0); at < d.Size() && time.Since(begin) < walkTime; {
		e, err := d.At(at, d.Size()-at)
		if e.Off != at || e.Len <= 0 || e.Len > d.Size()-at || err == nil && e.Kind == layer.Data && (e.Base == nil || e.BaseOff < 0) {
			t.Fatalf("extent %+v, error %v at %d", e, err, at)
		}
		at += e.Len
	}
}

// Mutated is a copy of b in which one to three bytes of these ranges, each a first offset and an end, have other values,
// most often one that is likely to hurt.
func Mutated(r *rand.Rand, b []byte, ranges ...[2]int) []byte {
	b = bytes.Clone(b) // what is prepared ahead may still read an earlier one
	for range 1 + r.IntN(3) {
		area := ranges[r.IntN(len(ranges))]
		b[area[0]+r.IntN(area[1]-area[0])] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(r.Uint32())}[r.IntN(6)]
	}
	return b
}

// Mutations is Hostile for a number of mutations of an image, and returns how many of them open.
func Mutations[D Disk](t *testing.T, image []byte, runs int, open func(b []byte) (D, error), ranges ...[2]int) (opened int) {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 4))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		b := Mutated(r, image, ranges...)
		if Hostile(t, func() (D, error) { return open(b) }) {
			opened++
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / uint64(runs); n > mostBytes {
		t.Errorf("%d bytes allocated for each image", n)
	}
	return opened
}
