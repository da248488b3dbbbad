package compressed_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/compressed"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
)

// readable returns what can be read of a disk as ranges, which must be what is in want.
func readable(t *testing.T, d *compressed.Disk, want []byte) (ranges [][2]int64) {
	t.Helper()
	for e, err := range layer.Extents(d, 0, d.Size()) {
		b := make([]byte, e.Len)
		if read := layer.ReadFull(d, b, e.Off); (read != nil) != (err != nil) {
			t.Fatalf("0x%x bytes at 0x%x: error %v, the extent's %v", e.Len, e.Off, read, err)
		}
		if err != nil {
			if !errors.Is(err, layer.ErrCorrupt) && !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("0x%x: error %v", e.Off, err)
			}
			continue
		}
		if int64(len(want)) < e.Off+e.Len || !bytes.Equal(b, want[e.Off:][:e.Len]) {
			t.Fatalf("0x%x bytes at 0x%x: other bytes", e.Len, e.Off)
		}
		if n := len(ranges); n > 0 && ranges[n-1][1] == e.Off {
			ranges[n-1][1] += e.Len
		} else {
			ranges = append(ranges, [2]int64{e.Off, e.Off + e.Len})
		}
	}
	return ranges
}

// bgzf packs b as bgzip does, in members of 40000 bytes.
func bgzf(t testing.TB, b []byte) (file []byte, starts []int) {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, 5)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += 40000 {
		part := b[at:min(len(b), at+40000)]
		buf.Reset()
		w.Reset(&buf)
		w.Write(part)
		w.Close()
		starts = append(starts, len(file))
		file = append(file, 0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, 'B', 'C', 2, 0)
		file = binary.LittleEndian.AppendUint16(file, uint16(18+buf.Len()+8-1))
		file = append(file, buf.Bytes()...)
		file = binary.LittleEndian.AppendUint32(file, crc32.ChecksumIEEE(part))
		file = binary.LittleEndian.AppendUint32(file, uint32(len(part)))
	}
	return file, starts
}

// TestDamage breaks a file in one place: which ranges still read, and what is said.
func TestDamage(t *testing.T) {
	want := image(2<<20, 6)
	size := int64(len(want))
	whole := gzipped(t, want, 6)
	half := len(whole) / 2
	two := gzipped(t, want[:1<<20], 6)
	first := len(two)
	two = append(two, gzipped(t, want[1<<20:], 6)...)
	blocks, starts := bgzf(t, want)
	zs := slices(t, want, 400000, 0)
	unsized := slices(t, want, 400000, noSizes)
	change := func(b []byte, at int, with ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], with)
		return b
	}
	junk := bytes.Repeat([]byte{0xff}, 300)
	noise := []byte(nil)
	for r := rand.New(rand.NewPCG(1, 1)); len(noise) < 30000; {
		noise = append(noise, byte(r.Uint32()))
	}
	all := [][2]int64{{0, size}}
	for _, c := range []struct {
		name string
		file []byte
		want [][2]int64 // nil: from 0 to somewhere short of the size
		warn string
	}{
		{"cut", whole[:half], nil, "is cut off"},
		{"cut in the trailer", whole[:len(whole)-3], all, "is cut off"},
		{"junk inside", change(whole, half, noise...), nil, "member at 0x0"},
		{"checksum", change(whole, len(whole)-8, whole[len(whole)-8]^1), [][2]int64{}, "checksum 0x"},
		{"length", change(whole, len(whole)-4, whole[len(whole)-4]^1), all, "length 0x"},
		{"junk after", append(bytes.Clone(whole), "junk that is no member"...), all, "magic 0x6a75"},
		{"checksum of the first", change(two, first-8, two[first-8]^1), [][2]int64{{1 << 20, size}}, "0x100000 bytes at 0x0"},
		{"checksum and length of the first", change(two, first-8, 1, 2, 3, 4, 5, 6), [][2]int64{}, "is lost"},
		{"header of the second", change(two, first, 0x1e), [][2]int64{{0, 1 << 20}}, "magic 0x1e8b"},
		{"method of the second", change(two, first+2, 7), [][2]int64{{0, 1 << 20}}, "method 7"},
		{"a block of BGZF", change(blocks, starts[5]+30, junk[:40]...), [][2]int64{{0, 200000}, {240000, size}}, "0x9c40 bytes at 0x30d40"},
		{"two blocks of BGZF", change(change(blocks, starts[5]+30, junk[:40]...), starts[9]+30, junk[:40]...),
			[][2]int64{{0, 200000}, {240000, 360000}, {400000, size}}, "0x9c40 bytes at 0x57e40"},
		{"the checksum and length of a block of BGZF", change(blocks, starts[6]-8, junk[:8]...), [][2]int64{{0, 200000}}, "is lost"},
		{"the end of a block of BGZF", change(blocks, starts[5]+18, 3, 0), [][2]int64{{0, 200000}, {240000, size}}, "0x9c40 bytes at 0x30d40"},
		{"the first block of BGZF", change(blocks, 20, 0x07), [][2]int64{{40000, size}}, "0x9c40 bytes at 0x0"},
		{"a frame cut", zs[:len(zs)-100], nil, "is cut off"},
		{"a frame's bytes", change(zs, frameAt(zs, 3)+50, junk[:30]...), [][2]int64{{0, 1200000}, {1600000, size}}, "0x61a80 bytes at 0x124f80"},
		{"a frame's checksum", change(zs, frameAt(zs, 3)-1, zs[frameAt(zs, 3)-1]^1), [][2]int64{{0, 800000}, {1200000, size}}, "checksum"},
		{"a frame's checksum without length", change(unsized, frameAt(unsized, 3)-1, unsized[frameAt(unsized, 3)-1]^1), [][2]int64{{0, 800000}}, "is lost"},
		{"a frame's magic", change(zs, frameAt(zs, 3), 0x29), [][2]int64{{0, 1200000}}, "magic 0xfd2fb529"},
		{"a frame's dictionary", change(zs, frameAt(zs, 3)+4, zs[frameAt(zs, 3)+4]|1), nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warned []string
			d, err := compressed.Open(bytes.NewReader(c.file), format.Env{Warn: func(err error) { warned = append(warned, err.Error()) }})
			if err != nil {
				t.Fatal(err)
			}
			got := readable(t, d, want)
			t.Logf("%x, warned %q", got, warned)
			if c.want == nil && (len(got) != 1 || got[0][0] != 0 || got[0][1] < size/16 || got[0][1] >= size) {
				t.Errorf("read %x, want from 0 on", got)
			}
			if c.want != nil && !equal(got, c.want) {
				t.Errorf("read %x, want %x", got, c.want)
			}
			if all := strings.Join(warned, "; "); len(warned) == 0 || !strings.Contains(all, c.warn) {
				t.Errorf("warned %q, want %q", all, c.warn)
			}
		})
	}
}

