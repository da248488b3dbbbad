package imagefmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
)

// TestPartNames joins parts by all kinds of names, and leaves alone what only looks like one.
func TestPartNames(t *testing.T) {
	want := layertest.Mixed(4, 5000, 3)
	boot := append(bytes.Repeat([]byte{1}, 510), 0x55, 0xaa)
	for _, c := range []struct {
		first string
		name  func(i int) string
		split bool
	}{
		{"disk.img.part00", func(i int) string { return fmt.Sprintf("disk.img.part%02d", i) }, true},
		{"disk.PART1", func(i int) string { return fmt.Sprintf("disk.PART%d", i+1) }, true},
		{"disk_001", func(i int) string { return fmt.Sprintf("disk_%03d", i+1) }, true},
		{"disk_000", func(i int) string { return fmt.Sprintf("disk_%03d", i) }, true},
		{"disk.A00", func(i int) string { return fmt.Sprintf("disk.A%02d", i) }, true},
		{"disk.A01", func(i int) string { return fmt.Sprintf("disk.A%02d", i+1) }, true},
		{"disk_1", func(i int) string { return fmt.Sprintf("disk_%d", i+1) }, false},
		{"disk.1", func(i int) string { return fmt.Sprintf("disk.%d", i+1) }, false},
		{"sda1", func(i int) string { return fmt.Sprintf("sda%d", i+1) }, false},
	} {
		files := make(map[string][]byte)
		for i := range 13 {
			files[c.name(i)] = want[i*400 : min(len(want), i*400+400)]
		}
		files[c.name(12)] = want[12*400:]
		img := open(t, filepath.Join(folder(t, files), c.first))
		if got := imagetest.Content(t, img); bytes.Equal(got, want) != c.split || strings.HasPrefix(img.Format(), "split") != c.split {
			t.Errorf("%s: %s of %d bytes", c.first, img.Format(), len(got))
		}
	}
	for _, name := range []string{"vm_001", "vm.part1"} {
		var warned []string
		dir := folder(t, map[string][]byte{name: boot, strings.Replace(name, "1", "2", 1): boot})
		img, err := imagefmt.Open(filepath.Join(dir, name), imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }})
		if err != nil {
			t.Fatal(err)
		}
		if img.Close(); img.Size() != 512 || len(warned) != 1 || !strings.Contains(warned[0], "--part") {
			t.Errorf("two disks called %s: %d bytes, warned %q", name, img.Size(), warned)
		}
	}
}

// TestLettersAfterA99 counts on with B00.
func TestLettersAfterA99(t *testing.T) {
	files := make(map[string][]byte)
	for i := range 130 {
		files[fmt.Sprintf("d.%c%02d", 'A'+i/100, i%100)] = []byte{byte(i)}
	}
	if b := imagetest.Content(t, open(t, filepath.Join(folder(t, files), "d.A00"))); len(b) != 130 || b[129] != 129 {
		t.Errorf("%d bytes", len(b))
	}
}

// TestGivenParts joins what the user names, wherever it lies.
func TestGivenParts(t *testing.T) {
	root := folder(t, map[string][]byte{"a/one": []byte("abcd"), "b/two": []byte("efgh"), "c/three": []byte("ij"), "c/long": []byte("0123456789")})
	in := func(name string) string { return filepath.Join(root, name) }
	img, err := imagefmt.Open(in("a/one"), imagefmt.Options{Parts: []string{in("b/two"), in("c/three")}})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if b := imagetest.Content(t, img); string(b) != "abcdefghij" || !slices.Equal(img.Files(), []string{in("a/one"), in("b/two"), in("c/three")}) {
		t.Errorf("%q of %q", b, img.Files())
	}
	for _, parts := range [][]string{{in("c/long"), in("c/three")}, {in("b/two"), in("b/two")}, {in("nowhere")}, {in("b")}} {
		if img, err := imagefmt.Open(in("a/one"), imagefmt.Options{Parts: parts}); err == nil {
			img.Close()
			t.Errorf("%q were joined", parts)
		}
	}
}

