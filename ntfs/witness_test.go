package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// checkTiny fails unless all files of the tiny volume are there, but those lost, which must be told.
func checkTiny(t *testing.T, tree *Tree, lost ...string) {
	t.Helper()
	for path, want := range tinyFiles() {
		got, err := readPath(tree, path)
		switch isLost := slices.Contains(lost, path); {
		case isLost && !errors.Is(err, layer.ErrCorrupt):
			t.Errorf("%s: error %v, want damage", path, err)
		case !isLost && (err != nil || got != want):
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
}

// TestBootSectors damages the boot sector, in a partition that is larger than the volume by some bytes.
func TestBootSectors(t *testing.T) {
	le := binary.LittleEndian
	copyAt := len(tinyVolume()) - layout.BootSectorLen
	for _, gap := range []int{0, 512, 4096, 3 << 20} {
		for name, spoil := range map[string]func(v []byte){
			"wiped":                 func(v []byte) { clear(v[:512]) },
			"another OEM id":        func(v []byte) { copy(v[3:], "MSDOS5.0") },
			"clusters of 8 KiB":     func(v []byte) { v[0x0d] = 16 },
			"sectors of 1 KiB":      func(v []byte) { v[0x0c] = 4 },
			"records of 4 KiB":      func(v []byte) { v[0x40] = 1 },
			"$MFT elsewhere":        func(v []byte) { v[0x30] = 7 },
			"$MFT far away":         func(v []byte) { le.PutUint64(v[0x30:], 1<<60) },
			"$MFTMirr elsewhere":    func(v []byte) { v[0x38] = 9 },
			"a volume of 2^50":      func(v []byte) { le.PutUint64(v[0x28:], 1<<41) },
			"a volume of 12 KiB":    func(v []byte) { le.PutUint64(v[0x28:], 24) },
			"no size, twice":        func(v []byte) { clear(v[0x28:0x30]); clear(v[copyAt+0x28:][:8]) },
			"the copy wiped":        func(v []byte) { clear(v[copyAt:][:512]) },
			"the copy says nothing": func(v []byte) { v[copyAt+0x30] = 7 },
		} {
			v := append(tinyVolume(), make([]byte, gap)...)
			spoil(v)
			warnings := 0
			tree := openTiny(t, v, &warnings)
			checkTiny(t, tree)
			if quiet := name == "the copy wiped"; quiet != (warnings == 1) { // there is no $UpCase
				t.Errorf("%s, gap of %d: %d warnings", name, gap, warnings)
			}
			if err := Probe(&bytesSource{v}); err != nil {
				t.Errorf("%s, gap of %d: %v", name, gap, err)
			}
		}
	}
	if err := Probe(&bytesSource{make([]byte, 1<<20)}); !errors.Is(err, layer.ErrFormat) {
		t.Errorf("zeros: %v", err)
	}
	v := tinyVolume()
	clear(v[tinyMFT*tinyCluster:][:1024])
	clear(v[tinyMirror*tinyCluster:][:1024])
	if err := Probe(&bytesSource{v}); !errors.Is(err, layer.ErrFormat) {
		t.Errorf("a boot sector that leads nowhere: %v", err)
	}
}

// TestTableRecord damages the record of $MFT, and $MFTMirr.
func TestTableRecord(t *testing.T) {
	le := binary.LittleEndian
	size := []byte{0, 0xc0, 0, 0, 0, 0, 0, 0} // of $MFT: allocated, size and initialized
	for name, c := range map[string]struct {
		spoil  func(record, mirror []byte)
		silent bool
	}{
		"sound":                       {func(record, mirror []byte) {}, true},
		"runs of nonsense":            {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})] = 0x88 }, false},
		"runs elsewhere":              {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})+2] = 30 }, false},
		"runs cut":                    {func(record, _ []byte) { record[bytes.Index(record, []byte{0x11, 12, tinyMFT})+1] = 6 }, false},
		"1 TiB":                       {func(record, _ []byte) { le.PutUint64(record[bytes.Index(record, size)+8:], 1<<40) }, false},
		"1 TiB, in the mirror":        {func(_, mirror []byte) { le.PutUint64(mirror[bytes.Index(mirror, size)+8:], 1<<40) }, false},
		"1 TiB, in both":              {func(r, m []byte) { le.PutUint64(r[bytes.Index(r, size)+8:], 1<<40); copy(m, r) }, false},
		"a size of all the volume":    {func(r, m []byte) { le.PutUint64(r[bytes.Index(r, size)+8:], 1<<17); copy(m, r) }, false},
		"runs of the mirror cut":      {func(_, mirror []byte) { mirror[bytes.Index(mirror, []byte{0x11, 12, tinyMFT})+1] = 6 }, false},
		"not in use":                  {func(record, _ []byte) { record[22] = 0 }, false},
		"another record":              {func(record, _ []byte) { record[44] = 9 }, false},
		"mirror zeroed":               {func(_, mirror []byte) { clear(mirror) }, true},
		"zeroed, mirror in its place": {func(record, _ []byte) { clear(record) }, false},
	} {
		v := tinyVolume()
		c.spoil(v[tinyMFT*tinyCluster:][:1024], v[tinyMirror*tinyCluster:][:1024])
		warnings := 0
		tree := openTiny(t, v, &warnings)
		checkTiny(t, tree)
		if tree.Records() != tinyRecords || int64(tree.MFT().Size()) != tinyRecords*1024 {
			t.Errorf("%s: %d records, %d bytes", name, tree.Records(), tree.MFT().Size())
		}
		if c.silent != (warnings == 1) {
			t.Errorf("%s: %d warnings", name, warnings)
		}
	}
}

