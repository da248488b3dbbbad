package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/ntfstest"
)

// TestAttributeLists damages the attribute list of a file.
func TestAttributeLists(t *testing.T) {
	entry := func(v []byte) []byte { // the one of the extension record
		at := find(t, v, recordAt(recListed), 1024, recExtension, 0, 0, 0, 0, 0, recExtension) - 16
		return v[at:][:32]
	}
	for name, c := range map[string]struct {
		spoil func(v []byte)
		lost  []string
	}{
		"wrong id":                  {func(v []byte) { entry(v)[24] = 77 }, nil},
		"wrong VCN":                 {func(v []byte) { entry(v)[8] = 99 }, nil},
		"wrong sequence number":     {func(v []byte) { entry(v)[22] = 9 }, nil},
		"wrong record":              {func(v []byte) { entry(v)[16] = recBig }, nil},
		"entry of zeros":            {func(v []byte) { clear(entry(v)) }, nil},
		"all zeros":                 {func(v []byte) { at := bytes.Index(v, entry(v)); clear(v[at-96 : at+32]) }, nil},
		"garbage":                   {func(v []byte) { rand.NewChaCha8([32]byte{7}).Read(entry(v)[:30]) }, nil},
		"and the extension is lost": {func(v []byte) { clear(entry(v)); clear(v[recordAt(recExtension):][:1024]) }, []string{"listed"}},
		"and the base is another":   {func(v []byte) { entry(v)[24] = 77; v[recordAt(recExtension)+38]++ }, []string{"listed"}},
	} {
		v := tinyVolume()
		c.spoil(v)
		warnings := 0
		tree := openTiny(t, v, &warnings)
		checkTiny(t, tree, c.lost...)
		n, err := tree.Node(Ref{Record: recListed})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if (n.Damage != nil) != (c.lost != nil) || (warnings > 1) != (c.lost == nil) {
			t.Errorf("%s: damage %v, %d warnings", name, n.Damage, warnings)
		}
	}
	v := tinyVolume()
	entry(v)[0] = 0xe0 // which the record has not: that one is missing, and nothing else
	tree := openTiny(t, v, new(int))
	checkTiny(t, tree)
	if n, err := tree.Node(Ref{Record: recListed}); err != nil || !errors.Is(n.Damage, layer.ErrCorrupt) {
		t.Errorf("an attribute that is nowhere: %v", err)
	}
}

// An overlay is a volume with other bytes at some places.
type overlay struct {
	layer.Source
	at map[int64][]byte
}

func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.Source.ReadAt(p, off)
	for at, b := range o.at {
		if from, to := max(at, off), min(at+int64(len(b)), off+int64(n)); from < to {
			copy(p[from-off:to-off], b[from-at:])
		}
	}
	return n, err
}

// TestTableList damages the attribute list of $MFT on a volume where that is in thousands of pieces.
func TestTableList(t *testing.T) {
	f, err := os.Open(ntfstest.Frag.Build(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := layer.Section(f2{f, info.Size()}, 0, info.Size())
	sound, err := Open(whole, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := sound.geo.tableRecord(whole, sound.geo.mft)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := r.attributes()
	i := slices.IndexFunc(list, func(a attribute) bool { return a.typ == typeAttributeList })
	if i < 0 || list[i].resident {
		t.Fatal("the list of $MFT has no clusters")
	}
	value, err := sound.readAll(list[i:i+1], r.ref.String, maxAttributeList)
	if err != nil {
		t.Fatal(err)
	}
	var lcn int64
	for _, lcn = range pairs(list[i].pairs, maxVCN) {
		break
	}
	random := rand.NewChaCha8([32]byte{1})
	for name, spoil := range map[string]func(b []byte){
		"reversed": func(b []byte) {
			var entries [][]byte
			for rest := bytes.Clone(b); len(rest) > 0; {
				n := binary.LittleEndian.Uint16(rest[4:])
				entries, rest = append(entries, rest[:n]), rest[n:]
			}
			slices.Reverse(entries)
			copy(b, bytes.Join(entries, nil))
		},
		"zeros":              func(b []byte) { clear(b) },
		"garbage":            func(b []byte) { random.Read(b) },
		"zeros in the midst": func(b []byte) { clear(b[len(b)/2:]) },
		"wrong VCNs": func(b []byte) {
			for at := 0; at < len(b); at += int(binary.LittleEndian.Uint16(b[at+4:])) {
				b[at+9] ^= 0x55
			}
		},
	} {
		b := bytes.Clone(value)
		spoil(b)
		warnings := 0
		tree, err := Open(&overlay{whole, map[int64][]byte{lcn * int64(sound.geo.cluster): b}}, Options{Warn: func(err error) {
			if warnings++; warnings < 3 {
				t.Logf("%s: %v", name, err)
			}
		}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tree.Records() != sound.Records() || !slices.Equal(tree.mft.runs.runs, sound.mft.runs.runs) {
			t.Errorf("%s: %d records of %d", name, tree.Records(), sound.Records())
		}
		if warnings == 0 && name != "reversed" && name != "wrong VCNs" {
			t.Errorf("%s: not told", name)
		}
	}
}

// f2 is a file as a Source.
type f2 struct {
	*os.File
	size int64
}

func (f f2) Size() int64 { return f.size }
