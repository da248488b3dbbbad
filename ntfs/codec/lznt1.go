package codec

import "sync"

// lznt1Chunk is how many bytes of output a chunk of LZNT1 stands for.
const lznt1Chunk = 4096

// LZNT1 fills out from the chunks of a compression unit ([MS-XCA] 2.5), 4096 bytes from each. What a short chunk or
// chain leaves of out is zero; a header of 0 ends the chain. What follows the chunks that out has room for is not
// looked at.
func LZNT1(out, in []byte) error {
	for at := 0; at < len(out); at += lznt1Chunk {
		rest, err := lznt1Next(out[at:min(at+lznt1Chunk, len(out))], in, at)
		if err != nil {
			return err
		}
		in = rest
	}
	return nil
}

// LZNT1Chunk fills out, at most 4096 bytes, from the chunk whose header in starts with. What a short chunk leaves is
// zero, and all is when the chain ends here. A compressed chunk of more than len(out) bytes is an error.
func LZNT1Chunk(out, in []byte) error {
	if len(out) > lznt1Chunk {
		return corrupt("LZNT1", 0, "%d bytes asked of a chunk, more than %d", len(out), lznt1Chunk)
	}
	_, err := lznt1Next(out, in, 0)
	return err
}

// LZNT1Skip returns what follows the first n chunks of in, for LZNT1Chunk: a chunk needs none of those before it. It
// is empty when the chain ends before.
func LZNT1Skip(in []byte, n int) ([]byte, error) {
	for i := range n {
		chunk, rest, err := lznt1Split(in, i*lznt1Chunk)
		if err != nil || chunk == nil {
			return nil, err
		}
		in = rest
	}
	return in, nil
}

// lznt1Split cuts the first chunk with its header off in; nil when the chain ends here. start is where its output is.
func lznt1Split(in []byte, start int) (chunk, rest []byte, err error) {
	if len(in) < 2 || le.Uint16(in) == 0 {
		return nil, nil, nil
	}
	n := int(le.Uint16(in)&0xfff) + 3
	if n > len(in) {
		return nil, nil, corrupt("LZNT1", start, "chunk of %d bytes, %d left", n-2, len(in)-2)
	}
	return in[:n], in[n:], nil
}

// lznt1Next decodes the first chunk of in to out and returns the rest. start is where out is in the output.
func lznt1Next(out, in []byte, start int) (rest []byte, err error) {
	chunk, rest, err := lznt1Split(in, start)
	if err != nil {
		return nil, err
	}
	if chunk == nil || chunk[1]&0x80 == 0 {
		n := copy(out, chunk[min(2, len(chunk)):])
		clear(out[n:])
		return rest, nil
	}
	b := lznt1Buffers.Get().(*buffer)
	defer lznt1Buffers.Put(b)
	end := lznt1Input + copy(b[lznt1Input:], chunk[2:])
	at, wrong := lznt1Tokens(b, uint(end), uint(len(out)))
	if wrong != "" {
		return nil, corrupt("LZNT1", start+int(at), "%s", wrong)
	}
	clear(out[copy(out, b[:at]):])
	return rest, nil
}

// lznt1Input is where a buffer has the tokens of a chunk, far enough behind its output.
const lznt1Input = 2 * lznt1Chunk

var lznt1Buffers = sync.Pool{New: func() any { return new(buffer) }}

// lznt1Tokens decodes the tokens of a compressed chunk, which go up to end, and returns how many bytes that makes, at
// most size, and what was wrong if anything. Each group of eight tokens comes after a byte of flags, lowest bit first:
// 0 for a literal byte, 1 for a copy of 16 bits: the further the output, the more of them are distance.
//
// Which of the two a token is cannot be foretold, so there is no branch on it: a literal is a copy of one byte from the
// input, its distance 0.
func lznt1Tokens(b *buffer, end, size uint) (at uint, wrong string) {
	lengthBits, far := uint(12), uint(16)
	for pos := uint(lznt1Input); pos < end; {
		flags := uint(b[uint16(pos)])
		pos++
		if flags == 0 && end-pos >= 8 && size-at >= 8 {
			b.move(uint16(at), uint16(pos))
			at += 8
			pos += 8
			continue
		}
		for i := 0; i < 8 && pos < end; i++ {
			for at > far {
				far *= 2
				lengthBits--
			}
			bit := flags & 1
			isCopy := -bit
			flags >>= 1
			token := uint(le.Uint16(b[uint16(pos):]))
			dist := (token>>(lengthBits&15) + 1) & isCopy
			n := (token&(1<<(lengthBits&15)-1)+2)&isCopy + 1
			from := pos ^ (pos^(at-dist))&isCopy
			pos += 1 + bit
			if pos > end {
				return at, "chunk ends in a copy token"
			}
			if dist > at || n > size-at {
				return at, "copy from before the start, or more than the chunk holds"
			}
			if n > 16 || dist-1 < 7 { // not 0
				copyMatch(b[:], int(at), int(dist), int(n))
			} else {
				b.move(uint16(at), uint16(from))
			}
			at += n
		}
	}
	return at, ""
}
