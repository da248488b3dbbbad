// Package layout holds the records of NTFS as they are on disk: a struct and a decode function for each, without I/O.
//
// All numbers are little-endian. Fields stand in the order of their offsets, which are from the start of the record, and
// have the types of the disk; what nobody asks for is left out. Decode fills a struct in place and allocates nothing, as
// all that is done with a volume starts with it. It takes the bytes of the record, of which there must be as many as the
// constant beside it says, and believes them: what they may be is for the caller to check.
//
// Sources: fs/ntfs3/ntfs.h of Linux, and layout.h of ntfs-3g.
package layout

import (
	"encoding/binary"

	"snapmount/imagefmt/layer"
)

// Stride is what one word of an update sequence protects, in bytes, whatever the sector size.
const Stride = 512

// Protected checks the magic, of four bytes, and the update sequence of a record, an index block or a page of $LogFile,
// which is all of b, and puts the protected words back. structure and off name it in the error, a *layer.CorruptError;
// words before the torn one are back then.
func Protected(b []byte, magic, structure string, off int64) error {
	le := binary.LittleEndian
	if string(b[:4]) != magic {
		return layer.Corrupt(structure, off, "magic 0x%x (%q), want %q", le.Uint32(b), b[:4], magic)
	}
	at, count := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	if count != len(b)/Stride+1 || at < 8 || at+2*count > min(len(b), Stride)-2 {
		return layer.Corrupt(structure, off, "update sequence of %d words at 0x%x for %d bytes", count, at, len(b))
	}
	seq := le.Uint16(b[at:])
	for i := 1; i < count; i++ {
		end := b[i*Stride-2:]
		if found := le.Uint16(end); found != seq {
			return layer.Corrupt(structure, off, "update sequence 0x%x at 0x%x, want 0x%x", found, i*Stride-2, seq)
		}
		copy(end[:2], b[at+2*i:])
	}
	return nil
}
