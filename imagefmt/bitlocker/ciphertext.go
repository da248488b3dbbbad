package bitlocker

import "snapmount/imagefmt/layer"

// Ciphertext tells what is decrypted at off of a leaf of a decrypted volume: the offset in the encrypted volume, and what the
// ciphertext lies in, at the same offset as in the leaf; nil is a hole. For other leaves ok is false.
func Ciphertext(s layer.Source, off int64) (at int64, below layer.Source, ok bool) {
	l, ok := s.(leaf)
	return off + l.shift, l.below, ok
}
