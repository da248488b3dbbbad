package raw

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"

	"snapmount/imagefmt/layer"
)

// MaxMap is how long the text of a Map may be, in bytes: that of two million blocks.
const MaxMap = 64 << 20

// Map is what GNU ddrescue writes beside the image that it makes: which ranges it has read. The format is that of the
// chapter "Mapfile structure" of its manual: comments from '#' on, a line with the current position and status, and a
// line of position, size and status for each block, in the order of the disk, with numbers as C has them.
type Map struct {
	read []span // in order, those that touch joined
	end  int64  // of the last block, read or not
}

type span struct{ off, end int64 }

// ParseMap reads the text of a Map. Whatever is none is a layer.ErrFormat.
func ParseMap(text string) (*Map, error) {
	m := new(Map)
	begun, blocks, number := false, 0, 0
	for line := range strings.Lines(text) {
		number++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		var err error
		switch {
		case len(f) == 0:
		case !begun:
			begun, err = true, checkStatus(f)
		default:
			blocks, err = blocks+1, m.add(f)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w: %w", number, err, layer.ErrFormat)
		}
	}
	if blocks == 0 {
		return nil, fmt.Errorf("no blocks: %w", layer.ErrFormat)
	}
	return m, nil
}

// checkStatus holds the first line against what it has to be: a position, a status and, of newer versions, a pass.
func checkStatus(f []string) error {
	if len(f) < 2 || len(f) > 3 || len(f[1]) != 1 || !strings.Contains("?*/-FG+", f[1]) {
		return fmt.Errorf("%.60q, want a position and a status", strings.Join(f, " "))
	}
	_, err := number(f[0])
	return err
}

// add takes the line of a block.
func (m *Map) add(f []string) error {
	if len(f) != 3 || len(f[2]) != 1 || !strings.Contains("?*/-+", f[2]) {
		return fmt.Errorf("%.60q, want position, size and status", strings.Join(f, " "))
	}
	off, err := number(f[0])
	n, err2 := number(f[1])
	switch err = cmp.Or(err, err2); {
	case err != nil:
		return err
	case off < m.end || n > math.MaxInt64-off:
		return fmt.Errorf("0x%x bytes at 0x%x, want them behind 0x%x", n, off, m.end)
	}
	m.end = off + n
	if f[2] != "+" || n == 0 {
		return nil
	}
	if last := len(m.read) - 1; last >= 0 && m.read[last].end == off {
		m.read[last].end = m.end
	} else {
		m.read = append(m.read, span{off, m.end})
	}
	return nil
}

func number(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%.30q, want a number of bytes", s)
	}
	return n, nil
}

// End is how far the map goes, in bytes of the disk.
func (m *Map) End() int64 { return m.end }

// Unread is how much of a disk of size bytes was not read, and in how many ranges.
func (m *Map) Unread(size int64) (bytes int64, ranges int) {
	at := int64(0)
	for _, s := range append(slices.Clone(m.read), span{size, size}) {
		if gap := min(s.off, size) - at; gap > 0 {
			bytes, ranges = bytes+gap, ranges+1
		}
		at = max(at, s.end)
	}
	return bytes, ranges
}

// Rescued is a disk of which a Map says what was read when it was made; the rest is Unknown. It is as long as the longer
// of both: a disk whose end was not read yet makes a short file.
type Rescued struct {
	src layer.Source
	m   *Map
}

// Rescue shows src as m says.
func (m *Map) Rescue(src layer.Source) *Rescued { return &Rescued{src, m} }

// Size is in bytes.
func (r *Rescued) Size() int64 { return max(r.src.Size(), r.m.end) }

// ReadAt implements io.ReaderAt.
func (r *Rescued) ReadAt(p []byte, off int64) (int, error) { return layer.Read(r, p, off, layer.Fail) }

// At implements layer.Mapper.
func (r *Rescued) At(off, n int64) (layer.Extent, error) {
	read := r.m.read
	e := layer.Extent{Off: off, Len: n, Kind: layer.Data, Base: r.src, BaseOff: off}
	i := sort.Search(len(read), func(i int) bool { return read[i].end > off })
	switch {
	case i == len(read):
		return e.Lost(layer.NotAcquired), nil
	case off < read[i].off:
		e.Len = min(n, read[i].off-off)
		return e.Lost(layer.NotAcquired), nil
	}
	e.Len = min(n, read[i].end-off)
	return e, nil
}
