// Package codec decompresses what NTFS keeps compressed: LZNT1, the units of compressed files, and XPRESS Huffman and
// LZX, the chunks of files compressed by WOF (and of WIM archives, which WOF took them from).
//
// All functions are pure and may be called concurrently. They fill out or return an error that wraps
// [layer.ErrCorrupt] and says where in the output decoding stopped; out then holds nothing of use. No input makes them
// panic, read or write outside the given slices, allocate, or take longer than its size and that of out justify.
package codec

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

var le = binary.LittleEndian

// corrupt returns an error for damage found when at bytes of a codec's output were done.
func corrupt(codec string, at int, format string, args ...any) error {
	return fmt.Errorf("%s at 0x%x of the output: %s: %w", codec, at, fmt.Sprintf(format, args...), layer.ErrCorrupt)
}
