package vhdx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vhdx"
)

// dirtyDisk is a disk of five blocks, of which blocks 1 and 3 are not there.
func dirtyDisk(r *rand.Rand) image {
	im := image{id: 1, size: 5 * mib, block: mib, sector: 512, blocks: make(map[int64]block)}
	for _, i := range []int64{0, 2, 4} {
		b := block{state: 6, data: make([]byte, mib)}
		noise(r, b.data)
		im.blocks[i] = b
	}
	return im
}

func sector(r *rand.Rand) []byte {
	b := make([]byte, 4096)
	noise(r, b)
	return b
}

// batSector is the first sector of the table of f with one entry changed.
func batSector(f *file, entry int, v uint64) []byte {
	b := make([]byte, 4096)
	f.ReadAt(b, batAt)
	binary.LittleEndian.PutUint64(b[8*entry:], v)
	return b
}

// opened collects the warnings of a dirty disk, and returns its content.
func opened(t *testing.T, src layer.Source) (d *vhdx.Disk, warned string) {
	t.Helper()
	d = open(t, src, format.Env{Warn: func(err error) { warned += err.Error() + "\n" }})
	return d, warned
}

// TestReplay compares random logs with what QEMU shows after it has replayed them, and with a replay by hand. Changes overlap, go over several entries, and reach the table, the blocks and past the end of the file.
func TestReplay(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 9))
		most := 124 // and two more fill a sector; QEMU 7.2 cannot read a second one with descriptors
		if seed%3 == 2 {
			most = 250
		}
		im := dirtyDisk(r)
		clean := im.file()
		end := clean.size
		first := uint64(1)<<33 + seed // a number that needs both of its halves
		at := int64(0)
		for i := range 1 + r.IntN(5) {
			e := logEntry{at: at, sequence: first + uint64(len(im.log)), flushed: end, last: end + 2*mib}
			if i == 0 { // blocks 1 and 3 appear, the second of them past the end of the file
				one := batSector(clean, 1, uint64(end)|6)
				both := binary.LittleEndian.AppendUint64(slices.Clone(one[:24]), uint64(end+mib)|6)
				e.changes = append(e.changes, change{off: batAt, data: one}, change{off: batAt, data: append(both, one[32:]...)})
			}
			for range r.IntN(most) {
				c := change{off: batAt + mib + 4096*r.Int64N((end-batAt)/4096)}
				if r.IntN(4) == 0 {
					c.n = 4096 * (r.Int64N(40))
				} else {
					c.data = sector(r)
				}
				e.changes = append(e.changes, c)
			}
			if n := int64(len(e.bytes(guid(1)))); at+n <= mib {
				at += n
				im.log = append(im.log, e)
			}
		}
		done := append(imagetest.Content(t, clean), make([]byte, 2*mib)...)
		for _, e := range im.log {
			for _, c := range e.changes {
				copy(done[c.off:], append(c.data, make([]byte, c.n)...))
			}
		}
		path := filepath.Join(t.TempDir(), "dirty.vhdx")
		f := im.file()
		f.save(t, path)
		d, warned := opened(t, testenv.Open(t, path))
		if !strings.Contains(warned, "entries are replayed in memory") || strings.Count(warned, "\n") != 1 {
			t.Errorf("seed %d: warned %q", seed, warned)
		}
		got := imagetest.Content(t, d)
		if want := imagetest.Content(t, open(t, bytes.NewReader(done), format.Env{})); !bytes.Equal(got, want) {
			t.Fatalf("seed %d: other bytes than the replayed file has", seed)
		}
		if seed == 2 {
			layertest.Contract(t, d, got)
		}
		if most > 124 {
			continue
		}
		// QEMU 7.2 does not make a file grow by whole megabytes.
		if err := os.Truncate(path, end+2*mib); err != nil {
			t.Fatal(err)
		}
		testenv.Run(t, testenv.Peer(t, "qemu-img"), "check", "-r", "all", path) // replays in the file
		if !bytes.Equal(got, imagetest.Content(t, imagetest.Converted(t, "vhdx", path))) {
			t.Fatalf("seed %d: other bytes than QEMU shows", seed)
		}
		if again, warned := opened(t, testenv.Open(t, path)); warned != "" || !bytes.Equal(imagetest.Content(t, again), got) {
			t.Errorf("seed %d: after QEMU's replay other bytes, or warned %q", seed, warned)
		}
	}
}

