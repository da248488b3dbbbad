package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/Microsoft/go-winio/wim/lzx"

	"snapmount/imagefmt/layer"
)

type decoder func(out, in []byte) error

// peerLZX is another decoder. It panics on some damage.
func peerLZX(out, in []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	r, err := lzx.NewReader(bytes.NewReader(in), len(out))
	if err != nil {
		return err
	}
	_, err = io.ReadFull(r, out)
	return err
}

// decodeInside decodes between guards, twice over different garbage: what is good must not depend on what was there.
func decodeInside(t *testing.T, decode decoder, n int, in []byte) ([]byte, error) {
	t.Helper()
	start := time.Now()
	a, b := bytes.Repeat([]byte{0xa5}, n+32), bytes.Repeat([]byte{0x5a}, n+32)
	kept := bytes.Clone(in)
	errA, errB := decode(a[16:16+n], in), decode(b[16:16+n], in)
	switch {
	case time.Since(start) > 30*time.Second:
		t.Fatalf("took %v", time.Since(start))
	case errA != nil && (!errors.Is(errA, layer.ErrCorrupt) || errB == nil):
		t.Fatalf("errors %v, then %v", errA, errB)
	case errA == nil && (errB != nil || !bytes.Equal(a[16:16+n], b[16:16+n])):
		t.Fatalf("the output depends on what was there before")
	case !bytes.Equal(kept, in):
		t.Fatal("the input was changed")
	}
	for _, g := range [][]byte{a[:16], a[16+n:]} {
		if !bytes.Equal(g, bytes.Repeat([]byte{0xa5}, 16)) {
			t.Fatal("written outside of the output")
		}
	}
	return a[16 : 16+n], errA
}

// mutate damages a copy of b in one of the ways that disks and attackers do.
func mutate(r *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	switch r.IntN(5) {
	case 0:
		b = b[:r.IntN(len(b))]
	case 1:
		clear(b[r.IntN(len(b)):])
	case 2:
		for i := r.IntN(len(b)); i < len(b); i++ {
			b[i] = byte(r.Uint32())
		}
	default:
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}
	return b
}

func TestDamage(t *testing.T) {
	const size = 20_000
	files := corpora(t, size)
	files["zeros"] = make([]byte, size)
	var lznt1 []wimChunk
	for name, b := range files {
		lznt1 = append(lznt1, wimChunk{name, packLZNT1(b), b})
	}
	damage(t, "LZNT1", LZNT1, lznt1, nil)
	xpress, _ := wimChunks(t, files, 8192, "XPRESS")
	damage(t, "XPRESS", XPRESS, xpress, nil)
	chunks, _ := wimChunks(t, files, 32768, "LZX")
	damage(t, "LZX", LZX, chunks, peerLZX)
}

func damage(t *testing.T, name string, decode decoder, chunks []wimChunk, peer decoder) {
	r := rand.New(rand.NewPCG(7, 8))
	good, bad, same, peerBad, peerGood := 0, 0, 0, 0, 0
	for i := range 1500 {
		c := chunks[i%len(chunks)]
		in, n := mutate(r, c.in), len(c.want)
		if r.IntN(10) == 0 {
			n = r.IntN(n + 1)
		}
		out, err := decodeInside(t, decode, n, in)
		if err != nil {
			bad++
		} else {
			good++
		}
		if peer == nil {
			continue
		}
		theirs := make([]byte, n)
		switch peerErr := peer(theirs, in); {
		case err == nil && peerErr == nil:
			if same++; !bytes.Equal(out, theirs) {
				t.Fatalf("%s: damaged chunk %d of %s differs from the peer's", name, i, c.file)
			}
		case err == nil:
			peerBad++
		case peerErr == nil:
			peerGood++
		}
	}
	if good < 50 || bad < 300 {
		t.Errorf("%s: %d damaged chunks decoded, %d did not", name, good, bad)
	}
	t.Logf("%s: of the damaged chunks %d are errors, %d give as much as was asked", name, bad, good)
	if peer != nil {
		t.Logf("the peer gives the same for %d, an error for %d, and bytes for %d of the errors", same, peerBad, peerGood)
	}
}

func FuzzLZNT1(f *testing.F) {
	f.Add(lznt1Example, uint16(lznt1Chunk))
	f.Add([]byte{3, 0xb0, 2, 'x', 5, 0}, uint16(9))
	f.Add([]byte{2, 0xb0, 0, 'x'}, uint16(9))     // a byte more than there is
	f.Add([]byte{1, 0xb0, 1, 5}, uint16(9))       // half a copy token at the end
	f.Add([]byte{1, 0xb0, 1, 5, 7}, uint16(4096)) // and half a header after it
	f.Fuzz(func(t *testing.T, in []byte, n uint16) {
		out, err := decodeInside(t, LZNT1, int(n), in)
		for i := 0; i < int(n) && err == nil; i += lznt1Chunk { // the chunks one by one are the whole
			rest, skipErr := LZNT1Skip(in, i/lznt1Chunk)
			want := out[i:min(i+lznt1Chunk, len(out))]
			chunk, err := decodeInside(t, LZNT1Chunk, len(want), rest)
			if skipErr != nil || err != nil || !bytes.Equal(chunk, want) {
				t.Fatalf("chunk %d: %v, %v", i/lznt1Chunk, skipErr, err)
			}
		}
	})
}

func FuzzXPRESS(f *testing.F) {
	f.Add(unhex(f, xpressText), uint16(600))
	f.Add(xpressZeros(), uint16(2000))
	f.Fuzz(func(t *testing.T, in []byte, n uint16) {
		decodeInside(t, XPRESS, int(n), in)
	})
}

func FuzzLZX(f *testing.F) {
	f.Add(unhex(f, lzxText), uint16(600))
	f.Add(unhex(f, lzxCalls), uint16(400))
	f.Add(unhex(f, lzxZeros), uint16(2000))
	f.Add(storedBlock([3]uint32{3, 2, 1}, []byte("abcde")), uint16(5))
	f.Fuzz(func(t *testing.T, in []byte, n uint16) {
		out, err := decodeInside(t, LZX, int(n), in)
		theirs := make([]byte, n)
		if err == nil && n > 0 && peerLZX(theirs, in) == nil && !bytes.Equal(out, theirs) {
			t.Errorf("%x, the peer has %x", out, theirs)
		}
	})
}
