package ewf_test

import (
	"bytes"
	"testing"

	"snapmount/imagefmt/ewf"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// counted edits the numbers of sectors and chunks that a segment gives, in its volume or data section.
func counted(t *testing.T, b []byte, chunks uint32, sectors uint64) []byte {
	t.Helper()
	b = bytes.Clone(b)
	for _, kind := range []string{"volume", "data"} {
		key := append([]byte(kind), make([]byte, 16-len(kind))...)
		if i := bytes.Index(b, key); i >= 0 {
			le.PutUint32(b[i+76+4:], chunks)
			le.PutUint64(b[i+76+16:], sectors)
			reseal(b, i+76+1048, 1048)
		}
	}
	return b
}

// TestCounts has segments that contradict each other, or the tables, about the size of the disk.
func TestCounts(t *testing.T) {
	content := layertest.Mixed(200_000, 40*1024-512, 51)
	build := func() [][]byte { return disk1{content, 2, 5, 2}.build() } // 10 chunks in each of four
	for _, c := range [][2]uint64{{0, 0}, {1, 2}, {1 << 31, 1 << 37}, {40, 1 << 20}, {7, 79}} {
		files := build()
		files[0] = counted(t, files[0], uint32(c[0]), c[1])
		damage(t, files, content, 0, 0, "sectors: 79 is taken")
		files[2] = nil
		damage(t, files, content, 20*1024, 10*1024, "sectors: 79 is taken")
		one := disk1{content, 2, 5, 0}.build()
		if c != [2]uint64{7, 79} { // the number of chunks alone is no more than told
			one[0] = counted(t, one[0], uint32(c[0]), c[1])
			damage(t, one, content, 0, 0, "taken from 40 chunks")
		}
	}
	files := build()[:2] // a tie, and half is missing: the first is taken, and all that is there is in its place
	files[1] = counted(t, files[1], 0, 0)
	damage(t, files, content, 20*1024, 20*1024-512, "sectors: 79 is taken")
}

// TestGaps takes away several segments. Those between them are in their place when all others are of one length.
func TestGaps(t *testing.T) {
	content := layertest.Mixed(200_000, 80*1024, 52)
	lost := func(perFile int, out ...int) (*ewf.Disk, []string) {
		files := disk1{content, 2, 1, perFile}.build()
		for _, n := range out {
			files[n-1] = nil
		}
		for len(files) > 1 && files[len(files)-1] == nil {
			files = files[:len(files)-1]
		}
		var warned []string
		return openBytes(t, files, format.Env{Warn: func(err error) { warned = append(warned, err.Error()) }}), warned
	}
	for _, c := range []struct {
		out  []int
		lost [][2]int // KiB
	}{
		{[]int{3}, [][2]int{{20, 30}}},
		{[]int{3, 5}, [][2]int{{20, 30}, {40, 50}}},
		{[]int{2, 3, 6}, [][2]int{{10, 30}, {50, 60}}},
		{[]int{2, 8}, [][2]int{{10, 20}, {70, 80}}},
		{[]int{2, 7, 8}, [][2]int{{10, 20}, {60, 80}}},
	} {
		d, warned := lost(10, c.out...)
		want := bytes.Clone(content)
		for _, r := range c.lost {
			clear(want[r[0]<<10 : r[1]<<10])
		}
		got := make([]byte, len(content))
		if _, err := layer.Read(d, got, 0, layer.Zeros); err != nil || !bytes.Equal(got, want) || len(warned) == 0 {
			t.Errorf("without %v: %v, or other bytes; warned %q", c.out, err, warned)
		}
		i := 0
		for e := range layer.Extents(d, 0, d.Size()) {
			if e.Kind == layer.Unknown {
				if i == len(c.lost) || e.Why != layer.Missing || e.Off != int64(c.lost[i][0])<<10 || e.Len != int64(c.lost[i][1]-c.lost[i][0])<<10 {
					t.Errorf("without %v: %+v", c.out, e)
				}
				i++
			}
		}
		if i != len(c.lost) {
			t.Errorf("without %v: %d ranges are missing, want %d", c.out, i, len(c.lost))
		}
	}
}

// TestGapsOfOtherLengths has segments of different lengths: what lies between two that are missing has no known place.
func TestGapsOfOtherLengths(t *testing.T) {
	content := layertest.Mixed(200_000, 64*1024, 53)
	for i := range content {
		content[i] ^= byte(i >> 10)
	}
	files := varied(content, []int{5, 9, 7, 12, 8, 11, 12})
	files[1], files[4] = nil, nil // 9 and 8 chunks, in the place of 2
	damage(t, files, content, 5*1024, (9+7+12+8)*1024, "36 of 64 chunks")
	files = varied(content, []int{5, 9, 7, 12, 8, 11, 12})
	files[3] = files[3][:13]
	damage(t, files, content, 21*1024, 12*1024, "segment 4: ends without")
}

// varied is an image whose segments have so many chunks of 1,024 bytes.
func varied(content []byte, chunks []int) [][]byte {
	var out [][]byte
	v := volume(len(content)/1024, 2, 512, uint64(len(content)/512))
	for i, n := range chunks {
		part := disk1{content[:n*1024], 2, n, 0}.build()[0]
		f := append([]byte("EVF\x09\x0d\x0a\xff\x00\x01"), byte(i+1), 0, 0, 0)
		f = append(f, section1(len(f), map[bool]string{true: "volume", false: "data"}[i == 0], v)...)
		f = append(f, bytes.Clone(part[len(f):bytes.Index(part, append([]byte("hash"), make([]byte, 12)...))])...)
		out = append(out, append(f, section1(len(f), map[bool]string{true: "done", false: "next"}[i == len(chunks)-1], nil)...))
		content = content[n*1024:]
	}
	return out
}
