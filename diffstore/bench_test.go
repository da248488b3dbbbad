package diffstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	benchSpan = 1 << 20 // blocks of the volume: 16 GiB
	benchRows = 1 << 20 // of all stores
)

// benchImage is a sparse file with stores that share benchRows: of random blocks kept anywhere, or of the first blocks in
// order, kept in order.
func benchImage(b *testing.B, stores int, random bool) layer.Source {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "volume.raw"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	if err := f.Truncate(benchSpan * BlockSize); err != nil {
		b.Fatal(err)
	}
	m, err := vsstest.NewFile(f)
	if err != nil {
		b.Fatal(err)
	}
	next := uint64(benchSpan / 2)
	write := func(kind uint32, payload []byte) uint64 {
		var places []vsstest.Place
		for n := len(payload); n > 0; n -= vsstest.Payload(kind) {
			places = append(places, vsstest.Place{Offset: next * BlockSize, Relative: uint64(len(places)) * BlockSize})
			next++
		}
		if err := vsstest.WriteChain(m, kind, places, payload); err != nil {
			b.Fatal(err)
		}
		return places[0].Offset
	}
	r := rand.New(rand.NewPCG(1, 2))
	var entries []byte
	for i := range stores {
		var rows []byte
		for n := range benchRows / stores {
			o, at := uint64(n), uint64(benchSpan/4+n)
			if random {
				o, at = r.Uint64N(benchSpan), 1+r.Uint64N(benchSpan-1)
			}
			rows = vsstest.Descriptor{Original: o * BlockSize, Kept: at * BlockSize, Relative: 0x4000}.Append(rows)
		}
		id := wintype.GUID{byte(i), byte(i >> 8), 1}
		e := vsstest.StoreEntry{Store: id, List: write(typeList, rows), Header: write(typeStore, make([]byte, 0x44)), Current: write(typeBitmap, make([]byte, benchSpan/8))}
		p := vsstest.SnapshotEntry{Size: benchSpan * BlockSize, Store: id, Position: uint64(i + 1), Flags: 0x40, Created: wintype.Filetime(i)}
		entries = append(append(entries, p.Bytes()...), e.Bytes()...)
	}
	h := vsstest.Header{Version: 1, Catalog: write(typeCatalog, entries)}
	if _, err := m.WriteAt(h.Bytes(), headerOffset); err != nil {
		b.Fatal(err)
	}
	return m
}

// oldest opens a volume and its oldest snapshot, which reads all block lists and bitmaps.
func oldest(b *testing.B, img layer.Source) *View {
	vol, err := Open(img, Options{Warn: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	v, err := vol.snapshots[0].Open()
	if err != nil || v.Damage() != nil {
		b.Fatal(err, v.Damage())
	}
	return v
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkOpen is to take less than 0.4 s, and to keep less than 40 bytes a row.
func BenchmarkOpen(b *testing.B) {
	for _, stores := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("snapshots=%d", stores), func(b *testing.B) {
			img := benchImage(b, stores, true)
			before := heap()
			v := oldest(b, img) // of which nothing else is alive
			perRow := float64(heap()-before) / benchRows
			runtime.KeepAlive(v)
			for b.Loop() {
				oldest(b, img)
			}
			b.ReportMetric(perRow, "resident-B/row")
		})
	}
}

var benchDepths = []int{1, 8, 64, 512}

// BenchmarkReadRandom reads 4 KiB anywhere in the oldest snapshot; depth is to cost little.
func BenchmarkReadRandom(b *testing.B) {
	for _, stores := range benchDepths {
		b.Run(fmt.Sprintf("depth=%d", stores), func(b *testing.B) {
			view, p, r := oldest(b, benchImage(b, stores, true)), make([]byte, 4<<10), rand.New(rand.NewPCG(3, 4))
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := view.ReadAt(p, r.Int64N(view.Size()/4096)*4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReadSequential reads 128 KiB after 128 KiB of the oldest snapshot.
func BenchmarkReadSequential(b *testing.B) {
	read := func(s layer.Source) func(b *testing.B) {
		return func(b *testing.B) {
			const window = 512 << 20 // stays in the page cache
			p, off := make([]byte, 128<<10), int64(0)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := s.ReadAt(p, off); err != nil {
					b.Fatal(err)
				}
				off = (off + int64(len(p))) % window
			}
		}
	}
	img := benchImage(b, 1, false)
	b.Run("raw", read(img))
	b.Run("contiguous", read(oldest(b, img)))
	for _, stores := range benchDepths {
		b.Run(fmt.Sprintf("scattered/depth=%d", stores), func(b *testing.B) { read(oldest(b, benchImage(b, stores, true)))(b) })
	}
}

// BenchmarkResolve finds where 16 MiB of scattered blocks are, without reading them; less than 1 us a block.
func BenchmarkResolve(b *testing.B) {
	for _, stores := range benchDepths {
		b.Run(fmt.Sprintf("depth=%d", stores), func(b *testing.B) {
			const window = 1024 * BlockSize
			view, off := oldest(b, benchImage(b, stores, true)), int64(0)
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range layer.Resolve(view, off, window) {
					if err != nil {
						b.Fatal(err)
					}
				}
				off = (off + window) % view.Size()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/block")
		})
	}
}