func equal(a, b [][2]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// frameAt is where the nth frame begins.
func frameAt(b []byte, n int) int {
	at := 0
	for ; n > 0; n-- {
		at += 4 + bytes.Index(b[at+4:], []byte{0x28, 0xb5, 0x2f, 0xfd})
	}
	return at
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		kind error
	}{
		"nothing":       {nil, layer.ErrFormat},
		"one byte":      {[]byte{0x1f}, layer.ErrFormat},
		"magic only":    {[]byte{0x1f, 0x8b, 8}, layer.ErrCorrupt},
		"other":         {[]byte("neither of them, at some length"), layer.ErrFormat},
		"no bytes":      {gzipped(t, nil, 6), layer.ErrFormat},
		"flags":         {[]byte{0x1f, 0x8b, 8, 0xe0, 0, 0, 0, 0, 0, 0, 3, 0}, layer.ErrUnsupported},
		"zeros":         {append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 90)...), layer.ErrCorrupt},
		"endless name":  {append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte("x"), 1<<20)...), layer.ErrCorrupt},
		"skippable":     {[]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9}, layer.ErrFormat},
		"skippable cut": {[]byte{0x50, 0x2a, 0x4d, 0x18, 255, 255, 255, 255, 9}, layer.ErrCorrupt},
		"window 2 GiB":  {[]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0, 0, 0}, layer.ErrUnsupported},
		"dictionary":    {[]byte{0x28, 0xb5, 0x2f, 0xfd, 1, 0, 7, 0x09, 0, 0, 'x', 0, 0}, layer.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := compressed.Open(bytes.NewReader(c.file), format.Env{})
			if err == nil || !errors.Is(err, c.kind) || strings.Contains(err.Error(), "\n") {
				t.Errorf("disk %v, error %v, want %q", d, err, c.kind)
			}
		})
	}
}