// TestSizes has sizes of a stream that its clusters contradict: what is sure is given, the rest is damage.
func TestSizes(t *testing.T) {
	le := binary.LittleEndian
	want := tinyFiles()["big"]
	for _, size := range []uint64{6*tinyCluster + 1, 9 * tinyCluster, 1 << 62} {
		v := tinyVolume()
		le.PutUint64(v[find(t, v, recordAt(recBig), 1024, 0xf7, 0x5f):], size)
		tree := openTiny(t, v, new(int))
		n, err := tree.Lookup("big")
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Stream("")
		if err != nil {
			t.Fatal(err)
		}
		const sure = 4*tinyCluster + 5 // were initialized
		b := make([]byte, sure)
		if err := layer.ReadFull(s, b, 0); err != nil || string(b) != want[:sure] {
			t.Errorf("%d bytes: what was initialized: %v", size, err)
		}
		if _, err := s.ReadAt(b[:10], sure); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%d bytes: past that: %v", size, err)
		}
	}
}

// TestRoll looks a name up among those that file records give themselves: the cost must not grow with the directory.
func TestRoll(t *testing.T) {
	tree := openTiny(t, tinyVolume(), new(int))
	root, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	list, err := root.Children()
	if err != nil {
		t.Fatal(err)
	}
	all := tree.roll().in(root.Ref.Record)
	for _, c := range list {
		if !slices.Contains(all, c.Ref.Record) {
			t.Errorf("%q: record %v is not among those in the root", c.Name, c.Ref)
		}
		for _, name := range []string{c.Name, strings.ToUpper(c.Name)} {
			if got := tree.roll().as(root.Ref.Record, tree.upcase().key(encodeUTF16(name))); !slices.Equal(got, []uint64{c.Ref.Record}) {
				t.Errorf("%q: records %d, want %d alone", name, got, c.Ref.Record)
			}
		}
	}
	if got := tree.roll().as(root.Ref.Record, tree.upcase().key(encodeUTF16("no such name"))); got != nil {
		t.Errorf("a name that nothing has: records %d", got)
	}
}
