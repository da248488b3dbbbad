package bitlocker

import (
	"bytes"
	"math/bits"
)

const (
	signature = "-FVE-FS-" // at 3 of a boot sector, at 0 of a metadata block

	guidNormal = "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01" // 4967d63b-2e29-4ad8-8399-f6a339e3d001
	guidEOW    = "\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8" // 92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8: encrypt-on-write is under way
)

// maxOffset bounds what is believed of places: the largest NTFS volume has 2^32 clusters of 2 MiB.
const maxOffset = 1 << 53

// A bootSector is what the first sector of an encrypted volume says.
type bootSector struct {
	sector  int64    // bytes of one; 512 where it says 0; 0 where that is no size
	cluster int64    // bytes of one; 0 where that is no size
	copies  []int64  // where metadata blocks are
	eow     bool     // encrypt-on-write is under way,
	blocks  [2]int64 // and its blocks are here
	unnamed bool     // no GUID is there: eow is not known, but with Vista
}

// Boot recognises the boot sector of an encrypted volume by its first 512 bytes, and tells where it says that metadata is, in
// bytes from the start of the volume.
func Boot(sector []byte) (copies []int64, ok bool) {
	s, ok := decodeBoot(sector)
	if !ok {
		return nil, false
	}
	return s.copies, true
}

// decodeBoot decodes the first 512 bytes of a volume; false where they are of none that is encrypted. A GUID, which Windows
// looks for anywhere in them (160, or 424 in a boot sector of FAT32), is followed by three u64 offsets of metadata blocks,
// and with encrypt-on-write two of its blocks. Vista has no GUID, but at 56 the cluster of the first block. Bytes per sector
// are at 11, sectors per cluster at 13.
func decodeBoot(b []byte) (*bootSector, bool) {
	if len(b) < 512 {
		return nil, false
	}
	b = b[:512]
	s := &bootSector{sector: int64(le.Uint16(b[11:])), cluster: int64(b[13])}
	if s.sector == 0 {
		s.sector = 512
	}
	if s.sector < 512 || s.sector > 4096 || bits.OnesCount64(uint64(s.sector)) != 1 {
		s.sector = 0
	}
	if s.cluster *= s.sector; bits.OnesCount64(uint64(s.cluster)) != 1 {
		s.cluster = 0
	}
	at := bytes.Index(b, []byte(guidEOW))
	if s.eow = at >= 0; !s.eow {
		at = bytes.Index(b, []byte(guidNormal))
	}
	signed := string(b[3:11]) == signature
	switch {
	case at >= 0:
		s.offsets(b[at+16:])
	case signed:
		if mirror := le.Uint64(b[56:]); s.cluster > 0 && mirror < maxOffset/uint64(s.cluster) {
			s.add(mirror * uint64(s.cluster))
		}
		s.unnamed = true
		s.offsets(b[176:]) // perhaps the GUID is damaged
	default:
		return nil, false
	}
	return s, true
}

// offsets reads what follows a GUID.
func (s *bootSector) offsets(b []byte) {
	for i := 0; i < 3 && len(b) >= 8*i+8; i++ {
		s.add(le.Uint64(b[8*i:]))
	}
	for i := range s.blocks {
		if (s.eow || s.unnamed) && len(b) >= 24+8*i+8 {
			s.blocks[i] = int64(min(le.Uint64(b[24+8*i:]), maxOffset))
		}
	}
}

func (s *bootSector) add(off uint64) {
	if off > 0 && off < maxOffset && off%512 == 0 {
		s.copies = append(s.copies, int64(off))
	}
}
