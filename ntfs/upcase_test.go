package ntfs

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// upcaseBytes is a table as $UpCase has it.
func upcaseBytes(u *upcase) []byte {
	b := make([]byte, 0, 2*len(u))
	for _, up := range u {
		b = binary.LittleEndian.AppendUint16(b, up)
	}
	return b
}

// TestDefaultUpcase compares with the $UpCase of volumes that Windows 7 to 11, and mkntfs today, have made.
func TestDefaultUpcase(t *testing.T) {
	if sum := fmt.Sprintf("%x", sha256.Sum256(upcaseBytes(defaultUpcase()))); sum != "41c26bc7a12bdaeb26025c93118697c7e3ef81ee048b00fe5cce2a472e0e0742" {
		t.Errorf("SHA-256 %s", sum)
	}
}

// withUpcase is the tiny volume with a $UpCase in clusters of its own.
func withUpcase(u *upcase) []byte {
	v := tinyVolume()
	le := binary.LittleEndian
	const clusters = 2 * 65536 / tinyCluster
	v = append(v[:64*tinyCluster], make([]byte, clusters*tinyCluster+512)...)
	copy(v[64*tinyCluster:], upcaseBytes(u))
	boot := v[:512]
	le.PutUint64(boot[0x28:], uint64(len(v)/512-1))
	copy(v[len(v)-512:], boot)
	copy(v[recordAt(recordUpcase):], encodeRecord(recordUpcase, layout.RecordInUse, 0, standard(), named(5, "$UpCase", 6),
		attr{typ: typeData, mapped: true, high: clusters - 1, size: 2 * 65536, init: 2 * 65536, pairs: []byte{0x11, clusters, 64, 0}}))
	return v
}

// TestDamagedUpcase damages $UpCase: no name opens a file of another, and each file is found by its own name.
func TestDamagedUpcase(t *testing.T) {
	older := *defaultUpcase()
	for i := 0x180; i < 0x250; i++ { // Windows XP
		older[i] = uint16(i)
	}
	fill := func(from, n int, v uint16) upcase {
		u := *defaultUpcase()
		for i := from; i < from+n; i++ {
			u[i] = v
		}
		return u
	}
	swapped := *defaultUpcase()
	copy(swapped[0:256], swapped[256:512]) // sectors at the wrong place
	late := *defaultUpcase()
	copy(late[0x5000:0x5100], late[0x400:0x500])
	bit := *defaultUpcase()
	bit['f'] ^= 1
	for name, c := range map[string]struct {
		table upcase
		sound bool
	}{
		"Windows 7": {*defaultUpcase(), true}, "Windows XP": {older, true},
		"zeros": {upcase{}, false}, "0xff": {fill(0, 65536, 0xffff), false}, "first sector": {fill(0, 256, 0), false},
		"a sector in the middle": {fill(0x400, 256, 0), false}, "the last sector": {fill(0xff00, 256, 0xffff), false},
		"a sector twice": {swapped, false}, "a late sector twice": {late, false}, "a bit": {bit, false},
	} {
		if err := c.table.check(); (err == nil) != c.sound || err != nil && !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		warnings := 0
		tree := openTiny(t, withUpcase(&c.table), &warnings)
		for path, want := range tinyFiles() {
			if got, err := readPath(tree, path); err != nil || got != want {
				t.Errorf("%s: %s: %d bytes, %v", name, path, len(got), err)
			}
		}
		for _, path := range []string{"dig", "GHI", "xxxxxx", "file.txu"} {
			if n, err := tree.Lookup(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %s leads to %v, %v", name, path, n, err)
			}
		}
		if n, err := tree.Lookup("FILE.txt"); err != nil || n.Ref.Record != recFile {
			t.Errorf("%s: in another case: %v", name, err)
		}
		if (warnings == 0) != c.sound {
			t.Errorf("%s: %d warnings", name, warnings)
		}
	}
}
