package attacktest

import (
	"bytes"
	"math/rand/v2"
)

// A Damage is a way in which files are damaged, with random bytes for encrypted ones.
type Damage struct {
	Name string
	Do   func(b []byte, random *rand.ChaCha8) []byte
}

const piece = 64 << 10

// Damages are ten ways. Those that spare the head of a file damage all of one that is not larger.
var Damages = []Damage{
	{"all", func(b []byte, r *rand.ChaCha8) []byte { return noise(r, len(b)) }},
	{"all, with a key behind", func(b []byte, r *rand.ChaCha8) []byte { return noise(r, len(b)+528) }},
	{"first 4 KiB", func(b []byte, r *rand.ChaCha8) []byte { return over(b, r, 0, 4096) }},
	{"first 1 MiB", func(b []byte, r *rand.ChaCha8) []byte { return over(b, r, 0, 1<<20) }},
	{"every other 64 KiB", func(b []byte, r *rand.ChaCha8) []byte { return steps(b, r, 0, piece, 2*piece) }},
	{"every other 64 KiB, the first spared", func(b []byte, r *rand.ChaCha8) []byte { return steps(b, r, spared(b), piece, 2*piece) }},
	{"64 KiB in the middle", func(b []byte, r *rand.ChaCha8) []byte {
		if spared(b) == 0 {
			return noise(r, len(b))
		}
		return over(b, r, len(b)/2/4096*4096, piece)
	}},
	{"16 of 32 bytes", func(b []byte, r *rand.ChaCha8) []byte { return steps(b, r, 0, 16, 32) }},
	{"64 of 192 bytes", func(b []byte, r *rand.ChaCha8) []byte { return steps(b, r, 0, 64, 192) }},
	{"zeros", func(b []byte, _ *rand.ChaCha8) []byte { return make([]byte, len(b)) }},
}

// spared is how much of a file those leave as it is that spare its head.
func spared(b []byte) int {
	if len(b) > piece+4096 {
		return piece
	}
	return 0
}

func noise(r *rand.ChaCha8, n int) []byte {
	b := make([]byte, n)
	_, _ = r.Read(b) // never fails
	return b
}

// over puts random bytes at a place, as far as the file goes.
func over(b []byte, r *rand.ChaCha8, at, n int) []byte {
	out := bytes.Clone(b)
	at = min(at, len(out))
	copy(out[at:], noise(r, min(n, len(out)-at)))
	return out
}

// steps puts n random bytes at each step from a place on.
func steps(b []byte, r *rand.ChaCha8, from, n, step int) []byte {
	out := bytes.Clone(b)
	for at := from; at < len(out); at += step {
		copy(out[at:], noise(r, min(n, len(out)-at)))
	}
	return out
}

// Random gives random bytes, the same ones for a seed.
func Random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }
