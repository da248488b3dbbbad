package codec

import (
	"bytes"
	"encoding/binary"
	"sync"
)

const (
	lzxMax      = 32 << 10 // bytes of a chunk; also the window
	lzxSlots    = 30       // position slots of such a window
	lzxMain     = 256 + 8*lzxSlots
	lzxLength   = 249
	lzxPre      = 20
	lzxAligned  = 8
	lzxE8Target = 12_000_000 // the file size that x86 call targets are translated by
)

const (
	lzxVerbatimBlock     = 1
	lzxAlignedBlock      = 2
	lzxUncompressedBlock = 3
)

// lzxBase is the first offset of a position slot, lzxExtra how many bits follow for the offset in it. Slots 0 to 2
// stand for recent offsets.
var lzxBase, lzxExtra = lzxOffsets()

func lzxOffsets() (base, extra [32]uint) {
	next := uint(1)
	for s := uint(3); s < lzxSlots; s++ {
		base[s], extra[s] = next, s/2-1
		next += 1 << extra[s]
	}
	return base, extra
}

type lzxDecoder struct {
	recent     [4]uint // the last three offsets, and one unused
	mainLens   [lzxMain]uint8
	lengthLens [lzxLength]uint8

	main, length, aligned, pre huffman

	end     uint   // bytes of input
	in, out buffer // in has the bytes of each word swapped, so that the bits are in their order
}

var lzxDecoders = sync.Pool{New: func() any { return new(lzxDecoder) }}

// LZX fills out, at most 32 KiB, from one chunk of LZX as WIM and WOF have it: a window of 32 KiB, x86 call targets
// always translated, as in a file of 12,000,000 bytes that starts with the chunk. Input that is left when out is full
// is not looked at, as with other decoders. An input that ends before is an error, and so is a block, or a match in
// one, of more than is left of out: a chunk cannot be asked for its start alone.
//
// The format is LZX DELTA's ([MS-PATCH]) without its deltas and its preamble, but for the block header: 3 bits of type
// and a bit that is 1 for the size 32768, else 16 bits of size follow. Facts checked against wimlib and go-winio.
func LZX(out, in []byte) error {
	if len(out) > lzxMax || len(in) > maxInput {
		return corrupt("LZX", 0, "chunk of %d bytes for %d, more than %d for %d", len(in), len(out), maxInput, lzxMax)
	}
	d := lzxDecoders.Get().(*lzxDecoder)
	defer lzxDecoders.Put(d)
	d.reset(in)
	size := uint(len(out))
	for at, pos := uint(0), uint(0); at < size; {
		kind, n := d.take(&pos, 3), uint(lzxMax)
		if d.take(&pos, 1) == 0 {
			n = d.take(&pos, 16)
		}
		if n == 0 || n > size-at {
			return corrupt("LZX", int(at), "block of %d bytes, %d left", n, size-at)
		}
		wrong := "block type not 1, 2 or 3"
		switch kind {
		case lzxVerbatimBlock, lzxAlignedBlock:
			aligned := kind == lzxAlignedBlock
			if wrong = d.codes(&pos, aligned); wrong == "" {
				pos, at, wrong = d.matches(pos, at, at+n, aligned)
			}
		case lzxUncompressedBlock:
			if wrong = d.uncompressed(&pos, in, at, n); wrong == "" {
				at += n
			}
		}
		if pos > 8*d.end {
			wrong = "input ends before"
		}
		if wrong != "" {
			return corrupt("LZX", int(at), "%s", wrong)
		}
	}
	copy(out, d.out[:])
	undoCalls(out)
	return nil
}

// reset makes d ready for a chunk.
func (d *lzxDecoder) reset(in []byte) {
	d.recent = [4]uint{1, 1, 1}
	clear(d.mainLens[:])
	clear(d.lengthLens[:])
	d.end = d.in.set(in[:len(in)&^1])
	for i := uint(0); i < d.end; i += 8 {
		const low = 0x00ff00ff00ff00ff
		v := le.Uint64(d.in[i:])
		le.PutUint64(d.in[i:], v>>8&low|v&low<<8)
	}
}

// load returns at least 57 bits at pos, anything past the end.
func (d *lzxDecoder) load(pos uint) uint64 {
	return binary.BigEndian.Uint64(d.in[uint16(pos/8):]) << (pos & 7)
}

func (d *lzxDecoder) take(pos *uint, k uint) uint {
	v := high(d.load(*pos), k)
	*pos += k
	return v
}

// codes reads the codes of a compressed block.
func (d *lzxDecoder) codes(pos *uint, aligned bool) (wrong string) {
	if aligned {
		var lens [lzxAligned]uint8
		for i := range lens {
			lens[i] = uint8(d.take(pos, 3))
		}
		if !d.aligned.build(lens[:]) {
			return "aligned offset code lengths that make no prefix code"
		}
	}
	if !d.lengths(pos, d.mainLens[:256]) || !d.lengths(pos, d.mainLens[256:]) || !d.main.build(d.mainLens[:]) {
		return "main code lengths that make no prefix code"
	}
	if !d.lengths(pos, d.lengthLens[:]) || !d.length.build(d.lengthLens[:]) {
		return "length code lengths that make no prefix code"
	}
	return ""
}

