package points_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/diffstore/carve"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// lives are what may happen to a volume: each does it, and says which of the snapshots that were taken come back.
var lives = map[string]struct {
	live  func(l *lifetime) []int
	least int // files of all points that are right
}{
	"all deleted, half encrypted": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 2, 0)
		return []int{0, 1}
	}, 150},
	"nothing written since": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		return []int{0, 1}
	}, 200},
	"two deletions": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 5, 0)
		l.protect()
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 3, 0)
		return []int{0, 1, 2, 3}
	}, 200},
	"elsewhere": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 2, 0)
		return []int{0, 1}
	}, 150},
	"reused": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		n := 0
		l.stores(func(off int64, b []byte) {
			if n++; n%4 == 0 {
				for i := range b {
					b[i] = byte(l.random.Uint32())
				}
				l.write(nil, off, b)
				l.allocate(off)
			}
		})
		l.change(nil, 3, 0)
		return []int{0, 1}
	}, 60},
	"trimmed": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		n := 0
		l.stores(func(off int64, b []byte) {
			if n++; n%3 == 0 {
				l.write(nil, off, make([]byte, len(b)))
			}
		})
		l.change(nil, 3, 0)
		return []int{0, 1}
	}, 100},
	"clock set back": {func(l *lifetime) []int {
		l.twice(vsstest.Options{Created: time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC)}, vsstest.Options{Created: time.Date(2020, 5, 2, 0, 0, 0, 0, time.UTC)})
		l.forget()
		l.clock -= 10 * 365 * 86400 * 10_000_000
		l.change(nil, 2, 0)
		return []int{0, 1}
	}, 150},
	"some live": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.twice(vsstest.Options{}, vsstest.Options{})
		if err := errors.Join(l.sim.DeleteOldest(), l.sim.DeleteOldest(), l.sim.Flush()); err != nil {
			l.t.Fatal(err)
		}
		l.change(l.sim, 3, 2)
		if err := l.sim.Flush(); err != nil {
			l.t.Fatal(err)
		}
		return []int{0, 1}
	}, 230},
	"without sequence numbers": {func(l *lifetime) []int {
		l.plain = true
		for _, f := range l.files {
			l.write(nil, f.record+8, make([]byte, 8))
		}
		l.twice(vsstest.Options{}, vsstest.Options{})
		l.forget()
		l.change(nil, 2, 0)
		return []int{0, 1}
	}, 40},
	"the newest lost": {func(l *lifetime) []int {
		l.twice(vsstest.Options{}, vsstest.Options{})
		last := l.sim.Snapshots()[1]
		l.forget()
		for off := int64(last.Entry.Header); off < int64(l.area.First+areaBlocks/2)*vsstest.BlockSize; off += vsstest.BlockSize {
			l.write(nil, off, make([]byte, vsstest.BlockSize))
		}
		l.change(nil, 2, 0)
		return []int{0}
	}, 40},
}

// twice takes two snapshots in a life of changes.
func (l *lifetime) twice(a, b vsstest.Options) {
	l.change(l.sim, 3, 1)
	l.snapshot(a)
	l.change(l.sim, 3, 0)
	l.snapshot(b)
	l.change(l.sim, 4, 1)
}

// TestCarvedLives deletes snapshots in many ways, and writes on: nothing of what comes back is wrong.
func TestCarvedLives(t *testing.T) {
	testenv.NotUnderRace(t)
	image := makeVolume(t)
	for name, c := range lives {
		t.Run(name, func(t *testing.T) {
			l := newLifetime(t, image, strings.HasPrefix(name, "elsewhere"))
			want := c.live(l)
			if sum := l.tally(carve.Agreed, want, l.images()...); sum.wrong > 0 || sum.right < c.least {
				t.Errorf("%+v, want %d right", sum, c.least)
			}
		})
	}
}

// TestCarvedNames has deleted snapshots chosen by name alone, and what a pass found kept for its image alone.
func TestCarvedNames(t *testing.T) {
	l := newLifetime(t, makeVolume(t), false)
	l.twice(vsstest.Options{}, vsstest.Options{})
	l.forget()
	image, kept := l.images()[0], filepath.Join(t.TempDir(), "found.json")
	plain := open(t, image).Volumes[0]
	if len(plain.Snapshots()) != 0 || plain.Deleted() == "" {
		t.Errorf("without a search: %d snapshots, %q", len(plain.Snapshots()), plain.Deleted())
	}
	for range 2 { // a pass, and what it kept
		set, err := points.Open(t.Context(), []string{image}, points.Options{Carve: points.CarveScan, CarveFrom: kept})
		if err != nil {
			t.Fatal(err)
		}
		v := set.Volumes[0]
		if n := len(v.Snapshots()); n != 2 || v.Latest() != nil || v.Oldest() != nil {
			t.Fatalf("%d snapshots, latest %v, oldest %v", n, v.Latest(), v.Oldest())
		}
		for i, p := range v.Snapshots() {
			named, err := v.PointNamed(p.Name)
			byNumber, err2 := v.PointNamed(fmt.Sprint(i + 1))
			if err != nil || err2 != nil || named != p || byNumber != p || !strings.HasSuffix(p.Name, "-carved") || !strings.HasPrefix(p.Name, "after-") {
				t.Errorf("%s: %v, %v", p.Name, err, err2)
			}
		}
		for _, name := range []string{"latest", "oldest", "2026-10-28", "2025-08-18", "before:2030"} {
			if p, err := v.PointNamed(name); err == nil {
				t.Errorf("%s is %s", name, p.Name)
			}
		}
		if list, err := v.AsOf("2030-01-01"); err == nil {
			t.Errorf("as of: %v", list)
		}
		set.Close()
	}
	l.change(nil, 1, 0)
	if _, err := points.Open(t.Context(), l.images(), points.Options{CarveFrom: kept, Carve: points.CarveScan}); err == nil {
		t.Error("what was found is taken for another image")
	}
}

// TestCarvedReal finds the snapshot that was deleted on a real volume whose diff area is elsewhere, in its place.
func TestCarvedReal(t *testing.T) {
	dir := t.TempDir()
	testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), "-C", dir)
	set, err := points.Open(t.Context(), []string{filepath.Join(dir, "vss_3_volstor.raw")}, points.Options{Carve: points.CarveRemnants})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	all := set.Volumes[1].Snapshots()
	if len(all) != 3 || all[0].Carved != nil || all[1].Carved != nil || all[2].Carved == nil || all[2].Name != "2021-03-13T221339Z-carved" ||
		all[2].Snapshot.CopyID.String() != "d227de46-ea57-483a-ab26-5b9062795351" || set.Volumes[1].Latest() != all[1] {
		t.Fatalf("%d snapshots, the last %s", len(all), all[len(all)-1].Name)
	}
	if f := all[2].Carved.Facts(); f.Found != "record" || f.Order != carve.ByLSN || f.Rows != 18 || f.Overwritten != 0 || f.LSN == 0 {
		t.Errorf("%+v", f)
	}
}
