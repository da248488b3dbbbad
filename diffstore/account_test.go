package diffstore_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

const (
	longUser   = 1701 // first block of the user's
	longBlocks = longUser + 900
)

// long is a volume of two snapshots; the older has n copies in the store, of the user's first blocks.
type long struct {
	*vsstest.Memory
	vol   *vsstest.Volume
	snaps []*vsstest.Snapshot
}

func newLong(t testing.TB, n int) *long {
	t.Helper()
	f := &long{Memory: vsstest.NewMemory(longBlocks * blockSize)}
	var err error
	f.vol, err = vsstest.New(vsstest.Config{Volume: f.Memory, Area: []vsstest.Blocks{{First: 900, Count: longUser - 900}, {First: 1, Count: 899}}})
	write := func(from, to int, text string) {
		for b := from; b < to && err == nil; b++ {
			err = f.vol.Write(int64(longUser+b)*blockSize, bytes.Repeat(fmt.Appendf(nil, "%s %6d ", text, b), 300))
		}
	}
	snapshot := func() {
		var s *vsstest.Snapshot
		if err == nil {
			if s, err = f.vol.Snapshot(vsstest.Options{}); err == nil {
				f.snaps = append(f.snaps, s)
			}
		}
	}
	write(0, 900, "first")
	snapshot()
	write(0, n, "second")
	snapshot()
	write(n-3, n+3, "third")
	if err = errors.Join(err, f.vol.Flush()); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *long) poke(off uint64, p []byte) { f.WriteAt(p, int64(off)) }

func (f *long) poke64(off, v uint64) { f.poke(off, binary.LittleEndian.AppendUint64(nil, v)) }

// list returns where list block i of the older snapshot is, and row where its descriptor n is.
func (f *long) list(i int) uint64 { return f.snaps[0].Lists[i].Offset }
func (f *long) row(n int) uint64  { return f.list(n/508) + 0x80 + 0x20*uint64(n%508) }

// data returns how many of the user's blocks are data in the older snapshot, which are right, and why others are not.
func (f *long) data(t *testing.T, vol *diffstore.Volume) (data int, unknown map[layer.Reason]int) {
	t.Helper()
	unknown = map[layer.Reason]int{}
	for k, s := range vol.Snapshots() {
		v, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		n, why := f.compare(t, v, f.snaps[k])
		if k == 0 {
			data, unknown = n, why
		}
	}
	return data, unknown
}

func (f *long) compare(t *testing.T, v *diffstore.View, truth *vsstest.Snapshot) (data int, unknown map[layer.Reason]int) {
	t.Helper()
	unknown = map[layer.Reason]int{}
	for b := int64(longUser); b < longBlocks; b++ {
		e, err := v.At(b*blockSize, blockSize)
		if err != nil || e.Kind != layer.Data || e.Len != blockSize {
			unknown[e.Why]++
			continue
		}
		want, _ := truth.Block(uint32(b))
		got := make([]byte, blockSize)
		if err := layer.ReadFull(e.Base, got, e.BaseOff); err != nil || !bytes.Equal(got, want) {
			t.Errorf("block %d: called data but starts %q, want %q, %v", b, got[:14], want[:14], err)
		}
		data++
	}
	return data, unknown
}

// TestAccounting is rules 12, 16 and 17 where something of a long block list is damaged.
func TestAccounting(t *testing.T) {
	const all = 900
	for _, c := range []struct {
		name    string
		rows    int
		break_  func(f *long)
		data    int // blocks of the older snapshot, of 900
		sound   bool
		orphans int64
		warned  bool
	}{
		{"nothing", 700, func(*long) {}, all, true, 0, false},
		{"exactly full", 508, func(*long) {}, all, true, 0, false},
		{"wild next behind the last block", 700, func(f *long) { f.poke64(f.list(1)+0x28, 1<<44) }, all, true, 0, false},
		{"loop behind the last block", 700, func(f *long) { f.poke64(f.list(1)+0x28, f.list(0)) }, all, true, 0, false},
		{"another store's list behind the last block", 700, func(f *long) { f.poke64(f.list(1)+0x28, f.snaps[1].Entry.List) }, all, true, 0, false},
		{"wild next of a full block", 700, func(f *long) { f.poke64(f.list(0)+0x28, 1<<44) }, all, true, 0, true},
		{"loop of a full block", 700, func(f *long) { f.poke64(f.list(0)+0x28, f.list(0)) }, all, true, 0, true},
		{"a full block goes on in another store", 700, func(f *long) { f.poke64(f.list(0)+0x28, f.snaps[1].Entry.List) }, all, true, 0, true},
		{"no next of a full block", 700, func(f *long) { f.poke64(f.list(0)+0x28, 0) }, 508, false, 0, false},
		{"exactly full, with a next that is not there", 508, func(f *long) { f.poke64(f.list(0)+0x28, 1<<44) }, 508, false, 0, false},
		{"second block lost", 700, func(f *long) { f.poke(f.list(1), make([]byte, blockSize)) }, 508, false, 0, false},
		{"second block is of another place in the file", 700, func(f *long) { f.poke64(f.list(1)+0x18, 0x8000) }, 508, false, 0, false},
		{"a sector lost", 700, func(f *long) { f.poke(f.row(100-100%16+12), make([]byte, 512)) }, 108, false, 16, false},
		{"a descriptor lost", 700, func(f *long) { f.poke(f.row(100), make([]byte, 32)) }, 100, false, 1, false},
		{"the last sector of a full block lost", 700, func(f *long) { f.poke(f.list(0)+blockSize-512, make([]byte, 512)) }, 492, false, 16, false},
		{"the list begins at the second block", 700, func(f *long) { f.poke64(f.catalogEntry(t, 1)+8, f.list(1)) }, 192, false, 508, false},
		{"place on the volume of a descriptor", 700, func(f *long) { f.poke64(f.row(7)+0x10, f.snaps[0].Entry.List+0x40000) }, all - 1, true, 0, false},
		{"place in the file of a descriptor", 700, func(f *long) { f.poke64(f.row(7)+0x08, 0x40000) }, all - 1, true, 0, false},
		{"no place on the volume of a descriptor", 700, func(f *long) { f.poke64(f.row(7)+0x10, 0) }, all - 1, true, 0, true},
		{"impossible place in the file of a descriptor", 700, func(f *long) { f.poke64(f.row(7)+0x08, 1<<40) }, all - 1, true, 0, false},
		{"range list lost", 700, func(f *long) { f.poke(f.snaps[0].Entry.Ranges, make([]byte, blockSize)) }, all, true, 0, true},
		{"range list wrong", 700, func(f *long) { f.poke64(f.snaps[0].Entry.Ranges+0x80, 0x4000) }, all, true, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newLong(t, c.rows)
			c.break_(f)
			warned := 0
			vol, err := diffstore.Open(f, diffstore.Options{Warn: func(error) { warned++ }})
			if err != nil {
				t.Fatal(err)
			}
			data, unknown := f.data(t, vol)
			s := vol.Snapshots()[0]
			own, _ := s.Check()
			if data != c.data || unknown[layer.Incomplete]+unknown[0] != 900-c.data {
				t.Errorf("%d blocks are data, want %d; unknown by reason %v; damage %v", data, c.data, unknown, own)
			}
			if a := s.Accounts(); a.Orphans != c.orphans {
				t.Errorf("%+v, want %d orphans", a, c.orphans)
			}
			if (own == nil) != (c.sound && c.data == 900) || (warned > 0) != c.warned {
				t.Errorf("damage %v, %d warnings", own, warned)
			}
		})
	}
}

