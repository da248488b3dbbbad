package bitlocker

import (
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// LostReach is how much of a volume without a boot sector is searched for metadata: Windows puts the first copy at 33 MiB
// or soon after.
const LostReach = 48 << 20

// A Found is a metadata block that was recognised by itself.
type Found struct {
	Volume wintype.GUID
	Copies [3]int64 // where the copies are, from the start of the volume: one of them is this block
	Size   int64    // of the volume in bytes, 0 where the block does not tell
}

// IsMetadata reports whether a sector could be the first of a metadata block.
func IsMetadata(sector []byte) bool {
	return len(sector) >= blockHeader && string(sector[:8]) == signature && (sector[10] == 1 || sector[10] == 2) && sector[11] == 0
}

// Find recognises a metadata block with a right checksum at an offset of a disk. The volume begins at that offset less one
// of its Copies. Its errors are those of a block that does not hold.
func Find(disk layer.Source, off int64) (Found, error) {
	b, err := readBlock(disk, off)
	if err != nil {
		return Found{}, err
	}
	f := Found{Volume: b.id, Copies: b.copies}
	if b.version == 2 && b.state == Encrypted {
		f.Size = b.stateOffset
	}
	return f, nil
}

// search looks for a metadata block in the first sectors of a volume, one that says it lies where it does.
func (v *Volume) search() *block {
	for w, err := range layer.Scan(v.src, LostReach, 512, 1<<20) {
		if err != nil {
			continue
		}
		for at := 0; at+512 <= len(w.Data); at += 512 {
			if !IsMetadata(w.Data[at:]) {
				continue
			}
			off := w.Off + int64(at)
			if b, err := readBlock(v.src, off); err == nil && (b.copies[0] == off || b.copies[1] == off || b.copies[2] == off) {
				return b
			}
		}
	}
	return nil
}
