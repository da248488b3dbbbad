package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"snapmount/ntfs/layout"
)

// TestLostRecords damages file records that are in use, and free ones.
func TestLostRecords(t *testing.T) {
	zero := func(from, n int) func(v []byte, number int) {
		return func(v []byte, number int) { clear(v[recordAt(number)+from:][:n]) }
	}
	free := func(v []byte, number int) { // by $MFT:$BITMAP
		v[find(t, v, recordAt(0), 1024, 0x69, 0, 0, 0x7f)+number/8] &^= 1 << (number % 8)
	}
	for name, c := range map[string]struct {
		number int
		spoil  func(v []byte, number int)
		names  []Name
		want   RecordState
	}{
		"sound":                     {recBig, func([]byte, int) {}, nil, RecordInUse},
		"free":                      {40, func([]byte, int) {}, nil, RecordFree},
		"zeros":                     {recBig, zero(0, 1024), nil, RecordLost},
		"the first half zeros":      {recBig, zero(0, 512), nil, RecordLost},
		"the second half zeros":     {recBig, zero(512, 512), nil, RecordLost},
		"the header zeros":          {recBig, zero(0, 24), nil, RecordLost},
		"4 KiB of zeros":            {recBig, func(v []byte, n int) { clear(v[recordAt(n&^3):][:4096]) }, nil, RecordLost},
		"zeros while free":          {40, zero(0, 1024), nil, RecordFree},
		"garbage while free":        {40, func(v []byte, n int) { copy(v[recordAt(n):], "garbage") }, nil, RecordUnknown},
		"free, with an entry":       {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, []Name{{Parent: Ref{5, 5}, Name: "big"}}, RecordLost},
		"free, with another entry":  {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, []Name{{Parent: Ref{5, 5}, Name: "file.txt"}}, RecordFree},
		"free, with a child":        {recDir, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, nil, RecordLost},
		"free, with an extension":   {recListed, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, n) }, nil, RecordLost},
		"zeros without the $BITMAP": {recBig, func(v []byte, n int) { zero(0, 1024)(v, n); free(v, 0) }, nil, RecordUnknown},
	} {
		v := tinyVolume()
		c.spoil(v, c.number)
		tree := openTiny(t, v, new(int))
		got, err := tree.RecordState(uint64(c.number), c.names)
		if got != c.want || (err != nil) != (got == RecordLost || got == RecordUnknown) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
		n, err := tree.NodeByNumber(uint64(c.number))
		if (err == nil) != (c.want == RecordInUse) || errors.Is(err, fs.ErrNotExist) != (c.want == RecordFree && c.names == nil) && c.names == nil {
			t.Errorf("%s: node %v, %v", name, n, err)
		}
	}
}

// TestUnreached takes files out of reach in several ways.
func TestUnreached(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		spoil func(v []byte)
		want  string
		fails bool
	}{
		"sound": {func([]byte) {}, "[]", false},
		"another parent": {func(v []byte) {
			le.PutUint64(v[find(t, v, recordAt(recInner), 1024, recDir, 0, 0, 0, 0, 0, recDir, 0):], tinyRef(recBig))
		}, "[]", false}, // the index leads there
		"no entry": {func(v []byte) {
			copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(0, nil, -1)))
		}, "[25 big]", false},
		"a directory without an entry": {func(v []byte) {
			copy(v[recordAt(5):], encodeRecord(5, layout.RecordInUse|layout.RecordDirectory, 0, standard(), named(5, ".", attrIndexed),
				indexRoot(encodeEntry(0, nil, -1))))
		}, "[24 file.txt 25 big 26 dir 27 junction 28 listed]", false},
		"the directory's record lost": {func(v []byte) { clear(v[recordAt(recDir):][:1024]) }, "[30 inner]", true},
		"the directory reused":        {func(v []byte) { v[recordAt(recDir)+16]++ }, "[26 dir]", false}, // whose index still leads to what was in it
	} {
		v := tinyVolume()
		c.spoil(v)
		list, err := openTiny(t, v, new(int)).Unreached(t.Context())
		var got []string
		for _, s := range list {
			got = append(got, fmt.Sprint(s.Node.Ref.Record, " ", s.Name))
		}
		if fmt.Sprint(got) != c.want || (err != nil) != c.fails {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
}

// TestIndexAndRecord has index entries and file records that contradict each other.
func TestIndexAndRecord(t *testing.T) {
	le := binary.LittleEndian
	entry := func(v []byte, name string) []byte {
		return v[find(t, v, (tinyIndex+1)*tinyCluster, 4096, utf16le(name)...)-66-16:]
	}
	rename := func(v []byte, number int, from, to string) {
		copy(v[find(t, v, recordAt(number), 1024, utf16le(from)...):], utf16le(to))
	}
	for name, c := range map[string]struct {
		spoil func(v []byte)
		lost  []string
	}{
		"a letter in the record":            {func(v []byte) { rename(v, recListed, "listed", "lister") }, nil},
		"a letter in a record of two names": {func(v []byte) { rename(v, recFile, "file.txt", "gile.txt") }, nil},
		"an entry with another's reference": {func(v []byte) { le.PutUint64(entry(v, "listed"), tinyRef(recBig)) }, nil},
		"two entries exchanged": {func(v []byte) {
			a, b := entry(v, "listed"), entry(v, "file.txt")
			x := bytes.Clone(a[:8])
			copy(a[:8], b[:8])
			copy(b, x)
		}, nil},
		"a stale entry":                      {func(v []byte) { v[recordAt(recListed)+16]++; v[recordAt(recExtension)+38]++ }, []string{"listed"}},
		"an entry of a file that is deleted": {func(v []byte) { v[recordAt(recListed)+22] = 0 }, []string{"listed"}},
		"an entry with a letter, of another": {func(v []byte) {
			rename(v, recListed, "listed", "lister")
			le.PutUint64(entry(v, "listed"), tinyRef(recBig))
		}, []string{"listed"}},
	} {
		v := tinyVolume()
		c.spoil(v)
		t.Log(name)
		checkTiny(t, openTiny(t, v, new(int)), c.lost...)
	}
}

// TestLostIndex takes away an index, and records too: what neither tells is not said to be missing.
func TestLostIndex(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(v []byte)
		fails bool
	}{
		"both blocks":                {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]) }, false},
		"$BITMAP of zeros":           {func(v []byte) { v[find(t, v, recordAt(5), 1024, 3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)] = 0 }, false},
		"too small":                  {func(v []byte) { v[find(t, v, recordAt(5), 1024, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x20)+9] = 0x10 }, false},
		"size of zero":               {func(v []byte) { clear(v[find(t, v, recordAt(5), 1024, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x20):][:16]) }, false},
		"a block and a record":       {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]); clear(v[recordAt(recBig):][:1024]) }, true},
		"a block, and a record torn": {func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]); v[recordAt(recBig)+510]++ }, true},
	} {
		v := tinyVolume()
		c.spoil(v)
		tree := openTiny(t, v, new(int))
		root, err := tree.Root()
		if err != nil {
			t.Fatal(err)
		}
		list, err := root.Children()
		want := slices.Clone(tinyRoot)
		if c.fails {
			want = want[1:] // but "big"
		}
		if got := names(list); !slices.Equal(got, want) || (err != nil) != c.fails {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if _, err := root.Child("big"); (err != nil) != c.fails || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the file of the record: %v", name, err)
		}
		if _, err := root.Child("other"); errors.Is(err, fs.ErrNotExist) == c.fails {
			t.Errorf("%s: a file that no record has: %v", name, err)
		}
	}
}
