package diffstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// fixture is a healthy local volume of three snapshots; blocks 81 to 99 are the user's.
type fixture struct {
	*vsstest.Memory
	vol   *vsstest.Volume
	snaps []*vsstest.Snapshot
}

const (
	user = 81
	free = 95 // to all snapshots
)

func newFixture(t testing.TB, cfg vsstest.Config) *fixture { return newFixtureOf(t, cfg, 0x400) }

func newFixtureOf(t testing.TB, cfg vsstest.Config, flags uint64) *fixture {
	t.Helper()
	f := &fixture{Memory: vsstest.NewMemory(100*blockSize - 512)}
	cfg.Volume = f.Memory
	if cfg.Storage == nil {
		cfg.Area = []vsstest.Blocks{{First: 1, Count: user - 1}}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	f.vol, err = vsstest.New(cfg)
	must(err)
	write := func(b int64, s string) { must(f.vol.Write(b*blockSize, bytes.Repeat([]byte(s), blockSize/len(s)))) }
	for b := int64(user); b < 99; b++ {
		write(b, "original")
	}
	for i := range int64(3) {
		s, err := f.vol.Snapshot(vsstest.Options{Flags: flags, Free: func(b uint32) bool { return b == free }})
		must(err)
		f.snaps = append(f.snaps, s)
		write(user+i, "changed1")
		write(user+i+1, "changed2")
		must(f.vol.Move(uint32(90+i), free))
		write(90+i, "reused!!")
	}
	write(user, "changed3")
	must(f.vol.Flush())
	return f
}

func (f *fixture) poke(off uint64, p []byte) { f.WriteAt(p, int64(off)) }

func (f *fixture) poke64(off, v uint64) { f.poke(off, binary.LittleEndian.AppendUint64(nil, v)) }

func (f *fixture) zero(off uint64) { f.poke(off, make([]byte, blockSize)) }

// entry returns where catalog entry i is: 2 and 3 of the oldest, then of the next.
func (f *fixture) entry(t testing.TB, i int) uint64 {
	h, err := diffstore.ReadHeader(f.Memory)
	if err != nil {
		t.Fatal(err)
	}
	return h.Catalog + 0x80 + 0x80*uint64(i)
}

// clear makes a catalog entry zeros.
func (f *fixture) clear(t testing.TB, i int) { f.poke(f.entry(t, i), make([]byte, 0x80)) }

// row returns where descriptor i of snapshot k is.
func (f *fixture) row(k, i int) uint64 { return f.snaps[k].Entry.List + 0x80 + 0x20*uint64(i) }

// state is how a snapshot must come out.
type state struct{ own, through, whole, none bool }

// check requires that no extent called data is wrong, and that whole snapshots are all data.
func (f *fixture) check(t *testing.T, vol *diffstore.Volume, want [3]state) {
	t.Helper()
	got := map[wintype.GUID]*diffstore.Snapshot{}
	for _, s := range vol.Snapshots() {
		got[s.StoreID] = s
	}
	for k, w := range want {
		s := got[f.snaps[k].Entry.Store]
		if (s == nil) != w.none {
			t.Errorf("store %d: found %v, want %v", k+1, s != nil, !w.none)
		}
		if s == nil {
			continue
		}
		own, through := s.Check()
		if (own != nil) != w.own || (through != nil) != w.through {
			t.Errorf("store %d: own damage %v, through %v, want %+v", k+1, own, through, w)
		}
		v, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if (v.Damage() != nil) != (w.own || w.through) {
			t.Errorf("store %d: view has damage %v", k+1, v.Damage())
		}
		data := f.compare(t, v, f.snaps[k], k+1)
		if whole := data == 18; whole != w.whole { // 19 without the free one
			t.Errorf("store %d: %d blocks are data, want all: %v", k+1, data, w.whole)
		}
	}
}

// compare returns how many of the user's blocks are data, and right.
func (f *fixture) compare(t *testing.T, v *diffstore.View, truth *vsstest.Snapshot, k int) (data int) {
	t.Helper()
	for b := int64(user); b < 100; b++ {
		want, err := truth.Block(uint32(b))
		if err != nil {
			t.Fatal(err)
		}
		n := min(blockSize, v.Size()-b*blockSize)
		ok := !truth.Ignored(uint32(b))
		for e, err := range layer.Extents(v, b*blockSize, n) {
			if err != nil || e.Kind != layer.Data {
				ok = false
				continue
			}
			got := make([]byte, e.Len)
			if err := layer.ReadFull(e.Base, got, e.BaseOff); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want[e.Off-b*blockSize:][:e.Len]) {
				t.Errorf("store %d, block %d: called data but starts %q, want %q", k, b, got[:8], want[:8])
			}
		}
		if ok {
			data++
		}
	}
	return data
}

