package points_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"snapmount/diffstore/carve"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// harms are what else may befall what is left of stores.
var harms = map[string]struct {
	live  func(l *lifetime) []int
	least int
	show  carve.Trust
}{
	"area used again in part": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.protectAt(25)
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 2, 0)
		return []int{0, 2, 3} // the second one's header is written over
	}, least: 150},
	"table torn by zeros": {live: func(l *lifetime) []int {
		return l.torn(vsstest.TypeList, 0, 1024, 0)
	}},
	"table torn by others": {live: func(l *lifetime) []int {
		return l.torn(vsstest.TypeList, 1, 1024, 0x55)
	}},
	"table of another": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		var first []byte
		l.heads(func(off int64, b []byte) {
			if binary.LittleEndian.Uint32(b[0x14:]) != vsstest.TypeList {
				return
			}
			if first == nil {
				first = bytes.Clone(b)
				return
			}
			copy(first[:0x30], b)
			l.write(nil, off, first)
		})
		l.change(nil, 2, 0)
		return []int{0, 1}
	}},
	"table trimmed in part": {live: func(l *lifetime) []int {
		l.used = 1 << 20 // nothing is allocated
		return l.torn(vsstest.TypeList, 0, 1024, 0)
	}},
	"second table trimmed in part": {live: func(l *lifetime) []int {
		l.used = 1 << 20
		return l.torn(vsstest.TypeList, 1, 2048, 0)
	}},
	"bitmap torn by zeros": {live: func(l *lifetime) []int {
		return l.torn(vsstest.TypeBitmap, 1, 128, 0)
	}},
	"bitmap torn by ones": {live: func(l *lifetime) []int {
		return l.torn(vsstest.TypeBitmap, 1, 128, 0xff)
	}},
	"bitmap lost": {live: func(l *lifetime) []int {
		return l.torn(vsstest.TypeBitmap, 0, 0, 0)
	}},
	"log anew": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.change(l.sim, 7, 6)
		l.forget()
		l.lsn = 5000
		l.change(nil, 2, 0)
		return []int{0, 1}
	}},
	"log anew after others": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 5, 0)
		l.lsn = 5000
		l.change(nil, 2, 0)
		return []int{0, 1}
	}},
	"without a note": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.silently(2)
		return []int{0, 1}
	}, show: carve.Proved},
	"chain loops": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.heads(func(off int64, b []byte) {
			if kind := binary.LittleEndian.Uint32(b[0x14:]); kind == vsstest.TypeList || kind == vsstest.TypeBitmap {
				l.write(nil, off+0x28, binary.LittleEndian.AppendUint64(nil, uint64(off)))
			}
		})
		l.change(nil, 2, 0)
		return []int{0, 1}
	}},
	"header of another": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		var first []byte
		l.heads(func(off int64, b []byte) {
			if binary.LittleEndian.Uint32(b[0x14:]) != 4 {
				return
			}
			if first == nil {
				first = bytes.Clone(b)
				return
			}
			copy(first[0x20:0x28], b[0x20:0x28])
			l.write(nil, off, first)
		})
		l.change(nil, 2, 0)
		return []int{0, 1}
	}},
	"two lost in the middle": {live: func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.change(l.sim, 5, 2)
		l.snapshot(vsstest.Options{})
		l.change(l.sim, 4, 3)
		l.snapshot(vsstest.Options{})
		l.change(l.sim, 7, 3)
		at, end := l.sim.Snapshots()[1].Entry.Header, l.sim.Snapshots()[3].Entry.Header
		l.forget()
		l.write(nil, int64(at), make([]byte, end-at))
		l.change(nil, 2, 0)
		return []int{0, 3}
	}},
}

// protectAt switches VSS on with an area that begins inside of the one before.
func (l *lifetime) protectAt(at uint32) {
	l.t.Helper()
	sim, err := vsstest.New(vsstest.Config{Volume: l.volume, Area: []vsstest.Blocks{{First: l.area.First + at, Count: areaBlocks / 2}}, NoTruth: true})
	if err != nil {
		l.t.Fatal(err)
	}
	l.sim = sim
}

// heads calls f with the metadata blocks of the diff area.
func (l *lifetime) heads(f func(off int64, b []byte)) {
	for at := int64(l.area.First); at < int64(l.area.First+l.area.Count); at++ {
		b := make([]byte, vsstest.BlockSize)
		if _, err := l.volume.ReadAt(b, at*vsstest.BlockSize); err == nil && b[0] == 0x6b {
			f(at*vsstest.BlockSize, b)
		}
	}
}

// torn writes over metadata blocks of a kind, from a place inside of them, all but the first skip ones.
func (l *lifetime) torn(kind uint32, skip, from int, with byte) []int {
	l.twice(vsstest.Options{}, vsstest.Options{})
	l.forget()
	l.heads(func(off int64, b []byte) {
		if binary.LittleEndian.Uint32(b[0x14:]) != kind {
			return
		}
		if skip--; skip >= 0 {
			return
		}
		l.write(nil, off+int64(from), bytes.Repeat([]byte{with}, vsstest.BlockSize-from))
		if l.used < 1<<20 {
			l.allocate(off + int64(from))
		}
		skip = 1 << 30
	})
	l.change(nil, 2, 0)
	return []int{0, 1}
}

// silently writes over files, and nothing of it in their records.
func (l *lifetime) silently(nth int) {
	for i := 0; i < len(l.files); i += nth {
		for _, e := range l.files[i].runs {
			l.write(nil, e.BaseOff, bytes.Repeat([]byte{0x77}, int(e.Len)))
		}
	}
}

// TestCarvedHarms harms what is left of deleted snapshots: nothing of what comes back is wrong.
func TestCarvedHarms(t *testing.T) {
	testenv.NotUnderRace(t)
	image := makeVolume(t)
	for name, c := range harms {
		t.Run(name, func(t *testing.T) {
			l := newLifetime(t, image, strings.HasPrefix(name, "elsewhere"))
			want := c.live(l)
			if c.show == 0 {
				c.show = points.Agreed
			}
			if sum := l.tally(c.show, want, l.images()...); sum.wrong > 0 || sum.right < c.least {
				t.Errorf("%+v, want %d right", sum, c.least)
			}
		})
	}
}
