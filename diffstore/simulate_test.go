package diffstore_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
)

const blockSize = vsstest.BlockSize

// world is a simulated volume with its images.
type world struct {
	r       *rand.Rand
	live    *vsstest.Memory
	storage *vsstest.Memory // nil when local
	vol     *vsstest.Volume
	first   uint32 // blocks from first on are the user's
	resizes bool
	shrunk  bool
	files   bool // the stores are read from files, their list on the volume is lost
}

// newWorld makes a volume of some blocks: block 0, then what VSS uses when local, then the user's.
func newWorld(seed uint64, user int, area uint32, foreign bool) (*world, error) {
	w := &world{r: rand.New(rand.NewPCG(seed, 9)), resizes: seed%4 == 1, first: 1}
	cfg := vsstest.Config{PadPrevious: w.r.IntN(2) == 0}
	if w.r.IntN(2) == 0 {
		cfg.Scatter = seed + 1
	}
	if foreign {
		w.first = 17
		w.storage = vsstest.NewMemory(int64(area+1) * blockSize)
		cfg.Storage, cfg.Area, cfg.Catalog = w.storage, []vsstest.Blocks{{First: 1, Count: area}}, []vsstest.Blocks{{First: 1, Count: 16}}
	} else {
		w.first = area + 1
		cfg.Area = []vsstest.Blocks{{First: area/2 + 1, Count: area - area/2}, {First: 1, Count: area / 2}}
	}
	w.live = vsstest.NewMemory((int64(w.first)+int64(user))*blockSize - 512*w.r.Int64N(31))
	cfg.Volume = w.live
	p := make([]byte, w.live.Size()-int64(w.first)*blockSize)
	fill(w.r, p)
	if _, err := w.live.WriteAt(p, int64(w.first)*blockSize); err != nil {
		return nil, err
	}
	var err error
	w.vol, err = vsstest.New(cfg)
	return w, err
}

// fill writes different bytes into every sector, cheaply.
func fill(r *rand.Rand, p []byte) {
	for i := 0; i+8 <= len(p); i += 512 {
		binary.LittleEndian.PutUint64(p[i:], r.Uint64())
	}
}

// step does one random thing.
func (w *world) step() error {
	n := uint32((w.live.Size() + blockSize - 1) / blockSize)
	pick := func() uint32 { return w.first + w.r.Uint32N(n-w.first) }
	switch k := w.r.IntN(20); {
	case k < 9:
		off := int64(pick())*blockSize + w.r.Int64N(8)*512
		p := make([]byte, max(0, min(w.live.Size()-off, w.r.Int64N(3*blockSize))))
		if len(p) == 0 {
			return nil
		}
		fill(w.r, p)
		return w.vol.Write(off, p)
	case k < 14:
		from, to := pick(), pick()
		if from != to && int64(max(from, to)+1)*blockSize <= w.live.Size() {
			return w.vol.Move(from, to)
		}
	case k < 16:
		snaps := w.vol.Snapshots()
		if len(snaps) == 0 {
			return nil
		}
		off := int64(pick())*blockSize + w.r.Int64N(32)*512
		p := make([]byte, 512*(1+w.r.Int64N(40)))
		if off+int64(len(p)) <= snaps[len(snaps)-1].Size() {
			fill(w.r, p)
			return w.vol.WriteSnapshot(off, p)
		}
	case k < 17:
		return w.hideOrDelete()
	case k == 17 && w.resizes:
		return w.resize()
	default:
		return w.snapshot()
	}
	return nil
}

func (w *world) hideOrDelete() error {
	snaps := w.vol.Snapshots()
	if len(snaps) == 0 {
		return nil
	}
	if len(snaps) > 1 && w.r.IntN(3) == 0 {
		return w.vol.DeleteOldest()
	}
	return w.vol.Hide(w.r.IntN(len(snaps)))
}

