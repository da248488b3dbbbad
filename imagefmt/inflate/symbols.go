package inflate

import (
	"encoding/binary"
	"io"
)

const (
	maxSymbol = 48 // bits that a length with its distance takes at most
	wordLen   = 8  // bytes that are copied at once, though fewer may be asked for
)

// codes unpacks the symbols of a block until it ends or out is full. With fewer bits than maxSymbol in word, and none to
// come, a symbol may turn out to be cut off only after it was unpacked, and is taken back.
func (d *decoder) codes() error {
	in, out := &d.in, d.out
	buf, pos, word, n, w := in.buf[:in.end], in.pos, in.word, in.n, d.w
	safe, stop := w, error(nil) // stop is why the loop ends
	for full := d.full; w < full; {
		if n < maxSymbol {
			if pos+8 <= len(buf) {
				word |= binary.LittleEndian.Uint64(buf[pos:]) << (uint(n) & 63)
				pos += (63 - n) >> 3
				n |= 56
			} else {
				if n < 0 {
					break
				}
				in.pos, in.word, in.n = pos, word, n
				stop, safe = in.top(), w
				if buf, pos, word, n = in.buf[:in.end], in.pos, in.word, in.n; stop != nil {
					break
				}
			}
		}
		e := d.lengths.entry(word)
		word >>= e & entryBits
		n -= int(e & entryBits)
		if e&entryLiteral != 0 {
			out[w] = byte(e >> 16)
			w++
			continue
		}
		if e&entryBase == 0 {
			if stop = errSymbol; e&entryEnd != 0 {
				stop = io.EOF
			}
			break
		}
		length, extra := value(e, word)
		word >>= extra
		n -= int(extra)
		e = d.dists.entry(word)
		word >>= e & entryBits
		dist, extra := value(e, word)
		word >>= extra
		n -= int(e&entryBits + extra)
		s := w - dist
		if e&entryBase == 0 || s < d.from {
			stop = errDistance
			break
		}
		if dist < wordLen || length > 64 || w+length+wordLen > len(out) {
			if length > len(out)-w {
				length, stop = len(out)-w, ErrLong
			}
			repeat(out[s:w+length], dist)
			if w += length; stop != nil {
				break
			}
			continue
		}
		copyWords(out, w, s, length)
		w += length
	}
	if n < 0 {
		w, stop = safe, io.ErrUnexpectedEOF
	}
	in.pos, in.word, in.n, d.w = pos, word, max(n, 0), w
	if stop == io.EOF {
		d.endBlock()
		return nil
	}
	return stop
}

// value is what an entry means with its extra bits, which word begins with, and how many those are.
func value(e uint32, word uint64) (v int, extra uint32) {
	extra = e >> 9 & 15
	return int(e>>16) + int(word&(1<<extra-1)), extra
}

// copyWords copies length bytes of out from s to w in words, and may write past their end.
func copyWords(out []byte, w, s, length int) {
	for end := w + length; w < end; w, s = w+wordLen, s+wordLen {
		binary.LittleEndian.PutUint64(out[w:], binary.LittleEndian.Uint64(out[s:]))
	}
}

// repeat fills b with copies of its first n bytes.
func repeat(b []byte, n int) {
	if n == 1 && b[0] == 0 { // most of a disk
		clear(b)
		return
	}
	for n < len(b) {
		n += copy(b[n:], b[:n])
	}
}
