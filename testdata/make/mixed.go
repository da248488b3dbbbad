package main

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
)

// makeMixed writes 1 GiB in pieces of 256 KiB, as disks have it: half of them text, which packs to about a third, a quarter
// random bytes, a quarter zeros.
func makeMixed(_, out string) error {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, mib)
	r := rand.New(rand.NewPCG(11, 1))
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = append(letters(r, 2+r.IntN(10)), ' ')
	}
	often := rand.NewZipf(r, 1.2, 8, uint64(len(words)-1))
	for range 1 << 30 / len(piece{}) {
		var b piece
		switch r.IntN(4) {
		case 0:
			for i := range b {
				b[i] = byte(r.Uint32())
			}
		case 1, 2:
			for at := 0; at < len(b); {
				at += copy(b[at:], words[often.Uint64()])
			}
		}
		w.Write(b[:]) // Flush gives its error
	}
	return errors.Join(w.Flush(), f.Close())
}

type piece [256 << 10]byte

func letters(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a' + byte(r.IntN(26))
	}
	return b
}
