package ewf

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"testing"
)

// texts are inputs of which packers make blocks of all kinds.
func texts() [][]byte {
	r := rand.New(rand.NewPCG(3, 3))
	random := make([]byte, 40000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 40000) // a few values are common and many rare: long codes
	for i := range skewed {
		skewed[i] = byte(r.ExpFloat64() * 12)
	}
	words := bytes.Repeat([]byte("abracadabra, said the magician; "), 1500)
	copy(words[20000:], random[:5000])
	return [][]byte{nil, {7}, []byte("ab"), make([]byte, 32768), random, skewed, words, bytes.Repeat([]byte{1, 2, 3}, 20000), bytes.Repeat(random[:20000], 3)}
}

func packed(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zlib.NewWriterLevel(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestInflate(t *testing.T) {
	var tables deflateTables
	for i, want := range texts() {
		for _, level := range []int{zlib.HuffmanOnly, zlib.NoCompression, 1, 6, 9} {
			p := packed(t, want, level)
			src := append(p, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1, 2, 3)
			for _, slack := range []int{0, 1, 100} {
				dst := make([]byte, len(want)+slack)
				n, used, err := tables.inflate(dst, src)
				if err != nil || used != len(p) || !bytes.Equal(dst[:n], want) {
					t.Errorf("text %d at level %d: %d bytes of %d used, %d given: %v", i, level, used, len(p), n, err)
				}
			}
			if len(want) > 0 {
				if _, _, err := tables.inflate(make([]byte, len(want)-1), src); err == nil {
					t.Errorf("text %d at level %d: unpacked into too little", i, level)
				}
			}
			for cut := 0; cut < len(p); cut += 1 + len(p)/12 {
				if _, _, err := tables.inflate(make([]byte, len(want)+1), p[:cut]); err == nil {
					t.Errorf("text %d at level %d: unpacked from %d of %d bytes", i, level, cut, len(p))
				}
			}
		}
	}
}

// agree compares with the standard library, the checksum at the end apart: that would hide what differs.
func agree(t *testing.T, tables *deflateTables, src []byte) {
	t.Helper()
	const most = 1 << 17
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), most+1))
	dst := make([]byte, most)
	n, err := tables.deflated(&bitReader{src: src}, dst)
	if (err == nil) != (wantErr == nil && len(want) <= most) || err == nil && !bytes.Equal(dst[:n], want) {
		t.Errorf("%x: %d bytes, %v; the standard library: %d bytes, %v", src, n, err, len(want), wantErr)
	}
}

// TestInflateDamaged flips bits: the result must be that of the standard library.
func TestInflateDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var tables deflateTables
	for _, text := range texts() {
		p := packed(t, text[:min(len(text), 3000)], 6)[2:]
		for range 200 {
			b := bytes.Clone(p)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			agree(t, &tables, b)
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, text := range texts() {
		f.Add(packed(f, text[:min(len(text), 500)], 6)[2:])
	}
	f.Add(packed(f, []byte("stored"), 0)[2:])
	var tables deflateTables
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, &tables, b) })
}

func BenchmarkInflate(b *testing.B) {
	text := texts()[6][:32768]
	src, dst := packed(b, text, 6), make([]byte, 32768)
	var tables deflateTables
	b.SetBytes(32768)
	for b.Loop() {
		if _, _, err := tables.inflate(dst, src); err != nil {
			b.Fatal(err)
		}
	}
}