var healthy = state{whole: true}

func TestDamage(t *testing.T) {
	lost := [3]state{{through: true}, {own: true}, healthy}
	doubted := [3]state{{through: true, whole: true}, {own: true}, healthy}
	for _, c := range []struct {
		name   string
		break_ func(f *fixture)
		want   [3]state
		volume bool // the volume itself has damage
		quiet  bool // nothing to warn of
	}{
		{"none", func(*fixture) {}, [3]state{healthy, healthy, healthy}, false, true},
		{"store header zeroed", func(f *fixture) { f.zero(f.snaps[1].Entry.Header) }, [3]state{healthy, {own: true, whole: true}, healthy}, false, true},
		{"block list zeroed", func(f *fixture) { f.zero(f.snaps[1].Entry.List) }, lost, false, true},
		{"newest block list zeroed", func(f *fixture) { f.zero(f.snaps[2].Entry.List) }, [3]state{{through: true}, {through: true}, {own: true}}, false, true},
		{"entry points outside", func(f *fixture) { f.poke64(f.entry(t, 3)+8, 1<<40) }, lost, false, true},
		{"entry points far outside", func(f *fixture) { f.poke64(f.entry(t, 3)+8, math.MaxUint64-0x3fff) }, lost, false, true},
		{"entry not aligned", func(f *fixture) { f.poke64(f.entry(t, 3)+8, f.snaps[1].Entry.List+512) }, lost, false, true},
		{"no store entry", func(f *fixture) { f.poke(f.entry(t, 3), []byte{1}) }, lost, false, true},
		{"snapshot entry free", func(f *fixture) { f.poke(f.entry(t, 2), []byte{1}) }, [3]state{healthy, {own: true, whole: true}, healthy}, false, true},
		{"newest snapshot entry of no type", func(f *fixture) { f.poke(f.entry(t, 4), []byte{0x22}) }, [3]state{healthy, healthy, {own: true, whole: true}}, false, false},
		{"oldest snapshot entry of no type", func(f *fixture) { f.poke(f.entry(t, 0), []byte{0}) }, [3]state{{own: true, whole: true}, healthy, healthy}, false, true},
		{"newest snapshot entry zeroed", func(f *fixture) { f.clear(t, 4) }, [3]state{healthy, healthy, {own: true, whole: true}}, false, true},
		{"snapshot entry zeroed", func(f *fixture) { f.clear(t, 2) }, [3]state{healthy, {own: true, whole: true}, healthy}, false, true},
		{"oldest snapshot entry zeroed", func(f *fixture) { f.clear(t, 0) }, [3]state{{own: true, whole: true}, healthy, healthy}, false, true},
		{"two newest snapshot entries zeroed", func(f *fixture) { f.clear(t, 2); f.clear(t, 4) }, [3]state{healthy, {own: true, whole: true}, {own: true, whole: true}}, false, true},
		{"all snapshot entries zeroed", func(f *fixture) { f.clear(t, 0); f.clear(t, 2); f.clear(t, 4) }, [3]state{{own: true, whole: true}, {own: true, whole: true}, {own: true, whole: true}}, false, true},
		{"newest snapshot entry zeroed, no bitmap tells where it belongs", func(f *fixture) { f.clear(t, 4); f.zero(f.snaps[2].Entry.Previous) }, [3]state{{through: true}, {through: true}, {own: true, through: true}}, true, false},
		{"newest snapshot entry zeroed, the list before damaged", func(f *fixture) { f.clear(t, 4); f.zero(f.snaps[1].Entry.List) }, [3]state{{through: true}, {own: true, through: true}, {own: true, through: true}}, true, false},
		{"oldest entries zeroed", func(f *fixture) { f.clear(t, 0); f.clear(t, 1) }, [3]state{{none: true}, healthy, healthy}, true, false},
		{"both entries zeroed", func(f *fixture) { f.clear(t, 2); f.clear(t, 3) }, [3]state{{through: true}, {none: true}, healthy}, true, false},
		{"entries before others zeroed, of which none is missing", func(f *fixture) {
			b := make([]byte, 0x200)
			f.ReadAt(b, int64(f.entry(t, 0)))
			f.poke(f.entry(t, 0), make([]byte, 0x300))
			f.poke(f.entry(t, 4), b)
		}, [3]state{{through: true}, {through: true}, {none: true}}, true, false},
		{"newest entry zeroed, its list too", func(f *fixture) { f.clear(t, 4); f.zero(f.snaps[2].Entry.List) }, [3]state{{through: true}, {through: true}, {own: true}}, false, true},
		{"catalog block at another place of its file", func(f *fixture) { f.poke64(f.entry(t, 0)-0x80+0x18, 0x8000) }, [3]state{healthy, healthy, healthy}, true, false},
		{"unknown catalog entry", func(f *fixture) { f.poke(f.entry(t, 6), []byte{9}) }, [3]state{healthy, healthy, healthy}, false, false},
		{"impossible size", func(f *fixture) { f.poke64(f.entry(t, 2)+8, 1<<60) }, [3]state{healthy, healthy, healthy}, false, false},
		{"catalog loops", func(f *fixture) { f.poke64(f.entry(t, 0)-0x80+0x28, f.entry(t, 0)-0x80) }, [3]state{healthy, healthy, healthy}, true, false},
		{"catalog breaks off", func(f *fixture) {
			f.poke64(f.entry(t, 0)-0x80+0x28, 1<<40)
			f.poke(f.entry(t, 4), bytes.Repeat(append([]byte{1}, make([]byte, 0x7f)...), 123)) // full of freed slots
		}, [3]state{{through: true}, {through: true}, {none: true}}, true, false},
		{"block list loops", func(f *fixture) { f.poke64(f.snaps[1].Entry.List+0x28, f.snaps[1].Entry.List) }, [3]state{healthy, healthy, healthy}, false, true}, // it is not full
		{"block list at another place", func(f *fixture) { f.poke64(f.snaps[1].Entry.List+0x20, 0x4000) }, lost, false, true},
		{"block list without identifier", func(f *fixture) { f.poke(f.snaps[1].Entry.List+9, []byte{1}) }, lost, false, true},
		{"block list of another type", func(f *fixture) { f.poke(f.snaps[1].Entry.List+0x14, []byte{5}) }, lost, false, true},
		{"block list of another version", func(f *fixture) { f.poke(f.snaps[1].Entry.List+0x10, []byte{2}) }, [3]state{healthy, healthy, healthy}, false, false},
		{"two stores claim one list", func(f *fixture) { f.poke64(f.entry(t, 3)+8, f.snaps[0].Entry.List) }, lost, false, true},
		{"original offset not aligned", func(f *fixture) { f.poke64(f.row(1, 0), user*blockSize+1) }, lost, false, true},
		{"original offset outside", func(f *fixture) { f.poke64(f.row(1, 4), 1<<50) }, [3]state{healthy, healthy, healthy}, false, false},
		{"data offset outside", func(f *fixture) { f.poke64(f.row(1, 0)+0x10, 1<<40) }, doubted, false, true},
		{"data offset not aligned", func(f *fixture) { f.poke64(f.row(1, 0)+0x10, 0x4001) }, doubted, false, false},
		{"bitmap zeroed", func(f *fixture) { f.zero(f.snaps[1].Entry.Current) }, [3]state{healthy, {own: true}, healthy}, false, true},
		{"previous bitmap zeroed", func(f *fixture) { f.zero(f.snaps[1].Entry.Previous) }, [3]state{healthy, {own: true, whole: true}, healthy}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, vsstest.Config{})
			c.break_(f)
			warned := 0
			vol, err := diffstore.Open(f, diffstore.Options{Warn: func(error) { warned++ }})
			if err != nil {
				t.Fatal(err)
			}
			f.check(t, vol, c.want)
			if (vol.Damage() != nil) != c.volume || (warned == 0) != c.quiet {
				t.Errorf("volume damage %v, %d warnings", vol.Damage(), warned)
			}
		})
	}
}

