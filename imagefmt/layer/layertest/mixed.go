package layertest

import (
	"bytes"
	"math/rand/v2"
)

// Mixed is n bytes of a disk: zeros, text and random bytes alternate in pieces of odd lengths, of most bytes and a little.
func Mixed(most, n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	noise := rand.NewChaCha8([32]byte{byte(seed)})
	b := make([]byte, n)
	for at := 0; at < n; {
		piece := b[at:min(n, at+1000+r.IntN(most))]
		switch r.IntN(3) {
		case 0:
			_, _ = noise.Read(piece) // cannot fail
		case 1:
			copy(piece, bytes.Repeat([]byte("the quick brown fox "), len(piece)/20+1))
		}
		at += len(piece)
	}
	return b
}