func (w *world) resize() error {
	size := w.live.Size() + 512*(w.r.Int64N(200)-100)
	if size < int64(w.first+3)*blockSize {
		return nil
	}
	if size > w.live.Size() {
		for _, s := range w.vol.Snapshots() {
			if s.Size() > w.live.Size() {
				return nil
			}
		}
	} else if size < w.live.Size() {
		w.shrunk = true
	}
	return w.vol.Resize(size)
}

func (w *world) snapshot() error {
	o := vsstest.Options{}
	if w.r.IntN(3) == 0 {
		o.Flags = 0x400
	}
	free := w.r.IntN(3)
	salt := w.r.Uint32()
	o.Free = func(b uint32) bool { return free > 0 && b > 0 && (b*2654435761+salt)>>28 < uint32(free*4) }
	_, err := w.vol.Snapshot(o)
	return err
}

// open opens what was written.
func (w *world) open(t testing.TB) (*diffstore.Volume, error) {
	if err := w.vol.Flush(); err != nil {
		return nil, err
	}
	var opts diffstore.Options
	if w.files {
		for _, s := range w.vol.Snapshots() {
			b, err := s.File()
			if err != nil {
				return nil, err
			}
			opts.Files = append(opts.Files, diffstore.File{Name: s.FileName(), Data: bytes.NewReader(b)})
			if _, err := cmp.Or(w.storage, w.live).WriteAt(make([]byte, 64), int64(s.Entry.List)); err != nil {
				return nil, err
			}
		}
	}
	opts.Warn = func(err error) {
		if !w.shrunk && !w.files { // else a move went to what was cut off, or a file is told of
			t.Errorf("warning: %v", err)
		}
	}
	if w.storage != nil {
		opts.Storage = func(wintype.GUID) (layer.Source, error) { return w.storage, nil }
	}
	return diffstore.Open(w.live, opts)
}

// check compares all that snapshots need. Blocks that a shrink lost may be errors, nothing else may.
func (w *world) check(t *testing.T) (snapshots, compared int) {
	want := w.vol.Snapshots()
	vol, err := w.open(t)
	if len(want) == 0 {
		if err == nil {
			t.Error("Open found snapshots, want none")
		}
		return 0, 0
	}
	if err != nil {
		t.Fatal(err)
	}
	got := vol.Snapshots()
	if len(got) != len(want) {
		t.Fatalf("%d snapshots, want %d", len(got), len(want))
	}
	for i, s := range got {
		if s.Size != want[i].Size() || s.StoreID != want[i].Entry.Store || s.Offline != (want[i].Point.Flags&0x100 != 0) || s.Damage != nil {
			t.Errorf("snapshot %+v, want %+v", s, want[i].Point)
		}
		v, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Damage(); err != nil {
			t.Errorf("snapshot %d: damage: %v", s.Index, err)
		}
		compared += w.compare(t, v, want[i], s.Index)
	}
	return len(got), compared
}

// compare checks block 0 and what is the user's.
func (w *world) compare(t *testing.T, v *diffstore.View, want *vsstest.Snapshot, index int) (compared int) {
	user := int64(w.first) * blockSize
	return w.compareRange(t, v, want, index, 0, blockSize) + w.compareRange(t, v, want, index, user, v.Size()-user)
}

