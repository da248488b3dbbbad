package codec

const (
	maxCodeLen = 16
	maxSymbols = 512
	tableBits  = 11
)

// A huffman decodes a canonical prefix code: codes of one length are consecutive numbers in the order of their
// symbols, and follow those of the lengths below.
//
// Codes of up to 11 bits are found in the table at once. The longer ones, rare by their nature, are found by
// comparing with the end of each length.
type huffman struct {
	table  [1 << tableBits]uint16 // entries by the next 11 bits; 0 for longer codes and for none
	sorted [maxSymbols]uint16     // symbols in the order of their codes
	limit  [maxCodeLen + 1]uint32 // end of the codes of a length, as 16 bits
	first  [maxCodeLen + 1]int    // what to add to a code of a length to have its index in sorted
}

// An entry is symbol<<entryShift and the length of its code. noCode has the length 0, and the highest symbol.
const (
	entryShift = 5
	entryLen   = 1<<entryShift - 1
	noCode     = (maxSymbols - 1) << entryShift
)

// build sets the code that has these lengths in bits, at most 16, 0 for symbols without a code. It reports false when
// they need more codes than there are, or leave some over. With at most one symbol some may be left: encoders have no
// other way to write that; such a code is an error only when it is used.
func (h *huffman) build(lens []uint8) bool {
	var count, next [maxCodeLen + 2]int
	for _, l := range lens {
		count[l]++
	}
	used := len(lens) - count[0]
	code := 0
	for l := 1; l <= maxCodeLen; l++ {
		code <<= 1
		h.first[l] = next[l] - code
		code += count[l]
		next[l+1] = next[l] + count[l]
		if code > 1<<l {
			return false
		}
		h.limit[l] = uint32(code) << (maxCodeLen - l)
	}
	if code != 1<<maxCodeLen && used > 1 {
		return false
	}
	for s, l := range lens {
		if l != 0 {
			h.sorted[next[l]&(maxSymbols-1)] = uint16(s)
			next[l]++
		}
	}
	h.fill(&count)
	return true
}

// fill makes the table: the codes of up to 11 bits come first and in order.
func (h *huffman) fill(count *[maxCodeLen + 2]int) {
	table, sorted := h.table[:], h.sorted[:]
	for l := 1; l <= tableBits; l++ {
		for _, s := range sorted[:count[l]] {
			run := table[:1<<(tableBits-l)]
			table = table[len(run):]
			fillRun(run, s<<entryShift|uint16(l))
		}
		sorted = sorted[count[l]:]
	}
	clear(table)
}

func fillRun(run []uint16, v uint16) {
	n := min(len(run), 16)
	for i := range run[:n] {
		run[i] = v
	}
	for ; n < len(run); n *= 2 {
		copy(run[n:], run[:n])
	}
}

// find gives the entry of the code that v starts with, noCode when there is none.
func (h *huffman) find(v uint64) uint {
	if e := h.table[v>>(64-tableBits)]; e != 0 {
		return uint(e)
	}
	return h.findLong(v)
}

//go:noinline
func (h *huffman) findLong(v uint64) uint {
	code := uint32(v >> (64 - maxCodeLen))
	for l := tableBits + 1; l <= maxCodeLen; l++ {
		if code < h.limit[l] {
			i := int(code>>(maxCodeLen-l)) + h.first[l]
			return uint(h.sorted[i&(maxSymbols-1)])<<entryShift | uint(l)
		}
	}
	return noCode
}
