package codec

import "math/bits"

// A buffer is what the decoders of XPRESS and LZX work in: an own copy of the input, and the output until it is whole.
// They index it by 16 bits, which needs no check, and move 16 bytes where fewer are asked for.
type buffer [1<<16 + 16]byte

// maxInput is the most that a compressed chunk has: a longer one would have been stored as it is.
const maxInput = 64 << 10

// set copies an input of at most maxInput bytes and returns its length. What a decoder takes from behind it is of no
// account: it looks at its position in the end.
func (b *buffer) set(in []byte) uint { return uint(copy(b[:maxInput], in)) }

// words returns the four 16-bit little-endian words at i as a number, the first one highest.
func (b *buffer) words(i uint16) uint64 {
	const low = 0x0000ffff0000ffff
	v := le.Uint64(b[i:])
	return bits.RotateLeft64(v>>16&low|v&low<<16, 32)
}

// move copies 16 bytes that are at least 8 apart.
func (b *buffer) move(to, from uint16) {
	le.PutUint64(b[to:], le.Uint64(b[from:]))
	le.PutUint64(b[uint(to)+8:], le.Uint64(b[uint(from)+8:]))
}

// high gives the k highest bits of v, k at most 63.
func high(v uint64, k uint) uint { return uint(v >> 1 >> (63 - k&63)) }
