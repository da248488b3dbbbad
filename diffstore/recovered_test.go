package diffstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// TestRecoveredFromVolume passes the store files as the volume's own file system would list them.
func TestRecoveredFromVolume(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	files := f.files(t)[:3]
	for i, s := range f.snaps { // the area is handed out in order
		m, err := layer.Section(f.Memory, int64(s.Entry.Header), files[i].Data.Size())
		if err != nil {
			t.Fatal(err)
		}
		files[i].Data = m
	}
	f.poke64(vsstest.HeaderOffset+0x30, 0)
	vol, err := diffstore.Open(f.Memory, diffstore.Options{Files: files, Unchanged: f.unchanged(t)})
	if err != nil {
		t.Fatal(err)
	}
	said := state{own: true, through: true, whole: true}
	f.checkByCopy(t, vol, [3]state{said, said, said})
	v, err := vol.Snapshots()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range layer.Resolve(v, 0, v.Size()) {
		if err == nil && e.Base != nil && e.Base != layer.Source(f.Memory) {
			t.Errorf("extent %+v is not of the volume", e)
		}
	}
}

// TestOverlayContinuedInFile is about rows whose relative offset is no offset.
func TestOverlayContinuedInFile(t *testing.T) {
	m := vsstest.NewMemory(60 * blockSize)
	v, err := vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 40}}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Snapshot(vsstest.Options{})
	for i := range int64(4) {
		err = errors.Join(err, v.WriteSnapshot(50*blockSize+i*2048, bytes.Repeat([]byte{byte(i + 1)}, 1024)))
	}
	if err = errors.Join(err, v.Flush()); err != nil {
		t.Fatal(err)
	}
	b, err := s.File()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := s.Block(50)
	if _, err := m.WriteAt(make([]byte, 30*blockSize), int64(s.Entry.Header)); err != nil {
		t.Fatal(err)
	}
	vol, err := diffstore.Open(m, diffstore.Options{Files: []diffstore.File{{Name: s.FileName(), Data: bytes.NewReader(b)}}})
	if err != nil {
		t.Fatal(err)
	}
	view, err := vol.Snapshots()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, blockSize)
	if _, err := view.ReadAt(got, 50*blockSize); err != nil || !bytes.Equal(got, want) || view.Damage() != nil {
		t.Errorf("overlays differ: %v, %v", err, view.Damage())
	}
}

// TestOrderOfRecovered has stores that bitmaps do not order: the GUIDs do, else the times, else nothing.
func TestOrderOfRecovered(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	for _, s := range f.snaps {
		f.zero(s.Entry.Previous)
	}
	files := f.files(t)[:3]
	uuid := func(n byte) string {
		g := wintype.GUID{n, 0, 0, 0, 0, 0, 0xe3, 0x11, 0x9d}
		return fmt.Sprintf("{%v}{%v}", g, vsstest.Identifier)
	}
	f.poke64(vsstest.HeaderOffset+0x30, 0)
	for _, c := range []struct {
		name    string
		names   bool
		times   bool
		through bool
		text    string
	}{{"GUIDs", true, false, false, "of their GUIDs"}, {"times", false, true, false, "of the creation times"}, {"nothing", false, false, true, "not known"}} {
		in := slices.Clone(files)
		for i := range in {
			in[i].Name = fmt.Sprint("file", i)
			if c.names {
				in[i].Name = uuid(byte(i + 5))
			}
			if !c.times {
				in[i].Created = time.Time{}
			}
		}
		if c.names || c.times {
			slices.Reverse(in)
		}
		vol, err := diffstore.Open(f, diffstore.Options{Files: in})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range vol.Snapshots() {
			_, through := s.Check()
			if s.CopyID != f.snaps[i].Info.Copy || through == nil || strings.Contains(through.Error(), "next newer snapshot is not known") != c.through || !s.Recovered {
				t.Errorf("%s: snapshot %d is %v, through %v", c.name, i+1, s.CopyID, through)
			}
			if !strings.Contains(s.Damage.Error(), c.text) {
				t.Errorf("%s: damage %v", c.name, s.Damage)
			}
		}
	}
}

// TestRecoveredMarks is about what recovered stores leave unprotected: as their flags are lost, it counts always.
func TestRecoveredMarks(t *testing.T) {
	const free = 45
	kinds := func(t *testing.T, m *vsstest.Memory, files []diffstore.File, snapshot int, want map[int64]layer.Kind) {
		t.Helper()
		if _, err := m.WriteAt(make([]byte, 512), vsstest.HeaderOffset); err != nil {
			t.Fatal(err)
		}
		all := func(*diffstore.View) ([]diffstore.Range, error) { return []diffstore.Range{{Len: m.Size()}}, nil }
		vol, err := diffstore.Open(m, diffstore.Options{Files: files, Unchanged: all})
		if err != nil {
			t.Fatal(err)
		}
		v, err := vol.Snapshots()[snapshot].Open()
		if err != nil {
			t.Fatal(err)
		}
		for b, kind := range want {
			for e, err := range layer.Extents(v, b*blockSize, blockSize) {
				if err != nil || e.Kind != kind {
					t.Errorf("block %d: %+v, %v, want %v", b, e, err, kind)
				}
			}
		}
	}
	t.Run("of a newer one without previous bitmap", func(t *testing.T) {
		m := vsstest.NewMemory(60 * blockSize)
		v, err := vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 40}}})
		if err != nil {
			t.Fatal(err)
		}
		var files []diffstore.File
		for i := range uint32(2) {
			s, err := v.Snapshot(vsstest.Options{Free: func(b uint32) bool { return i == 1 && b == free }})
			if err = errors.Join(err, v.Flush()); err != nil {
				t.Fatal(err)
			}
			b, err := s.File()
			if err != nil {
				t.Fatal(err)
			}
			if s.Entry.Previous != 0 {
				clear(b[s.Entry.Previous-s.Entry.Header:][:blockSize])
			}
			files = append(files, diffstore.File{Name: fmt.Sprint(i), Data: bytes.NewReader(b), Created: s.Created()})
		}
		kinds(t, m, files, 0, map[int64]layer.Kind{free: layer.Unknown, free + 1: layer.Data})
	})
	t.Run("unreadable", func(t *testing.T) {
		m := vsstest.NewMemory(0x7f000000 + 40*blockSize)
		v, err := vsstest.New(vsstest.Config{Volume: m, Area: []vsstest.Blocks{{First: 1, Count: 40}}, NoTruth: true})
		if err != nil {
			t.Fatal(err)
		}
		s, err := v.Snapshot(vsstest.Options{})
		if err = errors.Join(err, v.Flush()); err != nil {
			t.Fatal(err)
		}
		b, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		cut := s.Entry.Current - s.Entry.Header + blockSize // the second block of the bitmap is missing
		files := []diffstore.File{{Name: s.FileName(), Data: bytes.NewReader(b[:cut])}}
		kinds(t, m, files, 0, map[int64]layer.Kind{0x7f000000/blockSize - 1: layer.Data, 0x7f000000 / blockSize: layer.Unknown})
	})
}

