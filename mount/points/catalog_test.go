package points_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestCatalogEntries loses the entry of a snapshot whose store still has one, in the catalog of the same volume or, as that
// of the demo's second volume, of another one: that a point in time is missing is told.
func TestCatalogEntries(t *testing.T) {
	sound := open(t, demo(t))
	disk := make([]byte, sound.Images[0].Disk.Size())
	if err := layer.ReadFull(sound.Images[0].Disk, disk, 0); err != nil {
		t.Fatal(err)
	}
	if w := sound.Warnings(); len(w) > 0 {
		t.Fatal(w)
	}
	for _, v := range sound.Volumes {
		entry := catalogEntry(t, disk, v.Partition.Off)
		for name, spoil := range map[string]func(e []byte){
			"zeros": func(e []byte) { clear(e) },
			"free":  func(e []byte) { clear(e); e[0] = 1 },
			"freed": func(e []byte) { e[0] = 1 },
			"store": func(e []byte) { e[0] = 3 },
			"other": func(e []byte) { e[0] = 9 },
		} {
			spoiled := append([]byte{}, disk...)
			spoil(spoiled[entry:][:0x80])
			image := filepath.Join(t.TempDir(), "spoiled.raw")
			if err := os.WriteFile(image, spoiled, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, image)
			told := strings.Join(s.Warnings(), "\n")
			for _, v := range s.Volumes {
				for _, p := range v.Snapshots() {
					if p.Snapshot.Recovered && p.Snapshot.Damage != nil {
						told += p.Snapshot.Damage.Error()
					}
				}
			}
			if !strings.Contains(told, "catalog") {
				t.Errorf("%s: %s: %q", v.Name, name, told)
			}
		}
	}
}

// catalogEntry finds the first entry of a snapshot in the catalog of the volume at off.
func catalogEntry(t *testing.T, disk []byte, off int64) int64 {
	t.Helper()
	at := off + int64(le64(disk[off+vsstest.HeaderOffset+0x30:]))
	for e := at + 0x80; e < at+vsstest.BlockSize; e += 0x80 {
		if disk[e] == 2 {
			return e
		}
	}
	t.Fatal("no snapshot in the catalog")
	return 0
}

func le64(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}
