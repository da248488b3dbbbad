package points_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/mount/points"
)

// TestDrives reads letters of drives on a disk of two volumes, of which the second has a system.
func TestDrives(t *testing.T) {
	parts := []string{
		outer(t, "8M", func(dir string) { touch(t, dir+"/Users/ann.txt", dir+"/both.txt", dir+"/only data.txt") }),
		outer(t, "8M", func(dir string) { touch(t, dir+"/Windows/System32/x.dll", dir+"/both.txt") }),
	}
	disk := make([]byte, 20<<20)
	for i, name := range parts {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		entry := disk[446+16*i:]
		entry[4] = 7
		binary.LittleEndian.PutUint32(entry[8:], uint32(2048+i*16384))
		binary.LittleEndian.PutUint32(entry[12:], 16384)
		copy(disk[1<<20+i*8<<20:], b)
	}
	disk[510], disk[511] = 0x55, 0xaa
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(image, disk, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct{ rest, volume, note string }{
		{`:C:\both.txt`, "p2", `which has \Windows\System32`},
		{`:c:/Windows`, "p2", "C: is taken for p2"},
		{`:D:\both.txt`, "p1", ""}, // C: is the other
		{`:D:\Users\ann.txt`, "p1", "the only volume that has the path"},
		{`:C:\only data.txt`, "p1", "the only volume that has the path"},
		{`:2:\both.txt`, "p2", ""},
		{`:C:\none`, "", ""},
	} {
		at, err := s.Resolve(s.Images[0], c.rest)
		if c.volume == "" {
			if !points.Absent(err) {
				t.Errorf("%s: %v, %v", c.rest, at, err)
			}
			continue
		}
		if err != nil || at.Volume.OwnName() != c.volume || !strings.Contains(at.Note, c.note) {
			t.Errorf("%s: %v, %q, want %s and %q", c.rest, err, at.Note, c.volume, c.note)
		}
	}
}

func touch(t *testing.T, names ...string) {
	for _, name := range names {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
