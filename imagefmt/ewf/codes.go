package ewf

import "math/bits"

// What the codes of lengths and offsets mean (RFC 1951, 3.2.5), and the order in which the lengths of the codes of code
// lengths are kept (3.2.7).
var (
	lengthBase  = [...]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [...]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	offsetBase  = [...]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	codeOrder   = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// literalEntry is the meaning of a symbol of the literal and length code, without its length; 0 for none.
func literalEntry(symbol int) codeEntry {
	switch {
	case symbol < 256:
		return isLiteral | codeEntry(symbol)<<16
	case symbol == 256:
		return isEnd
	case symbol-257 < len(lengthBase):
		return isCopy | codeEntry(lengthBase[symbol-257])<<16 | codeEntry(lengthExtra[symbol-257])<<4
	}
	return 0
}

// offsetEntry is the same for the code of offsets.
func offsetEntry(symbol int) codeEntry {
	if symbol >= len(offsetBase) {
		return 0
	}
	return isCopy | codeEntry(offsetBase[symbol])<<16 | codeEntry(max(symbol/2-1, 0))<<4
}

// symbolEntry is the same for the code of code lengths.
func symbolEntry(symbol int) codeEntry { return isLiteral | codeEntry(symbol)<<16 }

// build fills a table from the length of each symbol's code; first is the number of bits it is asked with.
func build(table []codeEntry, first uint, lengths []uint8, entry func(int) codeEntry) error {
	var count, next [maxCodeLen + 2]int
	longest := uint(0)
	for _, n := range lengths {
		count[n]++
		longest = max(longest, uint(n))
	}
	count[0] = 0
	code, room := 0, 1
	for n := 1; n <= maxCodeLen; n++ {
		if room = room*2 - count[n]; room < 0 {
			return errCodes
		}
		code = (code + count[n-1]) << 1
		next[n] = code
	}
	if room > 0 && longest > 1 { // only one code, or none, may leave some without a meaning
		return errCodes
	}
	clear(table[:1<<first])
	second, free := uint(0), 1<<first
	if longest > first {
		second = longest - first
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		length := uint(n)
		e := entry(symbol)
		if e != 0 {
			e = e.with(length)
		}
		at := int(bits.Reverse16(uint16(next[n])) >> (16 - length))
		next[n]++
		part, step, size := table[:1<<first], 1<<length, 1<<first
		if length > first {
			low := at & (1<<first - 1)
			if table[low] == 0 {
				table[low] = isSecond | codeEntry(free)<<16 | codeEntry(second)<<4
				clear(table[free : free+1<<second])
				free += 1 << second
			}
			part = table[table[low].value():]
			at, step, size = at>>first, 1<<(length-first), 1<<second
		}
		for ; at < size; at += step {
			part[at] = e
		}
	}
	return nil
}

// fixed takes the codes that need no description.
func (t *deflateTables) fixed() error {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	if err := build(t.literals[:], literalBits, lengths[:], literalEntry); err != nil {
		return err
	}
	for i := range 32 {
		lengths[i] = 5
	}
	return build(t.offsets[:], offsetBits, lengths[:32], offsetEntry)
}

// dynamic reads the codes that a block brings.
func (t *deflateTables) dynamic(r *bitReader) error {
	literals, offsets, lens := r.take(5)+257, r.take(5)+1, r.take(4)+4
	if literals > 286 || offsets > 30 {
		return errCodes
	}
	var order [19]uint8
	for _, i := range codeOrder[:lens] {
		order[i] = uint8(r.take(3))
	}
	table := t.offsets[:] // until its own codes are known
	if err := build(table, offsetBits, order[:], symbolEntry); err != nil {
		return err
	}
	var lengths [286 + 30]uint8
	for i := 0; i < literals+offsets; {
		r.fill()
		e := table[r.bits&(1<<offsetBits-1)]
		if e == 0 || r.overrun() {
			return errCodes
		}
		r.take(e.len())
		again, value := 1, uint8(e.value())
		switch value {
		case 16:
			if i == 0 {
				return errCodes
			}
			again, value = 3+r.take(2), lengths[i-1]
		case 17:
			again, value = 3+r.take(3), 0
		case 18:
			again, value = 11+r.take(7), 0
		}
		if again > literals+offsets-i {
			return errCodes
		}
		for ; again > 0; again-- {
			lengths[i] = value
			i++
		}
	}
	if lengths[256] == 0 {
		return errCodes
	}
	if err := build(t.literals[:], literalBits, lengths[:literals], literalEntry); err != nil {
		return err
	}
	return build(t.offsets[:], offsetBits, lengths[literals:literals+offsets], offsetEntry)
}
