package vsstest

import (
	"errors"
	"slices"
)

// Blocks is a run of 16 KiB blocks, counted from the start of a volume.
type Blocks struct{ First, Count uint32 }

// errFull says that an area has no block left.
var errFull = errors.New("diff area is full")

// area hands out blocks in order.
type area struct {
	free []Blocks
	all  []Blocks
}

func newArea(runs []Blocks) *area { return &area{free: slices.Clone(runs), all: runs} }

func (a *area) take() (uint64, error) {
	for len(a.free) > 0 && a.free[0].Count == 0 {
		a.free = a.free[1:]
	}
	if len(a.free) == 0 {
		return 0, errFull
	}
	at := a.free[0].First
	a.free[0] = Blocks{at + 1, a.free[0].Count - 1}
	return uint64(at) * BlockSize, nil
}

// end returns the byte offset after the last block of the area.
func (a *area) end() int64 {
	var end int64
	for _, r := range a.all {
		end = max(end, (int64(r.First)+int64(r.Count))*BlockSize)
	}
	return end
}

// bitset is a set of block numbers.
type bitset []uint64

func newBitset(n int64) bitset { return make(bitset, (n+63)/64) }

func (s bitset) has(b uint32) bool { return int(b/64) < len(s) && s[b/64]>>(b%64)&1 != 0 }

func (s bitset) set(b uint32) { s[b/64] |= 1 << (b % 64) }

func (s bitset) clear(b uint32) {
	if int(b/64) < len(s) {
		s[b/64] &^= 1 << (b % 64)
	}
}

// bytes returns the bits of n blocks, the rest of the bitmap blocks zero; bits at and after pad are zero as well.
func (s bitset) bytes(n, pad int64) []byte {
	b := make([]byte, 0, len(s)*8)
	for _, w := range s {
		b = le.AppendUint64(b, w)
	}
	for i := min(n, pad); i < int64(len(b))*8; i++ {
		b[i/8] &^= 1 << (i % 8)
	}
	return b
}
