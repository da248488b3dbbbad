package layer_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
)

// torn is a Source of which some bytes cannot be read.
type torn struct {
	*bytes.Reader
	off, n int64
}

func (s torn) ReadAt(p []byte, off int64) (int, error) {
	if off < s.off+s.n && s.off < off+int64(len(p)) {
		return 0, io.ErrNoProgress
	}
	return s.Reader.ReadAt(p, off)
}

func TestScan(t *testing.T) {
	r, b := leaf(1000)
	src := torn{r, 615, 10}
	broken := errors.New("broken")
	m := &table{size: 1000, bad: map[int]error{3: broken}, extents: []layer.Extent{
		{Off: 0, Len: 205, Kind: layer.Zero}, {Off: 205, Len: 15, Base: src, BaseOff: 205}, {Off: 220, Len: 380, Kind: layer.Zero},
		{Off: 600, Len: 5}, {Off: 605, Len: 295, Base: src, BaseOff: 605}, {Off: 900, Len: 100, Base: src, BaseOff: 900},
	}}
	want := slices.Clone(b)
	clear(want[:205])
	var got []string
	for w, err := range layer.Scan(m, 995, 10, 100) {
		got = append(got, fmt.Sprintf("%d+%d %v", w.Off, w.Len, err))
		if err == nil && !bytes.Equal(w.Data, want[w.Off:][:w.Len]) {
			t.Errorf("other bytes at %d", w.Off)
		}
		if err != nil && w.Data != nil {
			t.Error("data beside an error")
		}
	}
	// 200 and 600 are read for what is in them; 610 to 629 cannot be, and the rest of that window is read in units.
	list := []string{"200+20 <nil>", "600+10 broken", "610+20 multiple Read calls return no data or error"}
	for off := 630; off < 710; off += 10 {
		list = append(list, fmt.Sprintf("%d+10 <nil>", off))
	}
	list = append(list, "710+100 <nil>", "810+100 <nil>", "910+85 <nil>")
	if !slices.Equal(got, list) {
		t.Errorf("windows\n%q, want\n%q", got, list)
	}
}

// TestScanStops breaks out at every window: none may follow.
func TestScanStops(t *testing.T) {
	r, _ := leaf(1000)
	m, _ := layer.Section(torn{r, 315, 90}, 0, 1000)
	for stop := range 12 {
		count := 0
		for range layer.Scan(m, 1000, 10, 100) {
			if count++; count > stop {
				break
			}
		}
		if count != stop+1 {
			t.Errorf("%d windows, want %d", count, stop+1)
		}
	}
}

// TestScanSkips scans a hole of 2^62 bytes, which a loop over it would not end.
func TestScanSkips(t *testing.T) {
	r, _ := leaf(1000)
	const size = 1 << 62
	m := &table{size: size, extents: []layer.Extent{{Off: 0, Len: size - 4096, Kind: layer.Zero}, {Off: size - 4096, Len: 1000, Base: r}, {Off: size - 3096, Len: 3096, Kind: layer.Zero}}}
	var total int64
	for w, err := range layer.Scan(m, size, 512, 1<<20) {
		if err != nil {
			t.Fatal(err)
		}
		total += w.Len
	}
	if total != 1024 {
		t.Errorf("%d bytes", total)
	}
}
