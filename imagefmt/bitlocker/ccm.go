package bitlocker

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// A box is a key that is encrypted by AES-CCM (RFC 3610) with a nonce of 12 bytes, a tag of 16 and no other data: the nonce,
// which is a FILETIME and a counter, the tag, and the ciphertext.
const boxHeader = 12 + 16

// openBox opens a box with a key of 32 bytes. It is false with another key, and where the box is damaged: the same.
func openBox(key, box []byte) ([]byte, bool) {
	if len(box) < boxHeader || len(box)-boxHeader >= 1<<16 {
		return nil, false
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	nonce, tag, text := box[:12], box[12:boxHeader], box[boxHeader:]
	var first, counter, sum [16]byte
	counter[0] = 2 // the length of the length, less 1
	copy(counter[1:], nonce)
	block.Encrypt(first[:], counter[:])
	counter[15] = 1
	plain := make([]byte, len(text))
	cipher.NewCTR(block, counter[:]).XORKeyStream(plain, text)
	sum[0] = (16-2)/2<<3 | 2
	copy(sum[1:], nonce)
	sum[14], sum[15] = byte(len(text)>>8), byte(len(text))
	block.Encrypt(sum[:], sum[:])
	for at := 0; at < len(plain); at += 16 {
		subtle.XORBytes(sum[:], sum[:], plain[at:min(at+16, len(plain))])
		block.Encrypt(sum[:], sum[:])
	}
	subtle.XORBytes(sum[:], sum[:], first[:])
	if subtle.ConstantTimeCompare(sum[:], tag) == 0 {
		clear(plain)
		return nil, false
	}
	return plain, true
}

// openKey opens a box that holds a key: u16 size, u16 role, u16 type, u16 flags, u16 kind of key, u16, and its bytes.
func openKey(key []byte, box entry) (kind uint16, bytes []byte, ok bool) {
	if box.typ != typeBox {
		return 0, nil, false
	}
	plain, ok := openBox(key, box.data)
	if !ok || len(plain) < 12 || int(le.Uint16(plain)) < 12 || int(le.Uint16(plain)) > len(plain) {
		return 0, nil, false
	}
	return le.Uint16(plain[8:]), plain[12:le.Uint16(plain)], true
}
