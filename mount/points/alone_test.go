package points_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
)

// TestVolumeAlone has each volume of the demo without the other, of which the first keeps the diff area of the second: only
// those snapshots are of it that are proven to be, also when all its own entries are lost.
func TestVolumeAlone(t *testing.T) {
	disk := open(t, demo(t))
	volume := func(i int) []byte {
		b := make([]byte, disk.Volumes[i].Block.Size())
		if err := layer.ReadFull(disk.Volumes[i].Block, b, 0); err != nil {
			t.Fatal(err)
		}
		return b
	}
	entries := func(b []byte, change func(e []byte)) {
		at := le64(b[vsstest.HeaderOffset+0x30:])
		for e := at + 0x80; e < at+vsstest.BlockSize; e += 0x80 {
			if b[e] == 2 {
				change(b[e:][:0x80])
			}
		}
	}
	const notGiven, empty = "is of no snapshot here: that is of a volume which was not given", "slots before others in use are empty"
	for _, c := range []struct {
		name      string
		volume    int
		spoil     func(b []byte)
		snapshots int
		recovered int
		damaged   bool
		told      []string // each so often
	}{
		{"holds the stores of another", 0, func([]byte) {}, 3, 0, false, []string{notGiven, notGiven}},
		{"has its stores elsewhere", 1, func([]byte) {}, 2, 0, true, nil},
		{"its own entries zeroed", 0, func(b []byte) { entries(b, func(e []byte) { clear(e) }) }, 3, 3, true, []string{notGiven, notGiven}},
		{"its own entries freed", 0, func(b []byte) { entries(b, func(e []byte) { clear(e); e[0] = 1 }) }, 3, 3, true, []string{notGiven, notGiven}},
		{"all its own entries zeroed", 0, func(b []byte) { clear(b[le64(b[vsstest.HeaderOffset+0x30:])+0x80*3:][:0x80*6]) }, 0, 0, false, nil},
		{"those with one behind", 0, func(b []byte) {
			at := le64(b[vsstest.HeaderOffset+0x30:]) + 0x80
			copy(b[at+0x80*7:], b[at:][:0x80])
			clear(b[at:][:0x80*7])
		}, 0, 0, true, []string{empty}},
	} {
		b := volume(c.volume)
		c.spoil(b)
		image := filepath.Join(t.TempDir(), "alone.raw")
		if err := os.WriteFile(image, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, image)
		recovered, damaged := 0, s.Volumes[0].Damage != nil
		for _, p := range s.Volumes[0].Snapshots() {
			own, through := p.Snapshot.Check()
			damaged = damaged || own != nil || through != nil
			if p.Snapshot.Recovered {
				recovered++
			}
		}
		if n := len(s.Volumes[0].Snapshots()); n != c.snapshots || recovered != c.recovered || damaged != c.damaged {
			t.Errorf("%s: %d snapshots, %d recovered, damage %v; want %d, %d, %v", c.name, n, recovered, damaged, c.snapshots, c.recovered, c.damaged)
		}
		for _, text := range c.told {
			want := 0
			for _, x := range c.told {
				if x == text {
					want++
				}
			}
			if got := strings.Count(strings.Join(s.Warnings(), "\n"), text); got != want {
				t.Errorf("%s: %q told %d times, want %d:\n%s", c.name, text, got, want, strings.Join(s.Warnings(), "\n"))
			}
		}
	}
}
