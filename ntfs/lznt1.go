package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

// lznt1Chunk is how much output each chunk of LZNT1 stands for.
const lznt1Chunk = 4096

// decompressLZNT1 fills out, which is zeroed, from chunks ([MS-XCA] 2.5). What a short chunk or chain leaves is zero.
func decompressLZNT1(out, in []byte) error {
	for len(out) > 0 && len(in) >= 2 {
		head := binary.LittleEndian.Uint16(in)
		if head == 0 {
			return nil
		}
		n := int(head&0xfff) + 1
		if n > len(in)-2 {
			return fmt.Errorf("LZNT1 chunk of %d bytes, %d left: %w", n, len(in)-2, layer.ErrCorrupt)
		}
		chunk := out[:min(lznt1Chunk, len(out))]
		if head&0x8000 == 0 {
			copy(chunk, in[2:][:n])
		} else if err := decompressChunk(chunk, in[2:][:n]); err != nil {
			return err
		}
		in, out = in[2+n:], out[len(chunk):]
	}
	return nil
}

func decompressChunk(out, in []byte) error {
	at := 0
	for len(in) > 0 {
		flags := in[0]
		in = in[1:]
		for bit := 0; bit < 8 && len(in) > 0; bit++ {
			if at == len(out) {
				return fmt.Errorf("LZNT1 chunk of more than %d bytes: %w", at, layer.ErrCorrupt)
			}
			if flags>>bit&1 == 0 {
				out[at], in = in[0], in[1:]
				at++
				continue
			}
			if len(in) < 2 {
				return fmt.Errorf("LZNT1 chunk ends in a copy token: %w", layer.ErrCorrupt)
			}
			dist, n := copyToken(binary.LittleEndian.Uint16(in), at)
			if dist > at || n > len(out)-at {
				return fmt.Errorf("LZNT1 copy of %d bytes from %d before 0x%x: %w", n, dist, at, layer.ErrCorrupt)
			}
			for range n { // the ranges may overlap
				out[at] = out[at-dist]
				at++
			}
			in = in[2:]
		}
	}
	return nil
}

// copyToken splits a token: the further the output is, the more of its bits are distance.
func copyToken(v uint16, at int) (dist, n int) {
	bits := 12
	for i := at - 1; i >= 0x10; i >>= 1 {
		bits--
	}
	return int(v>>bits) + 1, int(v&(1<<bits-1)) + 3
}

// chunkStarts finds at most n chunks of a unit.
func chunkStarts(in []byte, n int) ([]int, error) {
	starts := make([]int, 0, n)
	for at := 0; len(starts) < n && len(in)-at >= 2; {
		head := binary.LittleEndian.Uint16(in[at:])
		if head == 0 {
			break
		}
		size := int(head&0xfff) + 3
		if size > len(in)-at {
			return starts, fmt.Errorf("LZNT1 chunk of %d bytes, %d left: %w", size, len(in)-at, layer.ErrCorrupt)
		}
		starts = append(starts, at)
		at += size
	}
	return starts, nil
}
