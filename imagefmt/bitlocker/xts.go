package bitlocker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
)

// xts is XTS-AES of IEEE 1619, whose data units are the sectors, by their number from the start of the volume.
type xts struct {
	data, tweak cipher.Block
	sector      int
}

func (c *xts) decrypt(b []byte, s *scratch, p int64) {
	tweaks := s.all[:len(b)]
	number := uint64(p) / uint64(c.sector)
	for unit := tweaks; len(unit) >= c.sector; unit = unit[c.sector:] {
		encryptNumber(c.tweak, unit, number)
		multiply(unit[:c.sector])
		number++
	}
	subtle.XORBytes(b, b, tweaks)
	decryptBlocks(c.data, b, b)
	subtle.XORBytes(b, b, tweaks)
}

// multiply makes each block but the first the one before, multiplied by x in GF(2^128).
func multiply(tweaks []byte) {
	le := binary.LittleEndian
	low, high := le.Uint64(tweaks), le.Uint64(tweaks[8:])
	for t := tweaks[aes.BlockSize:]; len(t) >= aes.BlockSize; t = t[aes.BlockSize:] {
		carry := uint64(int64(high) >> 63) // all bits of it
		high = high<<1 | low>>63
		low = low<<1 ^ carry&0x87
		le.PutUint64(t, low)
		le.PutUint64(t[8:], high)
	}
}
