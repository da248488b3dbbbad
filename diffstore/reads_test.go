package diffstore_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// counted is an image that counts what is read of it.
type counted struct {
	layer.Source
	reads, bytes atomic.Int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.reads.Add(1)
	c.bytes.Add(int64(len(p)))
	return c.Source.ReadAt(p, off)
}

// tall is a volume of many terabytes whose bitmaps, which would fill gigabytes, are made as they are read.
type tall struct {
	*vsstest.Memory
	pages uint64   // blocks of a bitmap
	areas []uint64 // where the bitmaps of each store begin, one behind the other
}

// ReadAt wants reads inside of a bitmap block, or outside of all.
func (v *tall) ReadAt(p []byte, off int64) (int, error) {
	for i, first := range v.areas {
		n := (uint64(off) - first) / blockSize
		if uint64(off) < first || n >= 2*v.pages {
			continue
		}
		at := vsstest.Place{Offset: first + n*blockSize, Relative: (3 + n) * blockSize}
		next := at.Offset + blockSize
		if n%v.pages == v.pages-1 {
			next = 0
		}
		var payload []byte         // all is protected
		if n == v.pages && i > 0 { // but what the store before has
			for row := range 2 {
				bit := (i-1)*2 + row + 5
				payload = append(payload, make([]byte, max(0, bit/8+1-len(payload)))...)
				payload[bit/8] |= 1 << (bit % 8)
			}
		}
		b := vsstest.Block(vsstest.TypeBitmap, at, next, payload)
		return copy(p, b[uint64(off)-at.Offset:]), nil
	}
	return v.Memory.ReadAt(p, off)
}

// newTall writes a volume with stores of two rows each. The diff area begins in its middle.
func newTall(t *testing.T, size int64, stores int) *tall {
	t.Helper()
	v := &tall{Memory: vsstest.NewMemory(size), pages: uint64((size/blockSize + 130047) / 130048)}
	next := uint64(size / 2)
	catalog := next - 64*blockSize
	var entries []byte
	for i := range stores {
		id := wintype.GUID{byte(i), 1}
		places := make([]vsstest.Place, 3)
		for n := range places {
			places[n] = vsstest.Place{Offset: next + uint64(n)*blockSize, Relative: uint64(n) * blockSize}
		}
		length := (3 + 2*v.pages + 2) * blockSize
		data := next + length - 2*blockSize
		var rows []byte
		for n := range uint64(2) {
			rows = vsstest.Descriptor{Original: (uint64(i)*2 + n + 5) * blockSize, Relative: data - next + n*blockSize, Kept: data + n*blockSize}.Append(rows)
			if _, err := v.WriteAt(fmt.Appendf(nil, "store %d", i), int64(data+n*blockSize)); err != nil {
				t.Fatal(err)
			}
		}
		for n, c := range []struct {
			kind    uint32
			payload []byte
		}{{vsstest.TypeStore, vsstest.Information{Copy: id}.Bytes()}, {vsstest.TypeList, rows}, {vsstest.TypeRanges, vsstest.Range{Offset: next, Length: length}.Append(nil)}} {
			if err := vsstest.WriteChain(v.Memory, c.kind, places[n:n+1], c.payload); err != nil {
				t.Fatal(err)
			}
		}
		v.areas = append(v.areas, next+3*blockSize)
		e := vsstest.StoreEntry{Store: id, Header: next, List: next + blockSize, Ranges: next + 2*blockSize, Current: next + 3*blockSize, Previous: next + (3+v.pages)*blockSize}
		entries = append(entries, vsstest.SnapshotEntry{Size: uint64(size), Store: id, Position: uint64(i + 1), Flags: 0x40, Created: wintype.Filetime(i + 1)}.Bytes()...)
		entries = append(entries, e.Bytes()...)
		next += length
	}
	places := make([]vsstest.Place, 4)
	for n := range places {
		places[n] = vsstest.Place{Offset: catalog + uint64(n)*blockSize, Relative: uint64(n) * blockSize}
	}
	if err := vsstest.WriteChain(v.Memory, vsstest.TypeCatalog, places, entries); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Memory.WriteAt(vsstest.Header{Version: 1, Catalog: catalog}.Bytes(), vsstest.HeaderOffset); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestReads holds how much is read: opening reads catalogs, the first look at a point the block lists, and each look at a
// place no more of the bitmaps than the blocks that have it.
func TestReads(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int64
		stores int
		opened int64 // most reads and bytes of opening
		first  int64 // and until the oldest point is there
		look   int64 // and of a look at a place: one bitmap for each store
		before int64 // most bytes of both
		all    int64 // most reads and bytes, after looks at three places
		bytes  int64
		partly int // Check says that it did not compare all
	}{
		{"128 GiB, 6 points", 128 << 30, 6, 8, 20, 6, 400e3, 60, 600e3, 0},
		{"4 TiB, 64 points", 4 << 40, 64, 66, 200, 64, 8e6, 330, 6e6, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := int64(0)
			img := &counted{Source: newTall(t, c.size, c.stores)}
			step := func(what string, most int64) {
				t.Helper()
				n := img.reads.Swap(0)
				if all += n; n > most {
					t.Errorf("%s: %d reads, want %d at most", what, n, most)
				}
			}
			var warned []string
			vol, err := diffstore.Open(img, diffstore.Options{Warn: func(err error) { warned = append(warned, err.Error()) }})
			if err != nil {
				t.Fatal(err)
			}
			step("opening", c.opened)
			v, err := vol.Snapshots()[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			step("the first point", c.first)
			if n := img.bytes.Load(); n > c.before {
				t.Errorf("%d bytes before the first look, want %d at most", n, c.before)
			}
			for _, at := range []int64{8 << 20, c.size / 3, c.size - 4096} {
				for range 3 {
					e, err := v.At(at, 4096)
					if err != nil || e.Kind != layer.Data || e.BaseOff != at {
						t.Errorf("at 0x%x: %+v, %v", at, e, err)
					}
				}
				step(fmt.Sprintf("a look at 0x%x", at), c.look+1) // and the block that tells where a bitmap begins
			}
			if n := img.bytes.Load(); n > c.bytes || all > c.all {
				t.Errorf("%d reads, %d bytes, want %d and %d at most", all, n, c.all, c.bytes)
			}
			t.Logf("%d reads, %d bytes in all", all, img.bytes.Load())
			if own, through := vol.Snapshots()[0].Check(); own != nil || through != nil {
				t.Error(own, through)
			}
			if len(warned) != c.partly || c.partly > 0 && !strings.Contains(warned[0], "for the first 63 GiB of 4096") {
				t.Errorf("warned of %q", warned)
			}
		})
	}
}
