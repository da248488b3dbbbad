package content

import "math"

const (
	windowSize = 4096
	maxWindows = 64  // of one version
	maxPairs   = 512 // of two versions
	// randomChi is what chi-square over 256 bins stays below for random bytes: its mean is 255, its deviation 22.6.
	randomChi = 350
	// leastRandom is the number of bytes below which nothing is called random.
	leastRandom = 1024
)

// windows returns the offsets of up to most windows of a file of size bytes, evenly spread, first and last always.
// Windows but the last begin at multiples of their size; the last one ends with the file.
func windows(size int64, most int) []int64 {
	if size <= windowSize {
		return []int64{0}
	}
	last := size - windowSize
	whole := size / windowSize // windows that begin at multiples of their size and are full
	n := min(whole, int64(most-1))
	offs := make([]int64, 0, n+1)
	for i := range n {
		at := i * whole / n * windowSize
		if at < last {
			offs = append(offs, at)
		}
	}
	return append(offs, last)
}

// counts is how often each byte value is there.
type counts struct {
	of [256]int
	n  int
}

func count(b []byte) (c counts) {
	for _, x := range b {
		c.of[x]++
	}
	c.n = len(b)
	return c
}

func (c *counts) add(b byte) { c.of[b]++; c.n++ }

// chi is chi-square against equal shares of all byte values.
func (c *counts) chi() float64 {
	if c.n == 0 {
		return math.Inf(1)
	}
	squares := 0.0
	for _, k := range c.of {
		squares += float64(k) * float64(k)
	}
	return squares*256/float64(c.n) - float64(c.n)
}

// entropy is in bits per byte.
func (c *counts) entropy() float64 {
	h := 0.0
	for _, k := range c.of {
		if k > 0 {
			p := float64(k) / float64(c.n)
			h -= p * math.Log2(p)
		}
	}
	return h
}

// random reports whether bytes are as random ones.
func random(b []byte) bool {
	if len(b) < leastRandom {
		return false
	}
	c := count(b)
	least := 7.6
	if len(b) >= windowSize {
		least = 7.9
	}
	return c.chi() < randomChi && c.entropy() > least
}

func zeros(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