// TestUnevenParts has a part that is short, and one that is missing.
func TestUnevenParts(t *testing.T) {
	want := layertest.Mixed(5, 10_000, 3)
	for _, c := range []struct {
		name  string
		short map[int]int // of a part: how long it is, -1 for missing
		lost  []int       // first and end
		fault string
	}{
		{"whole", nil, nil, ""},
		{"short", map[int]int{2: 700}, []int{2700, 3000}, "part d.003 has 0x2bc bytes, want 0x3e8"},
		{"missing", map[int]int{4: -1}, []int{4000, 5000}, "part d.005 is missing: 0x3e8 bytes at 0xfa0"},
	} {
		files := make(map[string][]byte)
		for i := range 10 {
			part := want[i*1000:][:1000]
			if n, ok := c.short[i]; ok && n < 0 {
				continue
			} else if ok {
				part = part[:n]
			}
			files[fmt.Sprintf("d.%03d", i+1)] = part
		}
		img := open(t, filepath.Join(folder(t, files), "d.001"))
		if f := img.Faults(); (len(f) > 0) != (c.fault != "") || len(f) > 0 && !strings.Contains(f[0].Error(), c.fault) {
			t.Errorf("%s: faults %v, want %q", c.name, f, c.fault)
		}
		p := make([]byte, 1)
		for off := range want {
			_, err := img.ReadAt(p, int64(off))
			if lost := c.lost != nil && off >= c.lost[0] && off < c.lost[1]; lost != layer.IsMissing(err) || !lost && (err != nil || p[0] != want[off]) {
				t.Fatalf("%s: at %d: 0x%x, %v", c.name, off, p[0], err)
			}
		}
	}
}

// TestMapBeside finds what ddrescue wrote beside an image.
func TestMapBeside(t *testing.T) {
	want := layertest.Mixed(6, 4096, 3)
	text := []byte("# Mapfile\n0x0 + 1\n0 1024 +\n1024 512 -\n1536 2560 +\n")
	short := []byte("# Mapfile\n0x0 + 1\n0 1024 +\n1024 512 -\n")
	for _, c := range []struct {
		image, name string
		text        []byte
		given, used bool
		warned      string
	}{
		{"disk.dd", "disk.dd.map", text, false, true, "disk.dd.map, the map of ddrescue, 0x200 bytes in 1 ranges were not read"},
		{"disk.dd", "disk.mapfile", text, false, true, "0x200 bytes"},
		{"disk.dd", "disk.dd.log", text, false, true, "0x200 bytes"},
		{"disk.dd", "disk.map", []byte("0x0 +\n0 4096 +\n"), false, false, "all of the disk was read"},
		{"disk.dd", "disk.map", short, false, false, "ends at 0x600 and the image at 0x1000: not used"},
		{"disk.dd", "disk.dd.log", []byte("acquired at noon\n"), false, false, ""},
		{"disk.dd", "disk.map", want, false, false, ""},
		{"disk.dd", "other.map", text, false, false, ""},
		{"disk.dd", "other.map", text, true, true, "0x200 bytes"},
	} {
		dir := folder(t, map[string][]byte{c.image: want, c.name: c.text})
		var warned []string
		opts := imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }}
		if c.given {
			opts.Map = filepath.Join(dir, c.name)
		}
		img, err := imagefmt.Open(filepath.Join(dir, c.image), opts)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		_, err = img.ReadAt(got, 0)
		unknown, _ := errors.AsType[*layer.UnknownError](err)
		if all := strings.Join(warned, "; "); !strings.Contains(all, c.warned) || (all == "") != (c.warned == "") || c.used != (unknown != nil && unknown.Why == layer.NotAcquired && unknown.Off == 1024) ||
			c.used != (len(img.Faults()) == 1) || !c.used && !bytes.Equal(got, want) {
			t.Errorf("%s: warned %q, faults %v, %v", c.name, all, img.Faults(), err)
		}
		if n, err := layer.Read(img, got, 0, layer.Zeros); c.used && (n != len(got) || err != nil || !bytes.Equal(got[1024:1536], make([]byte, 512)) || !bytes.Equal(got[1536:], want[1536:])) {
			t.Errorf("%s: with zeros: %d, %v", c.name, n, err)
		}
		img.Close()
	}
	dir := folder(t, map[string][]byte{"a.qcow2": qcow("", ""), "a.raw": want, "short": short, "no": []byte("no")})
	for name, with := range map[string]string{"a.qcow2": "short", "a.raw": "short", "a.raw ": "no", "a.raw  ": "nowhere"} {
		img, err := imagefmt.Open(filepath.Join(dir, strings.TrimSpace(name)), imagefmt.Options{Map: filepath.Join(dir, with)})
		if err == nil {
			img.Close()
			t.Errorf("%s with the map %s was opened", name, with)
		}
	}
}
