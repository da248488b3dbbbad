package bitlocker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// cbc is AES-CBC with a chain for each sector, which begins with the encrypted offset of the sector in the volume.
type cbc struct {
	data   cipher.Block
	sector int
}

func (c *cbc) decrypt(b []byte, s *scratch, p int64) {
	encrypted, start := s.all[:len(b)], s.small[:aes.BlockSize]
	copy(encrypted, b)
	decryptBlocks(c.data, b, encrypted)
	for ; len(b) >= c.sector; b, encrypted = b[c.sector:], encrypted[c.sector:] {
		encryptNumber(c.data, start, uint64(p))
		subtle.XORBytes(b, b[:aes.BlockSize], start)
		rest := b[aes.BlockSize:c.sector]
		subtle.XORBytes(rest, rest, encrypted)
		p += int64(c.sector)
	}
}