// TestSequences holds which entries of a log count. Each entry fills the first sector of block 0 with its number, and
// that of block 2 when it is odd.
func TestSequences(t *testing.T) {
	const block0 = batAt + mib
	mark := func(at int64, n int, tail int64) logEntry {
		fill := bytes.Repeat([]byte{byte(n)}, 4096)
		e := logEntry{at: at << 12, sequence: uint64(n), tail: tail << 12, flushed: batAt, last: batAt, changes: []change{{off: block0, data: fill}}}
		if n%2 == 1 {
			e.changes = append(e.changes, change{off: block0 + mib, data: fill})
		}
		return e
	}
	// An even entry has two sectors, an odd one three.
	first := []logEntry{mark(0, 4, 0), mark(2, 5, 0), mark(5, 6, 0)}
	spoil := func(sector, at int) func([]byte) { return func(ring []byte) { ring[4096*sector+at] ^= 1 } }
	none := func([]byte) {}
	for _, c := range []struct {
		name   string
		log    []logEntry
		edit   func(ring []byte)
		b0, b2 byte // fills of the blocks, 0 for what the file has
		qemu   bool // agrees: it does not look at tails nor at the first step of the numbers, and takes half of what goes round the end
	}{
		{"three", first, none, 6, 5, true},
		{"last torn in its data", first, spoil(6, 2000), 5, 5, true},
		{"last torn in its header", first, spoil(5, 60), 5, 5, true},
		{"middle torn", first, spoil(3, 2000), 4, 0, false}, // the last is whole, but its tail does not lead to it
		{"first torn", []logEntry{mark(0, 4, 0)}, spoil(1, 9), 0, 0, true},
		{"empty", nil, none, 0, 0, true},
		{"tail is later", []logEntry{mark(0, 5, 0), mark(3, 6, 3)}, none, 6, 0, false},
		{"gap in the numbers", []logEntry{mark(0, 4, 0), mark(2, 6, 2)}, none, 6, 0, true},
		{"older behind", []logEntry{mark(0, 8, 0), mark(2, 5, 2)}, none, 8, 0, false},
		{"newer apart", []logEntry{mark(0, 4, 0), mark(9, 9, 9)}, none, 9, 9, true},
		{"round the end", []logEntry{mark(251, 6, 251), mark(253, 7, 251), mark(0, 8, 251)}, none, 8, 7, false},
		{"entry over the end", []logEntry{mark(255, 7, 255), mark(2, 8, 255)}, none, 8, 7, false},
		{"other log", first, func(ring []byte) { ring[32] ^= 1; seal(ring[:8192]) }, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := dirtyDisk(rand.New(rand.NewPCG(1, 1)))
			want := imagetest.Content(t, open(t, im.file(), format.Env{}))
			im.log = append([]logEntry{}, c.log...)
			f := im.file()
			c.edit(f.pieces[ringAt])
			for at, fill := range map[int]byte{0: c.b0, 2 * mib: c.b2} {
				if fill != 0 {
					copy(want[at:], bytes.Repeat([]byte{fill}, 4096))
				}
			}
			path := filepath.Join(t.TempDir(), "dirty.vhdx")
			f.save(t, path)
			d, warned := opened(t, testenv.Open(t, path))
			if got := imagetest.Content(t, d); !bytes.Equal(got, want) {
				t.Errorf("blocks begin with %d and %d, want %d and %d", got[0], got[2*mib], want[0], want[2*mib])
			}
			if strings.Count(warned, "\n") != 1 || (c.b0 == 0) != strings.Contains(warned, "no valid entries") {
				t.Errorf("warned %q", warned)
			}
			if !c.qemu {
				return
			}
			testenv.Run(t, testenv.Peer(t, "qemu-img"), "check", "-r", "all", path)
			if !bytes.Equal(imagetest.Content(t, imagetest.Converted(t, "vhdx", path)), want) {
				t.Error("QEMU shows other bytes")
			}
		})
	}
}

