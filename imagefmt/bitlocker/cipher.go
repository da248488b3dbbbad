package bitlocker

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

// The methods that are read here.
const (
	methodCBC128Elephant Method = 0x8000
	methodCBC256Elephant Method = 0x8001
	methodCBC128         Method = 0x8002
	methodCBC256         Method = 0x8003
	methodXTS128         Method = 0x8004
	methodXTS256         Method = 0x8005
)

const (
	maxSector   = 4096
	scratchSize = 16 << 10 // what is decrypted at once: small enough to stay in the cache that is next to a core
)

// A sectorCipher decrypts sectors. It is immutable, and safe for any number of goroutines.
type sectorCipher interface {
	// decrypt decrypts whole sectors in place, scratchSize bytes at most, of which the first lies at offset p of the volume.
	decrypt(b []byte, s *scratch, p int64)
}

// scratch is what a goroutine needs to decrypt; nothing in it outlasts a call.
type scratch struct {
	all    [scratchSize]byte       // for as much as there is to decrypt
	small  [2 * aes.BlockSize]byte // a key of a sector
	sector [maxSector]byte         // of which a part was asked for
}

// newSectorCipher makes the cipher of a method. The key is the volume's, without the header of its entry; of the methods
// with a diffuser it is 64 bytes, of which AES 128 leaves every second 16 out.
func newSectorCipher(method Method, key []byte, sector int) (sectorCipher, error) {
	if sector != 512 && sector != maxSector {
		return nil, fmt.Errorf("sectors of %d bytes, want 512 or 4096: %w", sector, layer.ErrUnsupported)
	}
	half, want := 0, 0 // bytes of each key, and of all
	switch method {
	case methodCBC128Elephant:
		half, want = 16, 64
	case methodCBC256Elephant:
		half, want = 32, 64
	case methodCBC128, methodCBC256:
		half = 16 + 16*int(method-methodCBC128)
		want = half
	case methodXTS128, methodXTS256:
		half = 16 + 16*int(method-methodXTS128)
		want = 2 * half
	default:
		return nil, fmt.Errorf("encryption method 0x%04x: %w", uint16(method), layer.ErrUnsupported)
	}
	if len(key) != want {
		return nil, fmt.Errorf("encryption method 0x%04x: a key of %d bytes, want %d", uint16(method), len(key), want)
	}
	data, err := aes.NewCipher(key[:half])
	if err != nil {
		return nil, err
	}
	if want == half {
		return &cbc{data, sector}, nil
	}
	tweak, err := aes.NewCipher(key[want/2:][:half])
	if err != nil {
		return nil, err
	}
	if method >= methodXTS128 {
		return &xts{data, tweak, sector}, nil
	}
	return &elephant{cbc{data, sector}, tweak}, nil
}

// encryptNumber sets dst to the encrypted number, which is 16 bytes in little-endian order.
func encryptNumber(block cipher.Block, dst []byte, number uint64) {
	binary.LittleEndian.PutUint64(dst, number)
	clear(dst[8:aes.BlockSize])
	block.Encrypt(dst[:aes.BlockSize], dst[:aes.BlockSize])
}

// decryptBlocks decrypts each block of src for itself.
func decryptBlocks(block cipher.Block, dst, src []byte) {
	for len(src) >= aes.BlockSize && len(dst) >= aes.BlockSize {
		block.Decrypt(dst[:aes.BlockSize], src[:aes.BlockSize])
		dst, src = dst[aes.BlockSize:], src[aes.BlockSize:]
	}
}
