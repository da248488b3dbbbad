package inflate

import "math/bits"

// A table entry is one word: the bits that the code and nothing else take in bits 0 to 4, what it is in bits 5 to 8, the
// number of extra bits in bits 9 to 12 (13 at most), and a value in bits 16 to 31. 0 is a code that nothing has.
const (
	entryBits    = 31
	entryLiteral = 1 << 5 // the value is the byte
	entryBase    = 1 << 6 // the value is the base of a length or a distance
	entryEnd     = 1 << 7 // end of block
	entrySub     = 1 << 8 // the code is longer than the first table: the value is where its own table begins
	maxCode      = 15     // bits, of a code
	lengthBits   = 10     // of the index of the first table of literals and lengths
	distBits     = 8      // of the index of the first table of distances
	clenBits     = 7      // of code lengths, which have no longer codes
)

// A second table has an entry for each of the bits that the first did not look at. Each belongs to two symbols at least,
// as a code that is not complete is refused, which bounds their number.
type (
	lengthTable [1<<lengthBits + 288/2<<(maxCode-lengthBits)]uint32
	distTable   [1<<distBits + 32/2<<(maxCode-distBits)]uint32
	clenTable   [1 << clenBits]uint32
)

// entry finds the code that word begins with.
func (t *lengthTable) entry(word uint64) uint32 {
	e := t[word&(1<<lengthBits-1)]
	if e&entrySub != 0 {
		e = t[int(e>>16)+int(word>>lengthBits&(1<<(maxCode-lengthBits)-1))]
	}
	return e
}

// entry finds the code that word begins with.
func (t *distTable) entry(word uint64) uint32 {
	e := t[word&(1<<distBits-1)]
	if e&entrySub != 0 {
		e = t[int(e>>16)+int(word>>distBits&(1<<(maxCode-distBits)-1))]
	}
	return e
}

// build fills a table of 1<<first entries and those that follow with the canonical Huffman code (RFC 1951, 3.2.2) whose
// lengths are given for each symbol; values[symbol] is the entry without its bits. It refuses a code with too many or too
// few words, but for one word of one bit and none at all, which encoders use for distances.
func build(table []uint32, first int, lengths []byte, values []uint32) bool {
	var count, next [maxCode + 2]int
	for _, n := range lengths {
		count[n]++
	}
	left, used := 1, len(lengths)-count[0]
	count[0] = 0
	for n := 1; n <= maxCode; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		next[n+1] = (next[n] + count[n]) << 1
	}
	if left > 0 && used > count[1] {
		return false
	}
	clear(table[:1<<first])
	free := 1 << first
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		code := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		entry := values[symbol] | uint32(n)
		if int(n) <= first {
			for i := code; i < 1<<first; i += 1 << n {
				table[i] = entry
			}
			continue
		}
		head := &table[code&(1<<first-1)]
		if *head == 0 {
			*head = entrySub | uint32(free)<<16
			clear(table[free:][:1<<(maxCode-first)])
			free += 1 << (maxCode - first)
		}
		second := table[*head>>16:][:1<<(maxCode-first)]
		for i := code >> first; i < len(second); i += 1 << (int(n) - first) {
			second[i] = entry
		}
	}
	return true
}

// alphabets are the entries of all symbols (RFC 1951, 3.2.5); those that no stream may use are 0.
type alphabets struct {
	lengths [288]uint32
	dists   [32]uint32
	clens   [19]uint32
}

// symbols is not changed after it is made.
var symbols = newAlphabets()

func newAlphabets() *alphabets {
	a := new(alphabets)
	for i := range 256 {
		a.lengths[i] = entryLiteral | uint32(i)<<16
	}
	a.lengths[256] = entryEnd
	for i, base := 257, 3; i < 285; i++ {
		extra := max(0, (i-261)/4)
		a.lengths[i] = entryBase | uint32(extra)<<9 | uint32(base)<<16
		base += 1 << extra
	}
	a.lengths[285] = entryBase | 258<<16
	for i, base := 0, 1; i < 30; i++ {
		extra := max(0, i/2-1)
		a.dists[i] = entryBase | uint32(extra)<<9 | uint32(base)<<16
		base += 1 << extra
	}
	for i := range a.clens {
		a.clens[i] = entryLiteral | uint32(i)<<16
	}
	return a
}