// TestTruncated cuts the image at every block: what is called data stays right.
func TestTruncated(t *testing.T) {
	for n := int64(1); n < 100; n++ {
		f := newFixture(t, vsstest.Config{})
		if err := f.Truncate(n*blockSize - 100); err != nil {
			t.Fatal(err)
		}
		vol, err := diffstore.Open(f, diffstore.Options{})
		if err != nil {
			if errors.Is(err, diffstore.ErrNoSnapshots) {
				t.Errorf("%d blocks: %v", n, err)
			}
			continue
		}
		for k, s := range vol.Snapshots() {
			v, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			f.compare(t, v, f.snaps[k], k+1)
			if _, err := v.ReadAt(make([]byte, 512), s.Size-512); err == nil {
				t.Errorf("%d blocks: the last sector, which is cut off, could be read", n)
			}
		}
	}
}

func TestDuplicateEntries(t *testing.T) {
	ids := newFixture(t, vsstest.Config{}).snaps[1].Entry.Store
	bad := vsstest.StoreEntry{Store: ids, List: 1 << 40}
	point := vsstest.SnapshotEntry{Store: ids, Position: 2, Size: 100*blockSize - 512, Created: math.MaxInt64 / 2}
	f := newFixture(t, vsstest.Config{Extra: [][]byte{bad.Bytes(), point.Bytes()}})
	warned := 0
	vol, err := diffstore.Open(f, diffstore.Options{Warn: func(error) { warned++ }})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{healthy, healthy, healthy})
	if len(vol.Snapshots()) != 3 || warned == 0 {
		t.Errorf("%d snapshots, %d warnings", len(vol.Snapshots()), warned)
	}
}

