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

// files copies the stores and, last, the catalog of f.
func (f *fixture) files(t testing.TB) (files []diffstore.File) {
	t.Helper()
	for _, s := range f.snaps {
		b, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, diffstore.File{Name: s.FileName(), Data: bytes.NewReader(b), Created: s.Created().Add(-time.Second)})
	}
	b, err := f.vol.CatalogFile()
	if err != nil {
		t.Fatal(err)
	}
	return append(files, diffstore.File{Name: "{" + vsstest.Identifier.String() + "}", Data: bytes.NewReader(b)})
}

// rename takes away what the names tell.
func rename(files []diffstore.File) []diffstore.File {
	for i := range files {
		files[i].Name = fmt.Sprintf("f%d.bin", i)
	}
	return files
}

// untimed takes away the names and times, and reverses the order.
func untimed(files []diffstore.File) []diffstore.File {
	for i := range files {
		files[i].Created = time.Time{}
	}
	slices.Reverse(files)
	return rename(files)
}

// content returns all of a file.
func content(t testing.TB, f diffstore.File) []byte {
	t.Helper()
	b := make([]byte, f.Data.Size())
	if err := layer.ReadFull(f.Data, b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// overwrite loses all that the volume has of the stores.
func (f *fixture) overwrite() {
	for _, s := range f.snaps {
		f.zero(s.Entry.Header)
		f.zero(s.Entry.List)
		for off := int64(1); off < user; off++ { // data, so that none of it is taken for right
			if b := make([]byte, 16); layer.ReadFull(f.Memory, b, off*blockSize) == nil && !bytes.Equal(b, vsstest.Identifier[:]) {
				f.zero(uint64(off) * blockSize)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	all := [3]state{healthy, healthy, healthy}
	said := state{own: true, through: true, whole: true} // whole, with words of doubt
	recovered := [3]state{said, said, said}
	same := func(f []diffstore.File) []diffstore.File { return f }
	stores := func(f []diffstore.File) []diffstore.File { return f[:3] }
	noCatalog := func(f *fixture) { f.poke64(vsstest.HeaderOffset+0x30, 0) }
	for _, c := range []struct {
		name   string
		break_ func(f *fixture)
		files  func([]diffstore.File) []diffstore.File
		want   [3]state
	}{
		{"not needed", func(*fixture) {}, same, all},
		{"stores overwritten", (*fixture).overwrite, stores, all},
		{"stores overwritten, files renamed", (*fixture).overwrite, func(f []diffstore.File) []diffstore.File { return rename(f[:3]) }, all},
		{"one overwritten, others' files only", func(f *fixture) { f.zero(f.snaps[1].Entry.List) },
			func(f []diffstore.File) []diffstore.File { return []diffstore.File{f[0], f[2]} }, [3]state{{through: true}, {own: true}, healthy}},
		{"store entry lost", func(f *fixture) { f.poke(f.entry(t, 3), []byte{1}) }, stores, all},
		{"store entry points outside", func(f *fixture) { f.poke64(f.entry(t, 3)+8, 1<<40) }, stores, all},
		{"bitmaps zeroed", func(f *fixture) { f.zero(f.snaps[1].Entry.Current); f.zero(f.snaps[2].Entry.Previous) }, stores, all},
		{"two copies, one cut", (*fixture).overwrite, func(f []diffstore.File) []diffstore.File {
			cut := f[1]
			cut.Data = bytes.NewReader(content(t, cut)[:blockSize])
			return append([]diffstore.File{cut}, f...)
		}, all},
		{"a copy of the list among the data", (*fixture).overwrite, func(f []diffstore.File) []diffstore.File {
			b := content(t, f[1])
			f[1].Data = bytes.NewReader(append(b, b[blockSize:2*blockSize]...))
			return f
		}, all},
		{"list cut off", (*fixture).overwrite, func(f []diffstore.File) []diffstore.File {
			f[1].Data = bytes.NewReader(content(t, f[1])[:blockSize])
			return f
		}, [3]state{{through: true}, {own: true}, healthy}},
		{"data cut off", (*fixture).overwrite, func(f []diffstore.File) []diffstore.File {
			f[1].Data = bytes.NewReader(content(t, f[1])[:f[1].Data.Size()-1])
			return f
		}, [3]state{{}, healthy, healthy}}, // the last block is one that only snapshot 1 needs
		{"catalog captured", noCatalog, func(f []diffstore.File) []diffstore.File { return rename(f) }, all},
		{"catalog captured, stores overwritten", func(f *fixture) { noCatalog(f); f.overwrite() }, func(f []diffstore.File) []diffstore.File { return rename(f) },
			[3]state{{through: true, whole: true}, {through: true, whole: true}, {through: true, whole: true}}},
		{"catalog captured, header gone", func(f *fixture) { f.poke(vsstest.HeaderOffset, make([]byte, 512)) }, same, all},
		{"catalog captured, a copy under another name", noCatalog, func(f []diffstore.File) []diffstore.File {
			other := f[1]
			other.Name = "{57575757" + other.Name[9:]
			return append(f, other)
		}, all},
		{"catalog captured alone", noCatalog, func(f []diffstore.File) []diffstore.File { return f[3:] }, [3]state{{own: true, whole: true}, {own: true, whole: true}, {own: true, whole: true}}},
		{"catalog damaged", func(f *fixture) { f.zero(f.entry(t, 0) - 0x80) }, same, all},
		{"no catalog", noCatalog, stores, recovered},
		{"no catalog, two copies", noCatalog, func(f []diffstore.File) []diffstore.File { return append(f[:3:3], f[:3]...) }, recovered},
		{"no catalog, only bitmaps tell the order", noCatalog, func(f []diffstore.File) []diffstore.File { return untimed(f[:3]) }, recovered},
		{"no catalog, header gone", func(f *fixture) { f.poke(vsstest.HeaderOffset, make([]byte, 512)) }, stores, recovered},
		{"catalog zeroed", func(f *fixture) { f.zero(f.entry(t, 0) - 0x80) }, stores, recovered},
		{"all entries free", func(f *fixture) {
			for i := range 6 {
				f.poke(f.entry(t, i), []byte{1})
			}
		}, stores, recovered},
		{"no catalog, stores overwritten", func(f *fixture) { noCatalog(f); f.overwrite() }, stores,
			recovered},
		{"oldest deleted, catalog captured", func(f *fixture) {
			f.poke(f.entry(t, 0), []byte{1})
			f.poke(f.entry(t, 1), []byte{1})
		}, same, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, vsstest.Config{})
			files := c.files(f.files(t))
			c.break_(f)
			vol, err := diffstore.Open(f, diffstore.Options{Files: files, Unchanged: f.unchanged(t)})
			if err != nil {
				t.Fatal(err)
			}
			f.checkByCopy(t, vol, c.want)
		})
	}
}

// unchanged tells by the truth what has not changed since a snapshot.
func (f *fixture) unchanged(t *testing.T) diffstore.UnchangedFunc {
	return func(last *diffstore.View) (known []diffstore.Range, _ error) {
		for _, s := range f.snaps {
			if s.Info.Copy != last.Snapshot().CopyID {
				continue
			}
			for b := int64(user); b < 100; b++ {
				want, err := s.Block(uint32(b))
				if err != nil {
					t.Fatal(err)
				}
				n := min(blockSize, last.Size()-b*blockSize)
				have := make([]byte, n)
				if err := layer.ReadFull(f.Memory, have, b*blockSize); err == nil && bytes.Equal(have, want[:n]) {
					known = append(known, diffstore.Range{Off: b * blockSize, Len: n})
				}
			}
		}
		slices.Reverse(known) // in any order
		return known, nil
	}
}

// checkByCopy is check for snapshots that may have lost their store GUIDs.
func (f *fixture) checkByCopy(t *testing.T, vol *diffstore.Volume, want [3]state) {
	t.Helper()
	if n := len(vol.Snapshots()); n != 3 {
		t.Errorf("%d snapshots, want 3", n)
	}
	for i, s := range vol.Snapshots() {
		if s.CopyID != f.snaps[i].Info.Copy && !s.CopyID.IsZero() || s.Index != i+1 {
			t.Errorf("snapshot %d is %v, want %v", s.Index, s.CopyID, f.snaps[i].Info.Copy)
		}
		if s.Recovered && !s.Created.IsZero() && !s.Created.Equal(f.snaps[i].Created().Add(-time.Second)) {
			t.Errorf("snapshot %d made at %v", s.Index, s.Created)
		}
		s.StoreID = f.snaps[i].Entry.Store
	}
	f.check(t, vol, want)
}

func TestFilesOfForeignStorage(t *testing.T) {
	s := vsstest.NewMemory(81 * blockSize)
	f := newFixture(t, vsstest.Config{VolumeGUID: wintype.GUID{9}, Storage: s, Area: []vsstest.Blocks{{First: 1, Count: 80}}, Catalog: []vsstest.Blocks{{First: 1, Count: 8}}})
	_, guid := f.vol.GUIDs()
	files := f.files(t)
	vol, err := diffstore.Open(f, diffstore.Options{Files: files[:2]})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{{through: true}, {through: true}, {own: true}})
	damage := vol.Snapshots()[2].Damage.Error()
	for _, text := range []string{guid.String(), "add the image that holds it", "store files"} {
		if !strings.Contains(damage, text) {
			t.Errorf("damage %q does not say %q", damage, text)
		}
	}
	vol, err = diffstore.Open(f, diffstore.Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{healthy, healthy, healthy})

	other := newFixture(t, vsstest.Config{}) // a volume with snapshots of its own takes nothing of f
	warned := 0
	vol, err = diffstore.Open(other, diffstore.Options{Files: files[3:], Warn: func(error) { warned++ }})
	if err != nil {
		t.Fatal(err)
	}
	other.check(t, vol, [3]state{healthy, healthy, healthy})
	if n := len(vol.Snapshots()); n != 3 || warned == 0 {
		t.Errorf("%d snapshots, %d warnings", n, warned)
	}
}

// TestStaleFile has files of a time before the image.
func TestStaleFile(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	files := f.files(t)
	for b := int64(84); b < 89; b++ {
		if err := f.vol.Write(b*blockSize, []byte("later")); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.vol.Flush(); err != nil {
		t.Fatal(err)
	}
	vol, err := diffstore.Open(f, diffstore.Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{healthy, healthy, healthy})
	f.poke64(f.row(2, 5), user*blockSize+1) // the list breaks off behind all that the files have
	vol, err = diffstore.Open(f, diffstore.Options{Files: files})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{{through: true}, {through: true}, {own: true}})
}

func TestFileKinds(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	name := f.snaps[1].FileName()
	zero := diffstore.File{Name: name, Data: bytes.NewReader(make([]byte, 9*blockSize))}
	f.zero(f.snaps[1].Entry.List)
	var warned []error
	vol, err := diffstore.Open(f, diffstore.Options{Warn: func(err error) { warned = append(warned, err) }, Files: []diffstore.File{
		zero, {Name: "text", Data: strings.NewReader("no store")}, {Name: "empty", Data: strings.NewReader("")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.check(t, vol, [3]state{{through: true}, {own: true}, healthy})
	if len(warned) != 3 || !errors.Is(warned[0], layer.ErrUnknown) || !errors.Is(warned[1], layer.ErrFormat) {
		t.Errorf("warnings %v", warned)
	}
	f.poke(f.entry(t, 3), []byte{1}) // lost altogether: the damage tells of the file
	if vol, err = diffstore.Open(f, diffstore.Options{Files: []diffstore.File{zero}}); err != nil {
		t.Fatal(err)
	}
	if d := vol.Snapshots()[1].Damage; d == nil || !strings.Contains(d.Error(), "only zeros") || !strings.Contains(d.Error(), "clusters") {
		t.Errorf("damage %v", d)
	}
	f.poke(vsstest.HeaderOffset, make([]byte, 512))
	_, err = diffstore.Open(f, diffstore.Options{Files: []diffstore.File{zero}})
	if !errors.Is(err, diffstore.ErrNoSnapshots) || !strings.Contains(err.Error(), "only zeros") {
		t.Errorf("no header, a file of zeros: %v", err)
	}
}

// TestNewestDeleted has files of a snapshot that was deleted before the image was made: it stands beside the others.
func TestNewestDeleted(t *testing.T) {
	f := newFixture(t, vsstest.Config{})
	last, err := f.vol.Snapshot(vsstest.Options{})
	if err = errors.Join(err, f.vol.WriteSnapshot(99*blockSize, make([]byte, 512)), f.vol.Flush()); err != nil {
		t.Fatal(err)
	}
	f.snaps = append(f.snaps, last)
	files := f.files(t)
	f.poke(f.entry(t, 6), []byte{1})
	f.poke(f.entry(t, 7), []byte{1})
	for _, c := range []struct {
		name      string
		files     []diffstore.File
		recovered bool
		stored    layer.Kind
	}{{"catalog captured", files, false, layer.Data}, {"no catalog", files[:4], true, layer.Data}, {"no store", files[4:], false, layer.Unknown}} {
		vol, err := diffstore.Open(f, diffstore.Options{Files: c.files})
		if err != nil {
			t.Fatal(err)
		}
		snaps := vol.Snapshots()
		if len(snaps) != 4 || snaps[3].Recovered != c.recovered || snaps[3].Index != 4 {
			t.Fatalf("%s: snapshots %+v", c.name, snaps)
		}
		f.check(t, vol, [3]state{healthy, healthy, healthy})
		view, err := snaps[3].Open()
		if err != nil || view.Damage() == nil {
			t.Fatal(err, view.Damage())
		}
		for block, want := range map[int64]layer.Kind{99: c.stored, 85: layer.Unknown} {
			for e, err := range layer.Extents(view, block*blockSize, 512) {
				if err != nil || e.Kind != want {
					t.Errorf("%s, block %d: %+v, %v, want %v", c.name, block, e, err, want)
				}
			}
		}
	}
}
