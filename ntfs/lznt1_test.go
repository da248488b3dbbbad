package ntfs

import (
	"bytes"
	"errors"
	"testing"

	"snapmount/imagefmt/layer"
)

// The example of [MS-XCA] 3.3, text of the standard's own.
var lznt1Example = []byte{
	0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45, 0x20, 0x44,
	0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef,
	0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
}

func TestLZNT1(t *testing.T) {
	text := "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\x00"
	for _, c := range []struct {
		name string
		in   []byte
		want string
		bad  bool
	}{
		{"example", lznt1Example, text, false},
		{"stored, short", []byte{2, 0x30, 'a', 'b', 'c', 0, 0}, "abc", false},
		{"two short chunks", []byte{0, 0x30, 'a', 0, 0x30, 'b'}, "a" + string(make([]byte, lznt1Chunk-1)) + "b", false},
		{"nothing", nil, "", false},
		{"overlapping copy", []byte{3, 0xb0, 2, 'x', 5, 0}, "xxxxxxxxx", false},
		{"chunk past the end", []byte{9, 0x30, 'a'}, "", true},
		{"copy from before the start", []byte{2, 0xb0, 1, 0, 0}, "", true},
		{"token cut", []byte{2, 0xb0, 2, 'x', 5}, "", true},
		{"copy past the end", []byte{3, 0xb0, 2, 'x', 0xff, 0x0f}, "", true},
	} {
		out := make([]byte, 2*lznt1Chunk)
		err := decompressLZNT1(out, c.in)
		if c.bad != errors.Is(err, layer.ErrCorrupt) || (!c.bad && err != nil) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if want := append([]byte(c.want), make([]byte, len(out)-len(c.want))...); !c.bad && !bytes.Equal(out, want) {
			t.Errorf("%s: %q", c.name, bytes.TrimRight(out, "\x00"))
		}
	}
}

func FuzzLZNT1(f *testing.F) {
	f.Add(lznt1Example)
	f.Add([]byte{3, 0xb0, 2, 'x', 5, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		bounded(t, func() { decompressLZNT1(make([]byte, maxUnit), in) })
	})
}
