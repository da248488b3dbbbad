package restore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// TestTimes restores times that nanoseconds since 1970 have no room for: to tmpfs and ntfs-3g, which hold them, and to a
// directory that says what it does not.
func TestTimes(t *testing.T) {
	years := map[string]int{"a1601": 1601, "b1677": 1677, "c1901": 1901, "d2026": 2026, "e2263": 2263, "f2500": 2500, "g30828": 30828, "dir": 1677, "link": 2263}
	image := volumeOf(t, func(dir string) error {
		err := errors.Join(os.Mkdir(dir+"/dir", 0o700), os.Symlink("d2026", dir+"/link"))
		for name, year := range years {
			if strings.HasSuffix(name, fmt.Sprint(year)) {
				err = errors.Join(err, write(dir, name, name))
			}
		}
		for name, year := range years {
			var b []byte
			for range 3 {
				b = binary.LittleEndian.AppendUint64(b, uint64(wintype.FiletimeOf(when(year))))
			}
			err = errors.Join(err, unix.Lsetxattr(filepath.Join(dir, name), "system.ntfs_times", b, 0))
		}
		return err
	})
	tmpfs := t.TempDir()
	mount(t, "size=16m", "tmpfs", "tmpfs", tmpfs)
	ntfs3g, _ := ntfstest.MountNTFS3G(t, freshNTFS(t, "512", 64<<20), targetOptions)
	restored(t, testenv.Open(t, image), ntfs3g, restore.Options{})
	for _, c := range []struct {
		dir   string
		holds bool
	}{{tmpfs, true}, {t.TempDir(), false}} {
		r := restored(t, testenv.Open(t, image), c.dir, restore.Options{})
		again := restored(t, testenv.Open(t, image), c.dir, restore.Options{Resume: true})
		if failed := append(r.failed(), again.failed()...); len(failed) > 0 || len(r.list) != len(years) {
			t.Errorf("%d items, failed: %q", len(r.list), failed)
		}
		for _, res := range r.list {
			info, err := os.Lstat(filepath.Join(c.dir, res.Path))
			if err != nil {
				t.Error(err)
				continue
			}
			exact, told := info.ModTime().Equal(when(years[res.Path])), slices.Contains(res.Lost, "modification time")
			if exact == told && res.Type != "link" || c.holds && !exact {
				t.Errorf("%s: %v, lost: %q", res.Path, info.ModTime().UTC(), res.Lost)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(years)) {
		got := xattrOf(filepath.Join(ntfs3g, name), "system.ntfs_times")[:8]
		want := wintype.FiletimeOf(when(years[name]))
		if binary.LittleEndian.Uint64([]byte(got)) != uint64(want) {
			t.Errorf("%s: %x on ntfs-3g, want %x", name, got, uint64(want))
		}
	}
}

func when(year int) time.Time { return time.Date(year, 2, 3, 4, 5, 6, 700, time.UTC) }