// compareRange reads v in pieces as its extents fall, so that each error is seen where it belongs.
func (w *world) compareRange(t *testing.T, v *diffstore.View, want *vsstest.Snapshot, index int, at, n int64) (compared int) {
	stop := at + n
	for e, err := range layer.Extents(v, at, n) {
		if e.Off != at || e.Len <= 0 {
			t.Fatalf("snapshot %d: extent at %d, want %d", index, e.Off, at)
		}
		at += e.Len
		got := make([]byte, e.Len)
		if err == nil && e.Base != nil {
			err = layer.ReadFull(e.Base, got, e.BaseOff)
		}
		for b := uint32(e.Off / blockSize); int64(b)*blockSize < at; b++ {
			from, to := max(e.Off, int64(b)*blockSize), min(at, int64(b+1)*blockSize)
			truth, terr := want.Block(b)
			if terr != nil {
				t.Fatal(terr)
			}
			same := bytes.Equal(got[from-e.Off:to-e.Off], truth[from-int64(b)*blockSize:to-int64(b)*blockSize])
			switch {
			case err != nil && !w.shrunk:
				t.Fatalf("snapshot %d, block %d: %v", index, b, err)
			case err != nil || want.Ignored(b) && e.Kind != layer.Data:
			case e.Kind != layer.Data && w.shrunk: // perhaps moved to what was cut off
			case e.Kind != layer.Data:
				t.Fatalf("snapshot %d, block %d: %v, want data", index, b, e.Kind)
			case !same:
				t.Fatalf("snapshot %d, block %d: wrong bytes (extent %+v)", index, b, e)
			default:
				compared++
			}
		}
	}
	if at != stop {
		t.Fatalf("snapshot %d: extents end at %d, want %d", index, at, stop)
	}
	return compared
}

// run makes one random volume and checks it.
func run(t *testing.T, seed uint64) (snapshots, compared int) {
	steps, user, area := 45, 14, uint32(300)
	if seed%200 == 7 {
		steps, area = 2500, 6000
	}
	w, err := newWorld(seed, user, area, seed%3 == 0)
	if err != nil {
		t.Fatal(err)
	}
	for range steps {
		if err := w.step(); err != nil {
			t.Fatal(err)
		}
	}
	w.files = seed%7 == 2
	return w.check(t)
}

// TestRandomVolumes makes 1000 volumes, or as many as SNAPMOUNT_CASES says.
func TestRandomVolumes(t *testing.T) {
	percent := debug.SetGCPercent(400) // much garbage on a small heap
	n := uint64(1000)
	if text := os.Getenv("SNAPMOUNT_CASES"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() || testenv.Race {
		n = 100
	}
	var snapshots, compared atomic.Int64
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		t.Logf("%d volumes, %d snapshots, %d ranges equal", n, snapshots.Load(), compared.Load())
		if compared.Load() < int64(n)*10 {
			t.Errorf("only %d ranges compared", compared.Load())
		}
	})
	const lanes = 4
	for lane := range uint64(lanes) {
		t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
			t.Parallel()
			for seed := lane; seed < n && !t.Failed(); seed += lanes {
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					s, c := run(t, seed)
					snapshots.Add(int64(s))
					compared.Add(int64(c))
				})
			}
		})
	}
}

// TestStackOf512 checks every view of as many snapshots as Windows keeps at most, local and foreign; their catalogs
// take nine blocks.
func TestStackOf512(t *testing.T) {
	testenv.NotUnderRace(t)
	for _, foreign := range []bool{false, true} {
		t.Run(fmt.Sprintf("foreign %v", foreign), func(t *testing.T) {
			w, err := newWorld(512, 24, 9000, foreign)
			if err != nil {
				t.Fatal(err)
			}
			for len(w.vol.Snapshots()) < 512 {
				off := (int64(w.first) + w.r.Int64N(20)) * blockSize
				p := make([]byte, 1+w.r.Int64N(2*blockSize))
				fill(w.r, p)
				if err := errors.Join(w.vol.Write(off, p), w.snapshot()); err != nil {
					t.Fatal(err)
				}
			}
			if n, ranges := w.check(t); n != 512 || ranges < 512 {
				t.Errorf("%d snapshots, %d ranges", n, ranges)
			}
		})
	}
}

func TestViewContract(t *testing.T) {
	w, err := newWorld(6, 20, 300, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		for range 7 {
			if err := w.step(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	vol, err := w.open(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range vol.Snapshots() {
		v, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if v.Size() > w.live.Size() || s.Index%2 == 0 {
			continue
		}
		want := make([]byte, v.Size())
		if _, err := v.ReadAt(want, 0); err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, v, want)
	}
}
