package inflate_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	kflate "github.com/klauspost/compress/flate"

	"snapmount/imagefmt/inflate"
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

// packer is what both packers of the standard library are.
type packer interface {
	io.WriteCloser
	Flush() error
}

// flushed packs b, flushing now and then, which gives empty and fixed blocks.
func flushed(t testing.TB, b []byte, open func(io.Writer) (packer, error)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := open(&out)
	for i := 0; i < len(b) && err == nil; i += 7000 {
		_, err = w.Write(b[i:min(len(b), i+7000)])
		if i%21000 == 0 {
			err = errors.Join(err, w.Flush())
		}
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func raw(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	return flushed(t, b, func(w io.Writer) (packer, error) { return flate.NewWriter(w, level) })
}

func zipped(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	return flushed(t, b, func(w io.Writer) (packer, error) { return zlib.NewWriterLevel(w, level) })
}

func TestZlib(t *testing.T) {
	var z inflate.Decoder
	for i, want := range texts() {
		for _, level := range []int{zlib.HuffmanOnly, zlib.NoCompression, 1, 6, 9} {
			p := zipped(t, want, level)
			src := append(bytes.Clone(p), 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 1, 2, 3)
			for _, slack := range []int{0, 1, 100} {
				dst := make([]byte, len(want)+slack)
				n, used, err := z.Zlib(dst, src)
				if err != nil || used != len(p) || !bytes.Equal(dst[:n], want) {
					t.Errorf("text %d at level %d: %d bytes of %d used, %d given: %v", i, level, used, len(p), n, err)
				}
			}
			for _, less := range []int{1, 3, 300, 9999} {
				dst := make([]byte, max(0, len(want)-less))
				if n, _, err := z.Zlib(dst, src); len(want) > 0 && (err != inflate.ErrLong || !bytes.Equal(dst[:n], want[:len(dst)])) {
					t.Errorf("text %d at level %d: %d bytes of %d: %v", i, level, n, len(dst), err)
				}
			}
			for cut := 0; cut < len(p); cut += 1 + len(p)/12 {
				dst := make([]byte, len(want)+1)
				n, _, err := z.Zlib(dst, p[:cut])
				if !errors.Is(err, io.ErrUnexpectedEOF) || n > len(want) || !bytes.Equal(dst[:n], want[:n]) {
					t.Errorf("text %d at level %d, cut at %d of %d: %d bytes: %v", i, level, cut, len(p), n, err)
				}
			}
			p[len(p)-1] ^= 1
			if _, _, err := z.Zlib(make([]byte, len(want)), p); err == nil {
				t.Errorf("text %d at level %d: no error of a wrong checksum", i, level)
			}
		}
	}
	for _, head := range []string{"\x78\x9d", "\x79\x9b", "\x88\x1c", "\x78\xbb"} { // sum, method, window, dictionary
		if _, _, err := z.Zlib(make([]byte, 9), append([]byte(head), zipped(t, []byte("x"), 6)[2:]...)); err == nil {
			t.Errorf("no error of header %x", head)
		}
	}
}

const most = 1 << 17 // bytes unpacked

// agree compares a Decoder and a Reader with the standard library: the same bytes, or all fail.
func agree(t *testing.T, z *inflate.Decoder, src []byte, chunk int) {
	t.Helper()
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(src)), most))
	dst := make([]byte, most)
	n, used, err := z.Raw(dst, src)
	if len(want) == most { // what follows was not looked at by the other
		if err == inflate.ErrLong {
			err = nil
		}
		if n < most && err != nil { // as a block without an end
			return
		}
		wantErr = err
	}
	if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(dst[:n], want) || used > len(src) {
		t.Errorf("%x: %d bytes, %v; the standard library: %d bytes, %v", src, n, err, len(want), wantErr)
	}
	if got, whole := resumed(t, src, chunk, most); len(got) < most && whole != (err == nil) || whole && len(got) < most && !bytes.Equal(got, want) {
		t.Errorf("%x in chunks of %d: %d bytes, whole %v; the standard library: %d bytes, %v", src, chunk, len(got), whole, len(want), wantErr)
	}
}

