package bitlocker

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

// elephant is AES-CBC with the diffuser of "AES-CBC + Elephant diffuser, a disk encryption algorithm for Windows Vista"
// (Ferguson, 2006) on top: each bit of a sector depends on all of it.
type elephant struct {
	cbc   cbc
	tweak cipher.Block
}

func (c *elephant) decrypt(b []byte, s *scratch, p int64) {
	c.cbc.decrypt(b, s, p)
	var words [maxSector / 4]uint32
	sector := c.cbc.sector
	for ; len(b) >= sector; b = b[sector:] {
		w := words[:sector/4]
		for i := range w {
			w[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		undiffuseB(w)
		undiffuseA(w)
		key := c.sectorKey(s, p)
		for i, v := range w {
			binary.LittleEndian.PutUint32(b[4*i:], v^key[i%len(key)])
		}
		p += int64(sector)
	}
}

// sectorKey is the encrypted offset of the sector, once as it is and once with the highest bit, as words.
func (c *elephant) sectorKey(s *scratch, p int64) (key [8]uint32) {
	encryptNumber(c.tweak, s.small[:], uint64(p))
	second := s.small[aes.BlockSize:]
	binary.LittleEndian.PutUint64(second, uint64(p))
	binary.LittleEndian.PutUint64(second[8:], 0x80<<56)
	c.tweak.Encrypt(second, second)
	for i := range key {
		key[i] = binary.LittleEndian.Uint32(s.small[4*i:])
	}
	return key
}

// undiffuseB takes diffuser B back. Indices are modulo the length, which is a power of two and at least 8.
func undiffuseB(w []uint32) {
	mask := len(w) - 1
	for range 3 {
		i := 0
		for ; i+8 < len(w); i += 4 {
			v := w[i:][:9]
			v[0] += v[2] ^ v[5]
			v[1] += v[3] ^ bits.RotateLeft32(v[6], 10)
			v[2] += v[4] ^ v[7]
			v[3] += v[5] ^ bits.RotateLeft32(v[8], 25)
		}
		for ; i < len(w); i += 4 {
			w[i] += w[(i+2)&mask] ^ w[(i+5)&mask]
			w[i+1] += w[(i+3)&mask] ^ bits.RotateLeft32(w[(i+6)&mask], 10)
			w[i+2] += w[(i+4)&mask] ^ w[(i+7)&mask]
			w[i+3] += w[(i+5)&mask] ^ bits.RotateLeft32(w[(i+8)&mask], 25)
		}
	}
}

// undiffuseA takes diffuser A back, as undiffuseB does.
func undiffuseA(w []uint32) {
	mask := len(w) - 1
	for range 5 {
		i := 0
		for ; i < 8; i += 4 {
			w[i] += w[(i-2)&mask] ^ bits.RotateLeft32(w[(i-5)&mask], 9)
			w[i+1] += w[(i-1)&mask] ^ w[(i-4)&mask]
			w[i+2] += w[i] ^ bits.RotateLeft32(w[(i-3)&mask], 13)
			w[i+3] += w[i+1] ^ w[(i-2)&mask]
		}
		before, last := w[6], w[7] // what each word depends on stays in registers
		for ; i < len(w); i += 4 {
			v := w[i-5:][:9]
			v[5] += before ^ bits.RotateLeft32(v[0], 9)
			v[6] += last ^ v[1]
			v[7] += v[5] ^ bits.RotateLeft32(v[2], 13)
			v[8] += v[6] ^ v[3]
			before, last = v[7], v[8]
		}
	}
}
