package codec

import "sync"

const (
	xpressSymbols = 512
	xpressLens    = xpressSymbols / 2 // bytes that the code lengths take
	xpressMax     = 64 << 10
)

type xpressDecoder struct {
	lens    [xpressSymbols]uint8
	code    huffman
	in, out buffer // in: what follows the code lengths
}

var xpressDecoders = sync.Pool{New: func() any { return new(xpressDecoder) }}

// XPRESS fills out, at most 64 KiB, from one chunk of XPRESS with Huffman codes ([MS-XCA] 2.2): 256 bytes of code
// lengths, 4 bits each, then the codes. It stops when out is full: whether the end symbol (256) follows, or anything
// else, is not looked at, as with other decoders. An input that ends before is an error.
func XPRESS(out, in []byte) error {
	if len(out) > xpressMax || len(in) > maxInput {
		return corrupt("XPRESS", 0, "chunk of %d bytes for %d, more than %d for %d", len(in), len(out), maxInput, xpressMax)
	}
	if len(in) < xpressLens {
		return corrupt("XPRESS", 0, "chunk of %d bytes, less than the %d of code lengths", len(in), xpressLens)
	}
	d := xpressDecoders.Get().(*xpressDecoder)
	defer xpressDecoders.Put(d)
	for i, v := range in[:xpressLens] {
		d.lens[2*i], d.lens[2*i+1] = v&15, v>>4
	}
	if !d.code.build(d.lens[:]) {
		return corrupt("XPRESS", 0, "code lengths that make no prefix code")
	}
	end := d.in.set(in[xpressLens:])
	at, used, wrong := d.decode(uint(len(out)), end)
	if used > end {
		wrong = "input ends before"
	}
	if wrong != "" {
		return corrupt("XPRESS", int(at), "%s", wrong)
	}
	copy(out, d.out[:])
	return nil
}

// decode makes size bytes of the end bytes of input. It returns how many it made and used, and what was wrong if
// anything.
func (d *xpressDecoder) decode(size, end uint) (at, used uint, wrong string) {
	var pos, base uint // pos counts the bits in words, base the bytes between them
	for at < size {
		v := d.in.words(uint16(pos/16*2+base)) << (pos & 15) // 49 bits at least: up to two codes and an offset
		e := d.code.find(v)
		pos += e & entryLen
		if e>>entryShift < 256 {
			d.out[uint16(at)] = byte(e >> entryShift)
			if at++; at == size {
				break
			}
			v <<= e & entryLen
			e = d.code.find(v)
			pos += e & entryLen
			if e>>entryShift < 256 {
				d.out[uint16(at)] = byte(e >> entryShift)
				at++
				continue
			}
		}
		v <<= e & entryLen
		n, k := e>>entryShift&15, e>>(entryShift+4)&15
		if n == 15 { // as for noCode
			if e == noCode {
				wrong = "bits that are no code"
				break
			}
			var skip uint
			if n, skip = d.length(pos, base, end); n < 15 {
				wrong = "match without a length"
				break
			}
			base += skip
			v = d.in.words(uint16(pos/16*2+base)) << (pos & 15)
		}
		n += 3
		dist := 1<<k + high(v, k)
		pos += k
		if dist > at || n > size-at {
			wrong = "match from before the start, or past the end"
			break
		}
		if n <= 16 && dist >= 8 {
			d.out.move(uint16(at), uint16(at-dist))
		} else {
			copyMatch(d.out[:], int(at), int(dist), int(n))
		}
		at += n
	}
	return at, (pos+15)/16*2 + base, wrong
}

// length reads the length, less 3, that a symbol had no room for: a byte, or a byte of 255 and 2 bytes. They are among
// the words, where a decoder is that reads 16 to 31 bits ahead. The words read ahead are moved over them, so that pos
// holds on, with skip more bytes before. A length under 15 says that there is none.
func (d *xpressDecoder) length(pos, base, end uint) (n, skip uint) {
	i := (pos+31)/16*2 + base
	if i >= end {
		return 0, 0
	}
	n, skip = uint(d.in[i])+15, 1
	if n == 15+255 {
		if end-i < 3 {
			return 0, 0
		}
		n, skip = uint(le.Uint16(d.in[i+1:])), 3
	}
	copy(d.in[i-4+skip:], d.in[i-4:i])
	return n, skip
}
