package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
)

// cutEntry takes an entry out of the first index block of the root that has it, or out of an $INDEX_ROOT, as a deletion
// would: what follows moves up.
func cutEntry(t *testing.T, node []byte, name string) {
	t.Helper()
	le := binary.LittleEndian
	end := int(le.Uint32(node[4:]))
	for at := int(le.Uint32(node)); at < end; {
		n := int(le.Uint16(node[at+8:]))
		if le.Uint16(node[at+12:])&entryLast == 0 && bytes.Equal(node[at+16+fileNameLen:][:2*int(node[at+16+64])], utf16le(name)) {
			copy(node[at:], node[at+n:end])
			le.PutUint32(node[4:], uint32(end-n))
			return
		}
		at += n
	}
	t.Fatalf("no entry %q", name)
}

// rootBlock is the index header of a block of the root.
func rootBlock(v []byte, block int) []byte {
	return v[(tinyIndex+block)*tinyCluster+24:][:tinyCluster-24]
}

// TestCensus takes entries out of indexes that are sound otherwise: with a census directories have the files all the same.
func TestCensus(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(v []byte)
		dir   string
		gone  []string // what the index alone does not tell
		never bool     // and the records do not either
	}{
		"sound":               {func([]byte) {}, "", nil, false},
		"an entry of a block": {func(v []byte) { cutEntry(t, rootBlock(v, 1), "listed") }, "", []string{"listed"}, false},
		"two entries, of both blocks": {func(v []byte) {
			cutEntry(t, rootBlock(v, 0), "big")
			cutEntry(t, rootBlock(v, 1), "listed")
		}, "", []string{"big", "listed"}, false},
		"one of two names": {func(v []byte) { cutEntry(t, rootBlock(v, 1), "file.txt") }, "", []string{"file.txt"}, false},
		"an entry of an $INDEX_ROOT": {func(v []byte) {
			cutEntry(t, v[find(t, v, recordAt(recDir), 1024, 0x30, 0, 0, 0, 1, 0, 0, 0)+16:][:512], "inner")
		}, "dir", []string{"inner"}, false},
		"free by $MFT:$BITMAP too": {func(v []byte) {
			cutEntry(t, rootBlock(v, 1), "listed")
			v[find(t, v, recordAt(0), 1024, 0x69, 0, 0, 0x7f)+recListed/8] &^= 1 << (recListed % 8)
		}, "", []string{"listed"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := tinyVolume()
			c.spoil(v)
			var said []string
			tree, err := Open(&bytesSource{v}, Options{Warn: func(err error) { said = append(said, err.Error()) }})
			if err != nil {
				t.Fatal(err)
			}
			for _, counted := range []bool{false, true} {
				if counted {
					if err := tree.QuickCensus(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				dir, err := tree.Lookup(c.dir)
				if counted || err == nil {
					checkCensus(t, dir, c.gone, counted && !c.never)
				}
			}
			if told := slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, errNoEntry.Error()) }); told != (len(c.gone) > 0 && !c.never) {
				t.Errorf("told: %q", said)
			}
		})
	}
}

// checkCensus compares a directory with what is known to be in it.
func checkCensus(t *testing.T, dir *Node, gone []string, there bool) {
	t.Helper()
	list, err := dir.Children()
	if err != nil {
		t.Error(err)
	}
	got := names(list)
	for _, name := range gone {
		n, err := dir.Child(strings.ToUpper(name))
		if slices.Contains(got, name) != there || (err == nil) != there || err != nil && (!errors.Is(err, fs.ErrNotExist) || errors.Is(err, layer.ErrCorrupt)) {
			t.Errorf("%q: in %q: want %v; by name %v, %v", name, got, there, n, err)
		}
	}
	if there && !slices.IsSortedFunc(list, func(a, b Entry) int { return strings.Compare(strings.ToUpper(a.Name), strings.ToUpper(b.Name)) }) {
		t.Errorf("order: %q", got)
	}
	for i, e := range list {
		if n, err := e.Node(); err != nil && !slices.Contains([]string{"big"}, e.Name) {
			t.Errorf("%q: %v, %v", e.Name, n, err)
		}
		if e.FromRecord != (there && slices.Contains(gone, e.Name)) || i > 0 && list[i-1].Name == e.Name {
			t.Errorf("%q: from its record: %v", e.Name, e.FromRecord)
		}
	}
	if _, err := dir.Child("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(fmt.Errorf("a name that nobody has: %w", err))
	}
}
