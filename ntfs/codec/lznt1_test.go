package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"snapmount/imagefmt/layer"
)

// The example of [MS-XCA] 3.3, text of the standard's own.
var lznt1Example = []byte{
	0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45, 0x20, 0x44,
	0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef,
	0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00,
}

const lznt1Text = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# G F# E D E A F# F# G A A G F# E D D E F# E D D\x00"

func TestLZNT1(t *testing.T) {
	full := append([]byte{0xff, 0x3f}, bytes.Repeat([]byte{7}, lznt1Chunk)...)
	for _, c := range []struct {
		name string
		in   []byte
		want string
		bad  bool
	}{
		{"example", lznt1Example, lznt1Text, false},
		{"stored, short", []byte{2, 0x30, 'a', 'b', 'c', 0, 0}, "abc", false},
		{"stored, full", full, string(full[2:]), false},
		{"two short chunks", []byte{0, 0x30, 'a', 0, 0x30, 'b'}, "a" + string(make([]byte, lznt1Chunk-1)) + "b", false},
		{"nothing", nil, "", false},
		{"one byte", []byte{1}, "", false},
		{"end and more", []byte{0, 0, 9, 0xb0, 1, 0, 0}, "", false},
		{"more than asked", bytes.Join([][]byte{full, full, {9, 0xb0, 1}}, nil), string(full[2:]) + string(full[2:]), false},
		{"overlapping copy", []byte{3, 0xb0, 2, 'x', 5, 0}, "xxxxxxxxx", false},
		{"full chunk by a copy", []byte{3, 0xb0, 2, 'x', 0xfc, 0x0f}, string(bytes.Repeat([]byte{'x'}, lznt1Chunk)), false},
		{"chunk past the end", []byte{9, 0x30, 'a'}, "", true},
		{"chunk of a header", []byte{9, 0x30}, "", true},
		{"copy from before the start", []byte{2, 0xb0, 1, 0, 0}, "", true},
		{"copy from before the chunk", append([]byte{0, 0x30, 'a'}, 3, 0xb0, 2, 'x', 0, 0x10), "", true},
		{"token cut", []byte{2, 0xb0, 2, 'x', 5}, "", true},
		{"copy past the end", []byte{3, 0xb0, 2, 'x', 0xfd, 0x0f}, "", true},
		{"literal past the end", []byte{4, 0xb0, 2, 'x', 0xfc, 0x0f, 'y'}, "", true},
	} {
		out := bytes.Repeat([]byte{0xa5}, 2*lznt1Chunk)
		err := LZNT1(out, c.in)
		if c.bad != errors.Is(err, layer.ErrCorrupt) || (!c.bad && err != nil) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if want := append([]byte(c.want), make([]byte, len(out)-len(c.want))...); !c.bad && !bytes.Equal(out, want) {
			t.Errorf("%s: %q", c.name, bytes.TrimRight(out, "\x00"))
		}
	}
	if err := LZNT1Chunk(make([]byte, lznt1Chunk+1), nil); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("more than a chunk asked: %v", err)
	}
}

// packLZNT1 compresses by the nearest match that the last places of three bytes give; a chunk that grows is stored.
func packLZNT1(b []byte) []byte {
	var packed []byte
	for ; len(b) > 0; b = b[min(lznt1Chunk, len(b)):] {
		chunk := b[:min(lznt1Chunk, len(b))]
		body := packChunk(chunk)
		head := uint16(0xb000)
		if len(body) >= len(chunk) {
			head, body = 0x3000, chunk
		}
		packed = le.AppendUint16(packed, head|uint16(len(body)-1))
		packed = append(packed, body...)
	}
	return packed
}

func packChunk(b []byte) []byte {
	var body []byte
	seen := map[[3]byte]int{}
	flagsAt, bit := 0, 8
	for at := 0; at < len(b); {
		if bit == 8 {
			flagsAt, bit, body = len(body), 0, append(body, 0)
		}
		lengthBits := 12 // by the table of the format: 4 bits of distance up to 16 bytes, one more each time it doubles
		for end := 16; end < at; end *= 2 {
			lengthBits--
		}
		n, dist := 0, 0
		if len(b)-at >= 3 {
			if from, ok := seen[[3]byte(b[at:])]; ok {
				for dist = at - from; n < min(len(b)-at, 1<<lengthBits+2) && b[from+n] == b[at+n]; n++ {
				}
			}
		}
		step := 1
		if n >= 3 {
			body[flagsAt] |= 1 << bit
			body = le.AppendUint16(body, uint16((dist-1)<<lengthBits|(n-3)))
			step = n
		} else {
			body = append(body, b[at])
		}
		bit++
		for end := at + step; at < end; at++ {
			if len(b)-at >= 3 {
				seen[[3]byte(b[at:])] = at
			}
		}
	}
	return body
}

func TestLZNT1RoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	n, packedLen := 0, 0
	for name, b := range kinds(t) {
		b = b[:min(len(b), 50_000)]
		packed := packLZNT1(b)
		n, packedLen = n+len(b), packedLen+len(packed)
		out := bytes.Repeat([]byte{0xa5}, len(b)+100)
		if err := LZNT1(out, packed); err != nil || !bytes.Equal(out[:len(b)], b) || !bytes.Equal(out[len(b):], make([]byte, 100)) {
			t.Fatalf("%s: %v", name, err)
		}
		for range 10 {
			want := make([]byte, 1+r.IntN(lznt1Chunk))
			i := r.IntN(len(b)/lznt1Chunk + 2)
			copy(want, b[min(i*lznt1Chunk, len(b)):])
			rest, err := LZNT1Skip(packed, i)
			if err != nil {
				t.Fatalf("%s: chunk %d: %v", name, i, err)
			}
			chunk := bytes.Repeat([]byte{0xa5}, lznt1Chunk)
			if err := LZNT1Chunk(chunk, rest); err != nil || !bytes.Equal(chunk[:len(want)], want) {
				t.Fatalf("%s: chunk %d: %v", name, i, err)
			}
		}
	}
	t.Logf("%d bytes in %d came back", n, packedLen)
}
