package bitlockertest

import (
	"crypto/aes"
	"crypto/cipher"
	"unicode/utf16"
)

// Types of entries.
const (
	typeKey         = 1
	typeText        = 2
	typeStretch     = 3
	typeUse         = 4
	typeBox         = 5
	typeTPM         = 6
	typeProtector   = 8
	typeExternal    = 9
	typeOffset      = 0xf
	typeIdentifier  = 0x17
	roleProperty    = 0
	roleProtector   = 2
	roleVolumeKey   = 3
	roleStartup     = 6
	roleDescription = 7
	roleHeader      = 0xf
	roleRecovery    = 0x12
	roleStretched   = 0x13
	roleVolumeID    = 0x19
	keyRecovery     = 0x1000 // types of keys
	keyPassword     = 0x1001
	keyExternal     = 0x2002
	keyMaster       = 0x2003
	keyHash         = 0x2005
	keyStretched    = 0x2008
)

// entry is an entry of metadata: 8 bytes (u16 size, role, type, flags) and what parts hold.
func entry(role, typ uint16, parts ...[]byte) []byte {
	b := make([]byte, 8)
	for _, p := range parts {
		b = append(b, p...)
	}
	le.PutUint16(b[0:], uint16(len(b)))
	le.PutUint16(b[2:], role)
	le.PutUint16(b[4:], typ)
	le.PutUint16(b[6:], 1)
	return b
}

// key is an entry of a key: u16 its type, u16 0, the key.
func key(typ uint16, k []byte) []byte { return entry(roleProperty, typeKey, kind(typ), k) }

// kind is a u16 with two bytes of zeros.
func kind(typ uint16) []byte { return le.AppendUint32(nil, uint32(typ)) }

// text is an entry in UTF-16, with a NUL.
func text(role uint16, s string) []byte { return entry(role, typeText, utf16le(s), []byte{0, 0}) }

func utf16le(s string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, unit)
	}
	return b
}

// box is an entry encrypted with AES-256-CCM (RFC 3610 with M=16, L=3): 12 bytes nonce, which is a time and a counter, 16 tag.
func (w *writer) box(role uint16, k, content []byte) []byte {
	w.nonce++
	nonce := le.AppendUint32(le.AppendUint64(nil, uint64(Created)), w.nonce)
	block, err := aes.NewCipher(k)
	if err != nil {
		panic(err) // the keys are made here
	}
	counter := make([]byte, aes.BlockSize)
	counter[0] = 2 // L-1
	copy(counter[1:], nonce)
	mask := make([]byte, aes.BlockSize)
	block.Encrypt(mask, counter)
	counter[15] = 1
	out := make([]byte, len(content))
	cipher.NewCTR(block, counter).XORKeyStream(out, content)

	tag := make([]byte, aes.BlockSize)
	tag[0] = 0x3a // M and L
	copy(tag[1:], nonce)
	n := len(content)
	tag[13], tag[14], tag[15] = byte(n>>16), byte(n>>8), byte(n)
	block.Encrypt(tag, tag)
	for rest := content; len(rest) > 0; rest = rest[min(len(rest), aes.BlockSize):] {
		xor(tag, rest[:min(len(rest), aes.BlockSize)])
		block.Encrypt(tag, tag)
	}
	xor(tag, mask)
	return entry(role, typeBox, nonce, tag, out)
}
