package carve

import (
	"fmt"
	"math/bits"
	"slices"
)

// Evidence is what tells that one store is older than another, the strongest first.
type Evidence uint8

// The evidence for an order.
const (
	ByCatalog Evidence = iota + 1 // positions in the catalog, of those that it has
	ByBitmaps                     // the bitmaps follow each other, in one way alone
	ByLSN                         // the greatest log sequence numbers of the file records that they keep
	ByFile                        // the creation times of their files
	ByGUID                        // their identifiers, which count up within a boot
	evidences
)

var evidenceWords = [...]string{"", "catalog", "bitmaps", "lsn", "file", "guid"}

// String is a word for e.
func (e Evidence) String() string { return evidenceWords[e] }

// MarshalText gives String.
func (e Evidence) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// graph holds what is known to come before what: a bit for each pair, closed under transitivity.
type graph struct {
	n     int
	words int
	after [][]uint64 // by node: the ones that come after it
}

func newGraph(n int) *graph {
	g := &graph{n: n, words: (n + 63) / 64, after: make([][]uint64, n)}
	for i := range g.after {
		g.after[i] = make([]uint64, g.words)
	}
	return g
}

func (g *graph) before(a, b int) bool { return g.after[a][b/64]>>(b%64)&1 != 0 }

// add notes that a comes before b, and all that follows from it.
func (g *graph) add(a, b int) {
	for i := range g.n {
		if i != a && !g.before(i, a) {
			continue
		}
		g.after[i][b/64] |= 1 << (b % 64)
		for w := range g.words {
			g.after[i][w] |= g.after[b][w]
		}
	}
}

// order is a sequence of stores, the oldest first, with what it rests on.
type order struct {
	chain []int      // in order
	alone []int      // of which the place is not known
	by    []Evidence // by position in the chain: what tells that it comes after the one before
	odd   []string   // evidence that contradicts stronger one
}

// sortBy orders n stores by what before says of two of them for one kind of evidence: negative for a before b, 0 for
// nothing.
func sortBy(n int, before func(e Evidence, a, b int) int, name func(int) string) (o order) {
	g := newGraph(n)
	first := map[[2]int]Evidence{}
	for e := ByCatalog; e < evidences; e++ {
		for a := range n {
			for b := a + 1; b < n; b++ {
				x, y := a, b
				switch c := before(e, a, b); {
				case c == 0:
					continue
				case c > 0:
					x, y = b, a
				}
				if _, ok := first[[2]int{x, y}]; !ok && !g.before(y, x) {
					first[[2]int{x, y}] = e
				}
				switch {
				case g.before(y, x):
					if e <= ByLSN && len(o.odd) < 16 { // times and identifiers prove little
						o.odd = append(o.odd, fmt.Sprintf("%s says that %s is older than %s, against stronger evidence", e, name(x), name(y)))
					}
				case !g.before(x, y):
					g.add(x, y)
				}
			}
		}
	}
	o.chain, o.alone = g.sequence()
	for i, s := range o.chain {
		by := Evidence(0)
		if i > 0 {
			by = first[[2]int{o.chain[i-1], s}]
		}
		o.by = append(o.by, by)
	}
	return o
}

// sequence takes out what is not comparable with most others until the rest has one order alone.
func (g *graph) sequence() (chain, alone []int) {
	for i := range g.n {
		chain = append(chain, i)
	}
	for {
		worst, most := -1, 0
		for at, a := range chain {
			unknown := 0
			for _, b := range chain {
				if a != b && !g.before(a, b) && !g.before(b, a) {
					unknown++
				}
			}
			if unknown > most {
				worst, most = at, unknown
			}
		}
		if worst < 0 {
			break
		}
		alone = append(alone, chain[worst])
		chain = slices.Delete(chain, worst, worst+1)
	}
	slices.SortFunc(chain, func(a, b int) int { return g.rank(b) - g.rank(a) })
	return chain, alone
}

// rank counts what is known to come after a.
func (g *graph) rank(a int) (n int) {
	for _, w := range g.after[a] {
		n += bits.OnesCount64(w)
	}
	return n
}
