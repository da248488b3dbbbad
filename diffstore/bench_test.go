package diffstore

import (
	"math/rand/v2"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/wintype"
)

// benchVolume has stores of n random rows each on a volume of 16 GiB.
func benchVolume(b *testing.B, stores, n int) *Volume {
	b.Helper()
	const span = 1 << 20
	m := vsstest.NewMemory(span * BlockSize)
	r := rand.New(rand.NewPCG(1, 2))
	next := uint64(1)
	take := func(bytes, per int) (places []vsstest.Place) {
		for ; bytes > 0; bytes -= per {
			places = append(places, vsstest.Place{Offset: next * BlockSize})
			next++
		}
		return places
	}
	write := func(kind uint32, payload []byte) uint64 {
		places := take(len(payload), vsstest.Payload(kind))
		if err := vsstest.WriteChain(m, kind, places, payload); err != nil {
			b.Fatal(err)
		}
		return places[0].Offset
	}
	var entries []byte
	for i := range stores {
		var rows []byte
		for range n {
			o := r.Uint64N(span)
			rows = vsstest.Descriptor{Original: o * BlockSize, Kept: (1 + o) % span * BlockSize, Relative: 0x4000}.Append(rows)
		}
		id := wintype.GUID{byte(i), byte(i >> 8), 1}
		e := vsstest.StoreEntry{Store: id, List: write(typeList, rows), Header: write(typeStore, make([]byte, 0x44)), Current: write(typeBitmap, make([]byte, span/8))}
		p := vsstest.SnapshotEntry{Size: span * BlockSize, Store: id, Position: uint64(i + 1), Flags: 0x40, Created: wintype.Filetime(i)}
		entries = append(append(entries, p.Bytes()...), e.Bytes()...)
	}
	h := vsstest.Header{Version: 1, Catalog: write(typeCatalog, entries)}
	if _, err := m.WriteAt(h.Bytes(), headerOffset); err != nil {
		b.Fatal(err)
	}
	v, err := Open(m, Options{Warn: func(err error) { b.Error(err) }})
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func BenchmarkBlockList(b *testing.B) {
	v := benchVolume(b, 1, 508*1000)
	b.SetBytes(1000 * BlockSize)
	for b.Loop() {
		if l := v.snapshots[0].load(); l.damage != nil || len(l.rows) != 508*1000 {
			b.Fatal(l.damage)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	v := benchVolume(b, 10, 100_000)
	for b.Loop() {
		if x := v.build(); len(x.rows) < 900_000 {
			b.Fatal(len(x.rows))
		}
	}
}

func benchView(b *testing.B) *View {
	v := benchVolume(b, 10, 100_000)
	view, err := v.snapshots[0].Open()
	if err != nil {
		b.Fatal(err)
	}
	return view
}

func BenchmarkReadSequential(b *testing.B) {
	view, p, off := benchView(b), make([]byte, 128<<10), int64(0)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := view.ReadAt(p, off); err != nil {
			b.Fatal(err)
		}
		off = (off + int64(len(p))) % view.Size()
	}
}

func BenchmarkReadRandom(b *testing.B) {
	view, p, r := benchView(b), make([]byte, 4<<10), rand.New(rand.NewPCG(3, 4))
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := view.ReadAt(p, r.Int64N(view.Size()/4096)*4096); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtentsWhole(b *testing.B) {
	view := benchView(b)
	for b.Loop() {
		n := 0
		for _, err := range view.Extents(0, view.Size()) {
			if n++; err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(n), "extents")
	}
}