// resumed unpacks a stream in chunks, remembers a position after each, and unpacks it again from each to the next.
func resumed(t *testing.T, stream []byte, chunk, limit int) (out []byte, whole bool) {
	t.Helper()
	in := bytes.NewReader(append([]byte("head"), stream...))
	z, again := inflate.NewReader(in, in.Size(), chunk), inflate.NewReader(in, in.Size(), chunk+100)
	if err := z.Input().SeekBit(32); err != nil {
		t.Fatal(err)
	}
	z.Start()
	type point struct {
		inflate.Position
		out    int
		window []byte
	}
	var points []point
	for n := 0; !whole && len(out) < limit; n++ {
		b, err := z.Next()
		out = append(out, b...)
		if whole = err == io.EOF; err != nil {
			break
		}
		if chunk >= 5000 || n%(5000/chunk) == 0 { // a window costs more than a chunk
			points = append(points, point{z.Position(), len(out), bytes.Clone(z.Window())})
		}
	}
	for _, p := range points {
		if err := again.Resume(p.Position, p.window); err != nil {
			t.Fatalf("position %+v: %v", p.Position, err)
		}
		b, _ := again.Next()
		if want := out[p.out:]; !bytes.HasPrefix(want, b) && !bytes.HasPrefix(b, want) || len(b) < min(chunk, len(want)) {
			t.Fatalf("from 0x%x of %d: %d bytes, or other ones", p.out, len(out), len(b))
		}
	}
	return out, whole
}

func TestResume(t *testing.T) {
	for i, text := range texts() {
		for level := flate.HuffmanOnly; level <= 9; level += 3 {
			for _, chunk := range []int{777, 40 << 10} {
				if got, whole := resumed(t, raw(t, text, level), chunk, 1<<20); !whole || !bytes.Equal(got, text) {
					t.Fatalf("text %d at level %d, chunks of %d: whole %v, or other bytes", i, level, chunk, whole)
				}
			}
		}
	}
}

// TestDamaged flips bits: the result must be that of the standard library.
func TestDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	var z inflate.Decoder
	for _, text := range texts() {
		p := raw(t, text[:min(len(text), 3000)], 6)
		for range 200 {
			b := bytes.Clone(p)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			agree(t, &z, b, 1000)
		}
	}
}

// TestNoAllocation unpacks with nothing but the caller's memory.
func TestNoAllocation(t *testing.T) {
	text := texts()[6]
	src, dst := zipped(t, text, 6), make([]byte, len(text))
	var z inflate.Decoder
	if n := testing.AllocsPerRun(10, func() { _, _, _ = z.Zlib(dst, src) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzInflate takes the data as a stream, and packs it as well: in both directions the standard library decides.
func FuzzInflate(f *testing.F) {
	for i, text := range texts() {
		f.Add(raw(f, text[:min(len(text), 500)], i%10), uint16(50))
	}
	f.Add([]byte{3, 0}, uint16(1))                                     // an empty block of fixed codes
	f.Add([]byte{0x4b, 0x04, 0x0d, 0x00}, uint16(1))                   // a distance before the start
	f.Add([]byte{1, 2, 0, 0xfd, 0xff, 7, 8}, uint16(1))                // stored
	f.Add([]byte{0xed, 0xc0, 0x01, 1, 0, 0, 0, 0x80, 0x90}, uint16(9)) // one distance only
	var z inflate.Decoder
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		begin := time.Now()
		agree(t, &z, b, int(chunk)+1)
		dst := make([]byte, len(b))
		if n, _, err := z.Raw(dst, raw(t, b, int(chunk%12)-2)); err != nil || !bytes.Equal(dst[:n], b) {
			t.Errorf("%x at level %d: %d bytes: %v", b, int(chunk%12)-2, n, err)
		}
		if s := time.Since(begin); s > 30*time.Second {
			t.Errorf("took %v", s)
		}
	})
}

// BenchmarkInflate unpacks pieces of 32 KiB, with the two libraries beside it.
func BenchmarkInflate(b *testing.B) {
	all := texts()
	for name, text := range map[string][]byte{"words": all[6], "skewed": all[5], "zeros": all[3], "disk": disk()} {
		src, dst := raw(b, text[:32768], 6), make([]byte, 32768)
		b.Run(name+"/own", func(b *testing.B) {
			var z inflate.Decoder
			b.SetBytes(32768)
			for b.Loop() {
				if _, _, err := z.Raw(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
		for lib, z := range map[string]io.ReadCloser{"standard": flate.NewReader(nil), "klauspost": kflate.NewReader(nil)} {
			b.Run(name+"/"+lib, func(b *testing.B) {
				b.SetBytes(32768)
				for b.Loop() {
					if err := z.(flate.Resetter).Reset(bytes.NewReader(src), nil); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(z, dst); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// disk is as files on one are: numbers, words and some noise.
func disk() []byte {
	r := rand.New(rand.NewPCG(8, 8))
	var b []byte
	for len(b) < 32768 {
		b = append(b, "the record of a file, "[r.IntN(20):]...)
		b = append(b, byte(r.Uint32()), byte(r.IntN(4)), 0, 0, byte(r.IntN(60)))
	}
	return b
}
