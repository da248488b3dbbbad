package chunks_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"snapmount/imagefmt/chunks"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

const (
	pieceLen = 4 << 10
	pieces   = 300
)

// disk is what the pieces hold; the last one is short.
func disk() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, pieces*pieceLen-1234)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// source counts what is loaded of a disk, and calls hook before.
func source(b []byte, hook func(piece int64) error) *chunks.Source {
	load := func(piece int64) ([]byte, error) {
		if err := hook(piece); err != nil {
			return nil, err
		}
		return b[piece*pieceLen : min(int64(len(b)), (piece+1)*pieceLen)], nil
	}
	return &chunks.Source{Cache: chunks.New(pieces, pieceLen, load, nil), Piece: pieceLen, Bytes: int64(len(b)), Name: "pieces"}
}

func TestContract(t *testing.T) {
	b := disk()
	layertest.Contract(t, source(b, func(int64) error { return nil }), b)
}

// TestFirst reads an extent whose pieces have other numbers than 0 and up.
func TestFirst(t *testing.T) {
	b := disk()
	s := source(b, func(int64) error { return nil })
	layertest.Contract(t, &chunks.Source{Cache: s.Cache, First: 100, Piece: pieceLen, Bytes: 50 * pieceLen}, b[100*pieceLen:][:50*pieceLen])
}

// TestOnce has many ask for one piece, while others are to be had.
func TestOnce(t *testing.T) {
	b := disk()
	var loads atomic.Int32
	hold := make(chan bool)
	s := source(b, func(piece int64) error {
		if piece == 7 {
			loads.Add(1)
			<-hold
		}
		return nil
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if p, err := s.Cache.Piece(7); err != nil || &p[0] != &b[7*pieceLen] {
				t.Errorf("other bytes, or %v", err)
			}
		})
	}
	for i := range int64(pieces) {
		if i%3 == 0 { // never in sequence, which would have 7 prepared
			if err := layer.ReadFull(s, make([]byte, 10), i*pieceLen); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(hold)
	if wg.Wait(); loads.Load() != 1 {
		t.Errorf("loaded %d times", loads.Load())
	}
}

// TestErrorsAreNotKept fails each piece once, and one always.
func TestErrorsAreNotKept(t *testing.T) {
	b := disk()
	var mu sync.Mutex
	asked := make(map[int64]bool)
	broken := errors.New("broken")
	s := source(b, func(piece int64) error {
		mu.Lock()
		defer mu.Unlock()
		if again := asked[piece]; again && piece != 50 {
			return nil
		}
		asked[piece] = true
		return broken
	})
	p := make([]byte, len(b))
	for tries := 0; tries < 2*pieces; tries++ {
		n, err := s.ReadAt(p[:50*pieceLen], 0)
		if err == nil {
			break
		}
		if !errors.Is(err, broken) || n%pieceLen != 0 || string(p[:n]) != string(b[:n]) {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	for range 3 {
		if n, err := s.ReadAt(p[:3*pieceLen], 48*pieceLen); n != 2*pieceLen || err != broken {
			t.Errorf("%d bytes, %v, want those of two pieces", n, err)
		}
	}
	for range pieces {
		if _, err := s.ReadAt(p[:100], 51*pieceLen-100); err != broken {
			t.Errorf("error %v", err)
		}
	}
}

// TestAhead reads in sequence: pieces are prepared before they are asked for, but few, and each is loaded once. Reads at
// random have nothing prepared.
func TestAhead(t *testing.T) {
	b := disk()
	var loads, furthest atomic.Int64
	s := source(b, func(piece int64) error {
		loads.Add(1)
		for f := furthest.Load(); piece > f && !furthest.CompareAndSwap(f, piece); f = furthest.Load() {
		}
		return nil
	})
	for _, piece := range []int64{250, 20, 110, 90, 60, 40} {
		if err := layer.ReadFull(s, make([]byte, 100), piece*pieceLen); err != nil {
			t.Fatal(err)
		}
	}
	if time.Sleep(10 * time.Millisecond); loads.Load() != 6 {
		t.Errorf("%d pieces loaded for 6 reads", loads.Load())
	}
	furthest.Store(0)
	ahead := int64(0)
	for i := range int64(200) {
		if err := layer.ReadFull(s, make([]byte, pieceLen), i*pieceLen); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
		ahead = max(ahead, furthest.Load()-i)
	}
	if ahead < 1 || ahead > pieces/4 {
		t.Errorf("up to %d pieces ahead", ahead)
	}
	if n := loads.Load(); n < 200 || n > 206+pieces/4 {
		t.Errorf("%d loads for 200 pieces", n)
	}
}

// TestBounded reads far more than the cache may keep: what it dropped is loaded again.
func TestBounded(t *testing.T) {
	const size = 1 << 20
	var live atomic.Int64
	c := chunks.New(1<<40, size, func(piece int64) ([]byte, error) { live.Add(1); return []byte{byte(piece)}, nil }, nil)
	for range 2 {
		for piece := int64(0); piece < 200<<20; piece += 1 << 20 {
			if b, err := c.Piece(piece + piece>>20); err != nil || b[0] != byte(piece+piece>>20) {
				t.Fatal(b, err)
			}
		}
	}
	if live.Load() < 400-32 {
		t.Errorf("%d loads of 200 pieces read twice: more than 32 MiB are kept", live.Load())
	}
}

func TestSmall(t *testing.T) {
	s := &chunks.Source{Cache: chunks.New(0, 512, nil, nil), Piece: 512}
	if n, err := s.ReadAt(make([]byte, 5), 0); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	whole := &chunks.Source{Cache: chunks.New(1, 64<<20, func(int64) ([]byte, error) { return []byte("abc"), nil }, nil), Piece: 64 << 20, Bytes: 3}
	layertest.Contract(t, whole, []byte("abc"))
}
