package bitlockertest

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"math/bits"
)

var le = binary.LittleEndian

// Methods of encryption, as the metadata numbers them.
const (
	CBC128Elephant = 0x8000
	CBC256Elephant = 0x8001
	CBC128         = 0x8002
	CBC256         = 0x8003
	XTS128         = 0x8004
	XTS256         = 0x8005
)

// KeySize is how many bytes the key of a method has; 0 for one that is none.
func KeySize(method uint16) int {
	switch method {
	case CBC128:
		return 16
	case CBC256, XTS128:
		return 32
	case CBC128Elephant, CBC256Elephant, XTS256:
		return 64
	}
	return 0
}

// An Encrypter encrypts a sector in place, which lies at offset p of the volume. It is written to be compared with, not to
// be fast, and shares no code with what decrypts.
type Encrypter func(sector []byte, p int64)

// NewEncrypter returns one for a method, with a key of KeySize bytes.
func NewEncrypter(method uint16, key []byte) (Encrypter, error) {
	if n := KeySize(method); n == 0 || len(key) != n {
		return nil, fmt.Errorf("method 0x%x with a key of %d bytes, want one of the methods, and %d", method, len(key), n)
	}
	size := 16 + 16*int(method&1) // of an AES key
	data, err := aes.NewCipher(key[:size])
	if err != nil {
		return nil, err
	}
	second := data
	if len(key) > size {
		if second, err = aes.NewCipher(key[len(key)/2:][:size]); err != nil {
			return nil, err
		}
	}
	switch method {
	case XTS128, XTS256:
		return func(sector []byte, p int64) { encryptXTS(data, second, sector, p) }, nil
	case CBC128Elephant, CBC256Elephant:
		return func(sector []byte, p int64) {
			diffuse(second, sector, p)
			encryptCBC(data, sector, p)
		}, nil
	}
	return func(sector []byte, p int64) { encryptCBC(data, sector, p) }, nil
}

// number is the encrypted number, with a last byte.
func number(block cipher.Block, n uint64, last byte) []byte {
	b := make([]byte, aes.BlockSize)
	le.PutUint64(b, n)
	b[15] = last
	block.Encrypt(b, b)
	return b
}

func encryptCBC(block cipher.Block, sector []byte, p int64) {
	cipher.NewCBCEncrypter(block, number(block, uint64(p), 0)).CryptBlocks(sector, sector)
}

func encryptXTS(data, tweak cipher.Block, sector []byte, p int64) {
	t := number(tweak, uint64(p)/uint64(len(sector)), 0)
	for b := sector; len(b) > 0; b = b[aes.BlockSize:] {
		xor(b, t)
		data.Encrypt(b, b)
		xor(b, t)
		carry := byte(0)
		for i, v := range t {
			t[i] = v<<1 | carry
			carry = v >> 7
		}
		t[0] ^= 0x87 * carry
	}
}

func xor(b, mask []byte) {
	for i, v := range mask {
		b[i] ^= v
	}
}

// diffuse is the diffuser in the direction of encryption: the key of the sector, then A and B, each from the end on.
func diffuse(tweak cipher.Block, sector []byte, p int64) {
	key := append(number(tweak, uint64(p), 0), number(tweak, uint64(p), 0x80)...)
	n := len(sector) / 4
	w := make([]uint32, n)
	for i := range w {
		xor(sector[4*i:], key[4*i%len(key):][:4])
		w[i] = le.Uint32(sector[4*i:])
	}
	at := func(i int) uint32 { return w[(i+n)%n] }
	for range 5 {
		for i := n - 1; i >= 0; i-- {
			w[i] -= at(i-2) ^ bits.RotateLeft32(at(i-5), []int{9, 0, 13, 0}[i%4])
		}
	}
	for range 3 {
		for i := n - 1; i >= 0; i-- {
			w[i] -= at(i+2) ^ bits.RotateLeft32(at(i+5), []int{0, 10, 0, 25}[i%4])
		}
	}
	for i, v := range w {
		le.PutUint32(sector[4*i:], v)
	}
}