// TestOthersFiles has store files that are not of the volume.
func TestOthersFiles(t *testing.T) {
	f := newFixture(t, vsstest.Config{Storage: vsstest.NewMemory(81 * blockSize), Area: []vsstest.Blocks{{First: 1, Count: 80}}, Catalog: []vsstest.Blocks{{First: 60, Count: 8}}, VolumeGUID: wintype.GUID{9}})
	big := vsstest.NewMemory(0x7f000000 + 100*blockSize)
	own := newFixture(t, vsstest.Config{Extra: [][]byte{f.snaps[0].Entry.Bytes()}})
	for _, c := range []struct {
		name string
		base layer.Source
		text string
		want int
	}{
		{"the volume is not among what the store leaves alone", vsstest.NewMemory(f.Size()), "protects itself", 0},
		{"larger volume", big, "bitmap of 1 blocks", 0},
		{"its catalog knows that it is another's", own, "", 3},
	} {
		var warned []string
		vol, err := diffstore.Open(c.base, diffstore.Options{Files: f.files(t)[:1], Warn: func(err error) { warned = append(warned, err.Error()) }})
		n := 0
		if err == nil {
			n = len(vol.Snapshots())
		} else if !errors.Is(err, diffstore.ErrNoSnapshots) {
			t.Error(err)
		}
		if n != c.want || c.text != "" && !strings.Contains(strings.Join(warned, "\n"), c.text) || c.text == "" && len(warned) > 0 {
			t.Errorf("%s: %d snapshots, want %d, warnings %q", c.name, n, c.want, warned)
		}
	}
}

// padded is a file that claims far more than it has.
type padded struct{ layer.Source }

func (padded) Size() int64                               { return 1 << 50 }
func (p padded) ReadAt(b []byte, off int64) (int, error) { return layer.Read(p, b, off, layer.Live) }

func (p padded) At(off, n int64) (layer.Extent, error) {
	if k := layer.Clip(p.Source.Size(), off, n); k > 0 {
		return layer.Extent{Off: off, Len: k, Base: p.Source, BaseOff: off}, nil
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Zero}, nil
}

// TestHugeFile hands in store files of 1 PiB of which nearly all is a hole: they are used, and at once.
func TestHugeFile(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	files := f.files(t)[:3]
	for i := range files {
		files[i].Data = padded{files[i].Data}
	}
	f.poke64(vsstest.HeaderOffset+0x30, 0)
	vol, err := diffstore.Open(f.Memory, diffstore.Options{Files: files, Unchanged: f.unchanged(t)})
	if err != nil {
		t.Fatal(err)
	}
	said := state{own: true, through: true, whole: true}
	f.checkByCopy(t, vol, [3]state{said, said, said})
}

// TestRecoveredEnd has copies that ended some time after the newest snapshot, which nothing on the volume shows.
func TestRecoveredEnd(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	files := f.files(t)[:3]
	f.poke64(vsstest.HeaderOffset+0x30, 0)
	for b := uint64(82); b < 99; b += 3 {
		f.poke(b*blockSize, []byte("encrypted")) // without a copy
	}
	for _, c := range []struct {
		proof     diffstore.UnchangedFunc
		unchanged bool
	}{{nil, false}, {f.unchanged(t), true}, {func(*diffstore.View) ([]diffstore.Range, error) { return nil, errors.New("unreadable") }, false}} {
		vol, err := diffstore.Open(f.Memory, diffstore.Options{Files: files, Unchanged: c.proof})
		if err != nil {
			t.Fatal(err)
		}
		for k, s := range vol.Snapshots() {
			v, err := s.Open()
			if err != nil || v.Damage() == nil {
				t.Fatal(err, v.Damage())
			}
			kept, why := 0, map[layer.Reason]int{}
			for x := range v.Explain(user*blockSize, 18*blockSize) {
				if x.Kind == layer.Unknown {
					why[x.Why]++
				} else if x.Place == diffstore.Kept {
					kept++
				}
			}
			if data := f.compare(t, v, f.snaps[k], k+1); kept < 2 || (data > kept+3) != c.unchanged || why[layer.Carved] == 0 || why[layer.Incomplete] > 0 {
				t.Errorf("store %d: %d blocks are data, %d kept, unknown because of %v; proof %v", k+1, data, kept, why, c.unchanged)
			}
		}
	}
}