// lengths reads code lengths, which are differences to those of the block before, in a code of their own.
func (d *lzxDecoder) lengths(pos *uint, lens []uint8) bool {
	var pre [lzxPre]uint8
	for i := range pre {
		pre[i] = uint8(d.take(pos, 4))
	}
	if !d.pre.build(pre[:]) {
		return false
	}
	for len(lens) > 0 {
		e := d.pre.find(d.load(*pos))
		*pos += e & entryLen
		delta, n := e>>entryShift, uint(1)
		switch delta {
		case 17:
			n = 4 + d.take(pos, 4)
		case 18:
			n = 20 + d.take(pos, 5)
		case 19:
			n = 4 + d.take(pos, 1)
			e = d.pre.find(d.load(*pos))
			*pos += e & entryLen
			if delta = e >> entryShift; delta > maxCodeLen {
				return false
			}
		}
		if e == noCode || n > uint(len(lens)) {
			return false
		}
		v := uint8(0)
		if delta <= maxCodeLen {
			v = uint8((uint(lens[0]) + maxCodeLen + 1 - delta) % (maxCodeLen + 1))
		}
		for i := range lens[:n] {
			lens[i] = v
		}
		lens = lens[n:]
	}
	return true
}

// matches makes the output of a compressed block from at to end, which no match may pass.
func (d *lzxDecoder) matches(pos, at, end uint, aligned bool) (newPos, done uint, wrong string) {
	for at < end {
		v := d.load(pos)
		e := d.main.find(v)
		pos += e & entryLen
		if e>>entryShift < 256 {
			d.out[uint16(at)] = byte(e >> entryShift)
			if at++; at == end {
				break
			}
			v <<= e & entryLen
			e = d.main.find(v)
			pos += e & entryLen
			if e>>entryShift < 256 {
				d.out[uint16(at)] = byte(e >> entryShift)
				at++
				continue
			}
		}
		v <<= e & entryLen // 25 bits at least, enough for an offset
		n := e>>entryShift&7 + 2
		slot := (e>>entryShift - 256) / 8 & 31
		if n == 9 { // as for noCode
			l := d.length.find(d.load(pos))
			if e == noCode || l == noCode {
				return pos, at, "bits that are no code"
			}
			n += l >> entryShift
			pos += l & entryLen
			v = d.load(pos)
		}
		dist := d.recent[slot&3]
		if slot < 3 {
			d.recent[slot] = d.recent[0]
		} else {
			k := lzxExtra[slot]
			dist = lzxBase[slot]
			if aligned && k >= 3 {
				dist += high(v, k-3) << 3
				a := d.aligned.find(v << (k - 3&63))
				if a == noCode {
					return pos, at, "bits that are no aligned offset code"
				}
				dist += a >> entryShift
				pos += k - 3 + a&entryLen
			} else {
				dist += high(v, k)
				pos += k
			}
			d.recent[2] = d.recent[1]
			d.recent[1] = d.recent[0]
		}
		d.recent[0] = dist
		if dist-1 >= at || n > end-at {
			return pos, at, "match from before the start, or past the end of the block"
		}
		if n <= 16 && dist >= 8 {
			d.out.move(uint16(at), uint16(at-dist))
		} else {
			copyMatch(d.out[:], int(at), int(dist), int(n))
		}
		at += n
	}
	return pos, at, ""
}

// uncompressed reads a block from the next word on, a whole word further if pos is at the start of one: three recent
// offsets of 32 bits, then the bytes, to an even number of them.
func (d *lzxDecoder) uncompressed(pos *uint, in []byte, at, n uint) (wrong string) {
	i := *pos/16*2 + 2
	if i > uint(len(in)) || uint(len(in))-i < 12+n {
		return "uncompressed block that the input ends before"
	}
	for k := range 3 {
		d.recent[k] = uint(le.Uint32(in[i+uint(4*k):]))
	}
	copy(d.out[at:], in[i+12:][:n])
	*pos = 8 * min(i+12+n+n&1, d.end)
	return ""
}

// undoCalls puts back the relative targets of what may be x86 call instructions. Encoders make them absolute, counting
// from the start of the chunk, where they are in a file of a made-up size.
func undoCalls(out []byte) {
	for at := 0; at < len(out)-10; at += 5 {
		i := bytes.IndexByte(out[at:len(out)-10], 0xe8)
		if i < 0 {
			return
		}
		at += i
		target := int32(le.Uint32(out[at+1:]))
		switch {
		case target >= 0 && target < lzxE8Target:
			le.PutUint32(out[at+1:], uint32(target-int32(at)))
		case target < 0 && target >= -int32(at):
			le.PutUint32(out[at+1:], uint32(target+lzxE8Target))
		}
	}
}