// TestCutAndGrown holds what is past the end of a file: zeros where the log makes it grow, missing where it is cut.
func TestCutAndGrown(t *testing.T) {
	for _, c := range []struct {
		name    string
		flushed int64 // more than the file
		text    string
	}{{"grown", 0, ""}, {"cut", mib, "cut short"}} {
		t.Run(c.name, func(t *testing.T) {
			im := dirtyDisk(rand.New(rand.NewPCG(1, 1)))
			clean := im.file()
			end := clean.size
			im.log = []logEntry{{sequence: 1, flushed: end + c.flushed, last: end + mib, changes: []change{
				{off: batAt, data: batSector(clean, 1, uint64(end)|6)}, {off: end + 8192, data: bytes.Repeat([]byte{7}, 4096)},
			}}}
			d, warned := opened(t, im.file())
			if !strings.Contains(warned, c.text) {
				t.Errorf("warned %q", warned)
			}
			want := make([]byte, mib)
			copy(want[8192:], bytes.Repeat([]byte{7}, 4096))
			p := make([]byte, 4096)
			for off := 0; off < mib; off += 4096 {
				err := layer.ReadFull(d, p, int64(mib+off))
				if lost := c.flushed > 0 && off != 8192; lost != layer.IsMissing(err) {
					t.Fatalf("at %d: error %v", off, err)
				} else if !lost && !bytes.Equal(p, want[off:off+4096]) {
					t.Fatalf("at %d: byte %d", off, p[0])
				}
			}
		})
	}
}

func TestLogRefused(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		name string
		edit func(header []byte)
		kind error
		text string
	}{
		{"version", func(h []byte) { le.PutUint16(h[64:], 1) }, layer.ErrUnsupported, "log of version 1"},
		{"outside", func(h []byte) { le.PutUint64(h[72:], 1<<40) }, layer.ErrCorrupt, "0x10000000000"},
		{"far outside", func(h []byte) { le.PutUint64(h[72:], 0xfffffffffff00000) }, layer.ErrCorrupt, "log of"},
		{"over the headers", func(h []byte) { le.PutUint64(h[72:], 0) }, layer.ErrCorrupt, "log of"},
		{"4 GiB", func(h []byte) { le.PutUint32(h[68:], 0xfff00000) }, layer.ErrCorrupt, "0xfff00000"},
		{"odd", func(h []byte) { le.PutUint32(h[68:], 4096) }, layer.ErrCorrupt, "0x1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			im := dirtyDisk(rand.New(rand.NewPCG(1, 1)))
			im.log = []logEntry{{sequence: 1}}
			f := im.file()
			for _, at := range []int64{64 << 10, 128 << 10} {
				c.edit(f.pieces[at])
				seal(f.pieces[at])
			}
			_, err := vhdx.Open(f, format.Env{})
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %v, want %q of kind %v", err, c.text, c.kind)
			}
		})
	}
	t.Run("too many changes", func(t *testing.T) {
		// A log of 9 MiB full of runs of zeros.
		im := dirtyDisk(rand.New(rand.NewPCG(1, 1)))
		im.log = []logEntry{}
		f := im.file()
		const far, ringLen = 1 << 30, 9 * mib
		for _, at := range []int64{64 << 10, 128 << 10} {
			le.PutUint32(f.pieces[at][68:], ringLen)
			le.PutUint64(f.pieces[at][72:], far)
			seal(f.pieces[at])
		}
		e := logEntry{sequence: 1, changes: slices.Repeat([]change{{off: 1 << 40, n: 4096}}, ringLen/32-2)}
		f.put(far, e.bytes(guid(0x10)))
		if _, err := vhdx.Open(f, format.Env{}); !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
	})
}