func TestForeignStorage(t *testing.T) {
	s := vsstest.NewMemory(81 * blockSize)
	f := newFixture(t, vsstest.Config{Storage: s, Area: []vsstest.Blocks{{First: 1, Count: 80}}, Catalog: []vsstest.Blocks{{First: 1, Count: 8}}})
	_, guid := f.vol.GUIDs()
	other := newFixture(t, vsstest.Config{}).Memory
	missing := state{own: true, through: true}
	for _, c := range []struct {
		name    string
		storage func(wintype.GUID) (layer.Source, error)
		want    [3]state
	}{
		{"right", func(g wintype.GUID) (layer.Source, error) {
			if g != guid {
				t.Errorf("asked for %v, want %v", g, guid)
			}
			return s, nil
		}, [3]state{healthy, healthy, healthy}},
		{"none given", nil, [3]state{missing, missing, {own: true}}},
		{"not found", func(wintype.GUID) (layer.Source, error) { return nil, fs.ErrNotExist }, [3]state{missing, missing, {own: true}}},
		{"nil", func(wintype.GUID) (layer.Source, error) { return nil, nil }, [3]state{missing, missing, {own: true}}},
		{"wrong volume", func(wintype.GUID) (layer.Source, error) { return other, nil }, [3]state{missing, missing, {own: true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			vol, err := diffstore.Open(f, diffstore.Options{Storage: c.storage})
			if err != nil {
				t.Fatal(err)
			}
			f.check(t, vol, c.want)
		})
	}
	vol, err := diffstore.Open(s, diffstore.Options{})
	if !errors.Is(err, diffstore.ErrNoSnapshots) {
		t.Errorf("storage volume: %v, %v, want ErrNoSnapshots", vol, err)
	}
}

func TestNoSnapshots(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	for range 3 {
		if err := f.vol.DeleteOldest(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.vol.Flush(); err != nil {
		t.Fatal(err)
	}
	_, err := diffstore.Open(f, diffstore.Options{})
	if !errors.Is(err, diffstore.ErrNoSnapshots) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("all deleted: %v", err)
	}
	h, err := diffstore.ReadHeader(f)
	if err != nil || !h.Local() {
		t.Errorf("header %+v, %v", h, err)
	}
	f.poke64(vsstest.HeaderOffset+0x30, 0)
	if _, err := diffstore.Open(f, diffstore.Options{}); !errors.Is(err, diffstore.ErrNoSnapshots) {
		t.Errorf("no catalog: %v", err)
	}
	f.poke64(vsstest.HeaderOffset+0x30, 1<<40)
	if _, err := diffstore.Open(f, diffstore.Options{}); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("catalog outside: %v, want damage", err)
	}
	f.poke(vsstest.HeaderOffset, make([]byte, 512))
	for _, size := range []int64{100 * blockSize, vsstest.HeaderOffset + 511, 0} {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		if _, err := diffstore.ReadHeader(f); !errors.Is(err, diffstore.ErrNoSnapshots) {
			t.Errorf("no header, %d bytes: %v", size, err)
		}
	}
}

// TestBitmapLoops needs a volume of two bitmap blocks.
func TestBitmapLoops(t *testing.T) {
	m := vsstest.NewMemory(0x7f000000 + 40*blockSize)
	vol, err := vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 40}}, NoTruth: true})
	if err != nil {
		t.Fatal(err)
	}
	last := uint32(m.Size()/blockSize - 1)
	s, err := vol.Snapshot(vsstest.Options{Free: func(b uint32) bool { return b == last }})
	if err = errors.Join(err, vol.Flush()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		next   uint64
		damage bool
		kind   layer.Kind
	}{{s.Entry.Current + blockSize, false, layer.Unknown}, {s.Entry.Current, true, layer.Data}, {0, false, layer.Data}} {
		if _, err := m.WriteAt(binary.LittleEndian.AppendUint64(nil, c.next), int64(s.Entry.Current)+0x28); err != nil {
			t.Fatal(err)
		}
		v, err := diffstore.Open(m, diffstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		view, err := v.Snapshots()[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		if (view.Damage() != nil) != c.damage {
			t.Errorf("next 0x%x: damage %v", c.next, view.Damage())
		}
		for e, err := range layer.Extents(view, int64(last)*blockSize, blockSize) {
			if err != nil || e.Kind != c.kind || (e.Base == nil) != (c.kind == layer.Unknown) {
				t.Errorf("next 0x%x: %+v, %v, want %v", c.next, e, err, c.kind)
			}
		}
	}
}
