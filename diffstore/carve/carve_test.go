package carve_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// The volume of these tests: file records, then files, then free space with stores.
const (
	size        = 1 << 20
	recordsAt   = 0x4000
	records     = 16
	filesAt     = 0x10000
	fileSize    = 0x4000 // a block each
	areaAt      = 0x60000
	firstRecord = 100
)

// life is a small volume of one file for each record.
type life struct {
	t   testing.TB
	vol *vsstest.Memory
	sim *vsstest.Volume
	lsn uint64
}

func newLife(t testing.TB) *life {
	l := &life{t: t, vol: vsstest.NewMemory(size), lsn: 1000}
	for n := range records {
		l.change(n, byte(n+1))
	}
	var err error
	l.sim, err = vsstest.New(vsstest.Config{Volume: l.vol, Area: []vsstest.Blocks{{First: areaAt / fileSize, Count: (size - areaAt) / fileSize}}, NoTruth: true})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// change writes a file, and a record that tells.
func (l *life) change(n int, fill byte) {
	l.lsn += 8
	b := make([]byte, 0x400)
	copy(b, "FILE")
	binary.LittleEndian.PutUint64(b[8:], l.lsn)
	binary.LittleEndian.PutUint32(b[0x2c:], uint32(firstRecord+n))
	write := func(off int64, b []byte) error {
		if l.sim != nil {
			return l.sim.Write(off, b)
		}
		_, err := l.vol.WriteAt(b, off)
		return err
	}
	if err := errors.Join(write(recordsAt+int64(n)*0x400, b), write(filesAt+int64(n)*fileSize, bytes.Repeat([]byte{fill}, fileSize))); err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) snapshot() {
	if _, err := l.sim.Snapshot(vsstest.Options{}); err != nil {
		l.t.Fatal(err)
	}
}

// deleted ends the protection, and gives the volume as it is then.
func (l *life) deleted() []byte {
	b := make([]byte, size)
	err := l.sim.Flush()
	_, err2 := l.vol.ReadAt(b, 0)
	if err = errors.Join(err, err2); err != nil {
		l.t.Fatal(err)
	}
	l.sim = nil
	return b
}

// section is b as a volume.
func section(t testing.TB, b []byte) layer.Mapper {
	m, err := layer.Section(bytes.NewReader(b), 0, int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// witness tells of the files of a state of the volume.
func witness(m layer.Mapper) (*carve.Witness, error) {
	w := &carve.Witness{Volume: m, Used: []diffstore.Range{{Off: 0, Len: filesAt + records*fileSize}}}
	b := make([]byte, 0x400)
	for n := range records {
		off := recordsAt + int64(n)*0x400
		if k, _ := layer.Read(m, b, off, layer.Fail); k < len(b) || string(b[:4]) != "FILE" {
			continue
		}
		lsn := binary.LittleEndian.Uint64(b[8:])
		w.Newest = max(w.Newest, lsn)
		w.Claims = append(w.Claims, carve.Claim{Off: off, Len: 0x400, LSN: lsn, Kind: carve.Record, Number: uint64(firstRecord + n)},
			carve.Claim{Off: filesAt + int64(n)*fileSize, Len: fileSize, LSN: lsn, Number: uint64(firstRecord + n)})
	}
	w.Settle()
	return w, nil
}

// found carves a volume.
func found(t testing.TB, m layer.Mapper, show carve.Trust) (list []*carve.View) {
	hits, _, err := carve.Scan(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return open(m, show, hits)
}

func open(m layer.Mapper, show carve.Trust, hits []carve.Hit) (list []*carve.View) {
	stacks, err := carve.Open(carve.Options{Volume: m, Witness: witness, Show: show,
		Places: []*carve.Place{{Volume: m, Hits: hits, Witness: func() (*carve.Witness, error) { return witness(m) }}}})
	if err != nil {
		return nil
	}
	for _, s := range stacks {
		list = append(list, s.Points()...)
	}
	return list
}

// TestClasses has a file of each class.
func TestClasses(t *testing.T) {
	l := newLife(t)
	l.change(0, 0xa0)
	l.snapshot()
	l.change(1, 0xb1)
	l.change(0, 0xa1)
	l.snapshot()
	l.change(2, 0xc1)
	l.change(0, 0xa2)
	b := l.deleted()
	clear(b[0x1e00:0x2000])
	copy(b[filesAt+3*fileSize:], "written without a copy")
	binary.LittleEndian.PutUint64(b[recordsAt+3*0x400+8:], l.lsn+8)
	views := found(t, section(t, b), 0)
	if len(views) != 2 {
		t.Fatalf("%d snapshots, want 2", len(views))
	}
	for i, want := range []map[int]struct {
		trust carve.Trust
		fill  byte
	}{
		{0: {carve.Carved, 0xa0}, 1: {carve.Carved, 2}, 2: {carve.Carved, 3}, 3: {carve.Lost, 0}, 4: {carve.Proved, 5}},
		{0: {carve.Carved, 0xa1}, 1: {carve.Proved, 0xb1}, 2: {carve.Carved, 3}, 3: {carve.Lost, 0}, 4: {carve.Proved, 5}},
	} {
		for n, w := range want {
			off := filesAt + int64(n)*fileSize
			p := make([]byte, 16)
			got, _ := views[i].Trust(off, fileSize)
			_, err := layer.Read(views[i], p, off, layer.Fail)
			if known := err == nil; got != w.trust || known != (w.trust < carve.Lost) || known && p[0] != w.fill {
				t.Errorf("snapshot %d, file %d: %v, %x, %v; want %v, %x", i+1, n, got, p[0], err, w.trust, w.fill)
			}
		}
	}
}

// TestFacts tells what is known of a snapshot.
func TestFacts(t *testing.T) {
	l := newLife(t)
	l.snapshot()
	l.change(1, 0xb1)
	b := l.deleted()
	clear(b[0x1e00:0x2000])
	views := found(t, section(t, b), 0)
	if len(views) != 1 {
		t.Fatalf("%d snapshots, want 1", len(views))
	}
	f := views[0].Facts()
	if f.Found != "header" || f.Store == 0 || !f.Gap || f.Damage != nil || f.Rows != 2 || f.Overwritten != 0 || f.LSN == 0 || f.LSN >= l.lsn || f.Shares.Shown(carve.Agreed) == 0 {
		t.Errorf("%+v", f)
	}
}

// TestScanEnds keeps what was found when the context ended.
func TestScanEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	big := make([]byte, 32<<20)
	l := newLife(t)
	l.snapshot()
	copy(big, l.deleted())
	reads := 0
	hits, _, err := carve.Scan(ctx, section(t, big), func(string, int64, int64) {
		if reads++; reads == 3 {
			cancel()
		}
	})
	if err == nil || len(hits) == 0 {
		t.Errorf("%d hits, %v", len(hits), err)
	}
}

// FuzzOpen gives volumes whose records, rows and bitmaps are anything: nothing panics, and all reading ends.
func FuzzOpen(f *testing.F) {
	l := newLife(f)
	l.snapshot()
	l.change(1, 0xb1)
	l.snapshot()
	l.change(2, 0xc1)
	base := l.deleted()
	var places []int // of metadata, which is where a change means something
	for off := 0; off < size; off += fileSize {
		if string(base[off:off+4]) == "\x6b\x87\x08\x38" {
			places = append(places, off)
		}
	}
	f.Add([]byte{0, 0x18, 0xff, 1, 0x20, 7, 2, 0x90, 0x40})
	f.Add([]byte{3, 0x84, 1, 3, 0x98, 2})
	f.Fuzz(func(t *testing.T, changes []byte) {
		b := bytes.Clone(base)
		for changes = changes[:min(len(changes), 24)]; len(changes) >= 3; changes = changes[3:] {
			at := places[int(changes[0])%len(places)] + int(changes[1])
			b[at] = changes[2]
		}
		var hits []carve.Hit
		for _, off := range places {
			if h, ok := diffstore.DecodeHead(b[off:]); ok && h.Current == uint64(off) {
				hits = append(hits, carve.Hit{Off: int64(off), Kind: h.Kind, Relative: h.Relative, Next: h.Next})
			}
		}
		for _, v := range open(section(t, b), carve.Doubtful, hits) {
			p := make([]byte, 0x4000)
			for _, off := range []int64{0, recordsAt, filesAt + fileSize} {
				layer.Read(v, p, off, layer.Live)
				v.Trust(off, 0x4000)
			}
			v.Facts()
		}
	})
}