// TestSeekTable opens by the table alone, without a pass, and holds each frame to its word.
func TestSeekTable(t *testing.T) {
	want := image(2<<20+9, 8)
	for _, kind := range []int{withTable, withTable | withChecksums, withTable | noSizes} {
		file := slices(t, want, 300000, kind)
		passed := false
		d, err := compressed.Open(bytes.NewReader(file), format.Env{Progress: func(string, int64, int64) { passed = true }, Warn: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		if imagetest.Same(t, d, bytes.NewReader(want), 160); passed != (kind&noSizes != 0) {
			t.Errorf("kind %d: went through the file: %v", kind, passed)
		}
	}
	file := slices(t, want, 100000, withTable)
	entry := bytes.LastIndex(file, []byte{0x5e, 0x2a, 0x4d, 0x18}) + 8 // the first
	change := func(at int, v uint32) []byte {
		b := bytes.Clone(file)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	for name, b := range map[string][]byte{
		"packed size": change(entry, 5), "count": change(len(file)-9, 30), "many": change(len(file)-9, 1<<31), "frame of 2 GiB": change(entry+4, 1<<31), "unpacked size": change(entry+4, 99999),
		"flags": change(len(file)-5, 0xf8), "magic": change(entry-8, 0x184d2a5f),
	} {
		if name == "flags" {
			b = bytes.Clone(file)
			b[len(b)-5] = 4
		}
		warned := 0
		d, err := compressed.Open(bytes.NewReader(b), format.Env{Warn: func(err error) {
			if warned++; !strings.Contains(err.Error(), "unpacked instead") {
				t.Errorf("%s: warned %v", name, err)
			}
		}})
		if err != nil || warned != 1 {
			t.Errorf("%s: error %v, %d warnings", name, err, warned)
		} else {
			imagetest.Same(t, d, bytes.NewReader(want), 160)
		}
	}
	bad := bytes.Clone(file)
	bad[frameAt(file, 2)-1] ^= 1 // the checksum of the second frame, which touches 21 reads and the piece that holds it
	if lost := readAll(t, open(t, bad), want); lost < 11 || lost > 55 {
		t.Errorf("%d reads are errors", lost)
	}
}

// readAll reads by 10000 bytes and returns how many reads are errors.
func readAll(t *testing.T, d *compressed.Disk, want []byte) (lost int) {
	p := make([]byte, 10000)
	for off := 0; off+len(p) <= len(want); off += len(p) {
		if layer.ReadFull(d, p, int64(off)) != nil {
			lost++
		} else if !bytes.Equal(p, want[off:][:len(p)]) {
			t.Errorf("wrong bytes at %d", off)
		}
	}
	return lost
}

// TestManyWarnings holds that these are limited.
func TestManyWarnings(t *testing.T) {
	one := gzipped(t, []byte("x"), 6)
	one[len(one)-1] ^= 1 // the length
	warned := 0
	d, err := compressed.Open(bytes.NewReader(bytes.Repeat(one, 5000)), format.Env{Warn: func(error) { warned++ }})
	if err != nil || d.Size() != 5000 || warned != 100 {
		t.Errorf("error %v, %d warnings", err, warned)
	}
}

// TestMutations changes bytes all over: wrong ones are never given without a word, and hardly ever with one
// where the file has its checksums.
func TestMutations(t *testing.T) {
	want := image(300<<10, 7)
	blocks, _ := bgzf(t, want)
	r := rand.New(rand.NewPCG(5, 5))
	begin := time.Now()
	wrong := 0
	for i, file := range [][]byte{gzipped(t, want, 6), blocks, slices(t, want, 50000, 0), slices(t, want, 50000, withTable)} {
		for range 150 {
			b := bytes.Clone(file)
			for range 1 + r.IntN(3) {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
			cut := r.IntN(4) == 0 // the checksums are lost then
			if cut {
				b = b[:r.IntN(len(b))]
			}
			warned := 0
			d, err := compressed.Open(bytes.NewReader(b), format.Env{Warn: func(error) { warned++ }})
			if err != nil {
				continue
			}
			if d.Size() > 64<<20 {
				t.Fatalf("a disk of %d bytes", d.Size())
			}
			for e, err := range layer.Extents(d, 0, d.Size()) {
				got := make([]byte, e.Len)
				if err == nil && layer.ReadFull(d, got, e.Off) == nil && (e.Off+e.Len > int64(len(want)) || !bytes.Equal(got, want[e.Off:][:e.Len])) {
					if !cut {
						wrong++
						t.Logf("file %d: wrong bytes in 0x%x+0x%x", i, e.Off, e.Len)
					}
					if warned == 0 {
						t.Errorf("file %d: wrong bytes in 0x%x+0x%x, nothing said", i, e.Off, e.Len)
					}
				}
			}
		}
	}
	if s := time.Since(begin); s > 30*time.Second || wrong > 2 {
		t.Errorf("took %v, %d times wrong", s, wrong)
	}
}

func FuzzOpen(f *testing.F) {
	text := bytes.Repeat([]byte("a seed, of no great length; "), 40)
	f.Add(gzipped(f, text, gzip.BestSpeed))
	f.Add(append(gzipped(f, text, flate.HuffmanOnly), gzipped(f, make([]byte, 70000), 9)...))
	blocks, _ := bgzf(f, text)
	f.Add(blocks)
	f.Add(slices(f, text, 300, withTable|withChecksums))
	f.Add(slices(f, text, 300, noSizes))
	f.Add([]byte{0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9, 0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		imagetest.Hostile(t, func() (*compressed.Disk, error) { return compressed.Open(bytes.NewReader(b), format.Env{}) })
	})
}