func (f *long) catalogEntry(t *testing.T, i int) uint64 {
	h, err := diffstore.ReadHeader(f.Memory)
	if err != nil {
		t.Fatal(err)
	}
	return h.Catalog + 0x80 + 0x80*uint64(i)
}

// TestRandomDamage changes one thing that has a second witness, anywhere in the records of the stores: nothing wrong is
// called data, and what has not to do with the damage stays.
func TestRandomDamage(t *testing.T) {
	healthy := newLong(t, 700)
	total, refused := 0, 0
	n := uint64(150)
	if testing.Short() || testenv.Race {
		n = 40
	}
	for seed := range n {
		r := rand.New(rand.NewPCG(seed, 5))
		f := healthy.clone()
		what := f.damage(r)
		vol, err := diffstore.Open(f, diffstore.Options{})
		if err != nil {
			t.Fatalf("seed %d, %s: %v", seed, what, err)
		}
		for k, s := range vol.Snapshots() {
			v, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			data, _ := f.compare(t, v, f.snaps[k])
			total, refused = total+900, refused+900-data
			if data < 900 && v.Damage() == nil {
				t.Errorf("seed %d, %s: snapshot %d withholds %d blocks without a word", seed, what, k+1, 900-data)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d: %s", seed, what)
		}
	}
	t.Logf("%d of %d blocks refused", refused, total)
	if refused > total/4 {
		t.Errorf("%d of %d blocks refused", refused, total)
	}
}

func (f *long) clone() *long {
	c := *f
	c.Memory = f.Memory.Clone()
	return &c
}

// damage changes one thing and says what.
func (f *long) damage(r *rand.Rand) string {
	k := r.IntN(2)
	e := f.snaps[k].Entry
	records := map[string]uint64{"header": e.Header, "ranges": e.Ranges, "current bitmap": e.Current}
	for i, p := range f.snaps[k].Lists {
		records[fmt.Sprint("list ", i)] = p.Offset
	}
	names := []string{"header", "ranges", "current bitmap", "list 0", "list 0"}
	if k == 0 {
		names = append(names, "list 1", "list 1")
	}
	name := names[r.IntN(len(names))]
	at := records[name]
	value := [...]uint64{0, r.Uint64(), r.Uint64N(longBlocks) * blockSize, f.list(r.IntN(2)), e.Header}[r.IntN(5)]
	switch r.IntN(6) {
	case 0:
		f.poke(at, make([]byte, blockSize))
		return fmt.Sprintf("store %d: %s lost", k+1, name)
	case 1, 2:
		field := [...]uint64{0x10, 0x18, 0x20, 0x28}[r.IntN(4)]
		f.poke64(at+field, value)
		return fmt.Sprintf("store %d: %s, field 0x%x is 0x%x", k+1, name, field, value)
	case 3:
		rows := [...]int{700, 6}[k]
		n, field := r.IntN(rows), [...]uint64{8, 16}[r.IntN(2)]
		f.poke64(f.snaps[k].Lists[n/508].Offset+0x80+0x20*uint64(n%508)+field, value)
		return fmt.Sprintf("store %d: descriptor %d, field 0x%x is 0x%x", k+1, n, field, value)
	case 4:
		n := r.IntN(508)
		f.poke(f.list(0)+0x80+0x20*uint64(n), make([]byte, min(512, blockSize-0x80-0x20*n)))
		return fmt.Sprintf("store 1: descriptors lost from %d on", n)
	default:
		f.poke64(e.Ranges+0x80+8*r.Uint64N(3), value)
		return fmt.Sprintf("store %d: a range has 0x%x", k+1, value)
	}
}
