package points_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// tableLost writes the demo disk as edit leaves it.
func tableLost(t *testing.T, edit func(disk []byte)) string {
	t.Helper()
	s := open(t, demo(t))
	b := make([]byte, s.Images[0].Disk.Size())
	if err := layer.ReadFull(s.Images[0].Disk, b, 0); err != nil {
		t.Fatal(err)
	}
	edit(b)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	firstVolume  = 1 << 20
	secondVolume = firstVolume + 32<<20
	secondEnd    = secondVolume + 24<<20
)

// TestLostTable has all files at all points of a disk whose table is lost.
func TestLostTable(t *testing.T) {
	want := manifest(t)
	for name, edit := range map[string]func(b []byte){
		"cleaned":                      func(b []byte) { clear(b[:1<<20]); clear(b[len(b)-1<<20:]) },
		"MBR without entries":          func(b []byte) { clear(b[:1<<20]); b[510], b[511] = 0x55, 0xaa; clear(b[secondEnd:]) },
		"boot sector of another use":   func(b []byte) { clear(b[512 : 1<<20]); copy(b, b[firstVolume:][:512]); b[0x30]++; clear(b[secondEnd:]) },
		"boot sectors of volumes lost": func(b []byte) { clear(b[:firstVolume+512]); clear(b[secondVolume:][:512]); clear(b[secondEnd:]) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tableLost(t, edit))
			if len(s.Volumes) != 2 || s.Volumes[0].Partition.Number != 1 || s.Volumes[1].Name != "p2-Archive" {
				t.Fatalf("%d volumes, warned %q", len(s.Volumes), s.Warnings())
			}
			for _, v := range s.Volumes {
				for i, p := range v.Snapshots() {
					if got := contents(t, p); len(got) == 0 || !maps.Equal(got, want[v.Label][fmt.Sprintf("vss%d", i+1)]) {
						t.Errorf("%s@%s: %d files differ", v.Name, p.Name, len(got))
					}
				}
			}
			if told := fmt.Sprint(s.Warnings()); !strings.Contains(told, "partition 2 is in no table") {
				t.Errorf("warned %s", told)
			}
			found, err := s.Scan(t.Context(), s.Images[0])
			if err != nil {
				t.Fatal(err)
			}
			var open []*points.Volume
			for i, v := range found.Volumes {
				if v != nil && found.Found[i].Sound && found.Found[i].Outer < 0 {
					open = append(open, v)
				}
			}
			if len(open) != 2 || open[0] != s.Volumes[0] || open[1] != s.Volumes[1] {
				t.Errorf("a scan found %d of the volumes", len(open))
			}
		})
	}
}

// TestReadable tells what cannot be shown at all from what can in part.
func TestReadable(t *testing.T) {
	records := func(b []byte, volume int) { clear(b[volume+0x2000 : volume+0x8000]) } // $MFTMirr and the begin of $MFT
	for _, c := range []struct {
		name string
		edit func(b []byte)
		err  error // nil where something can be shown
	}{
		{"whole", func([]byte) {}, nil},
		{"one of two volumes lost", func(b []byte) { clear(b[firstVolume:secondVolume]) }, nil},
		{"current state lost, snapshots there", func(b []byte) { records(b, firstVolume); clear(b[secondVolume:secondEnd]) }, nil},
		{"nothing there", func(b []byte) { clear(b[firstVolume:secondEnd]) }, layer.ErrCorrupt},
		{"boot sectors alone", func(b []byte) { clear(b[firstVolume+512 : secondVolume]); clear(b[secondVolume+512 : secondEnd]) }, layer.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := open(t, tableLost(t, c.edit)).Readable()
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if c.err == layer.ErrCorrupt && !strings.Contains(err.Error(), "p1") {
				t.Errorf("error %v, want which volume cannot be opened", err)
			}
		})
	}
}
