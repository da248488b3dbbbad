package ntfs

import (
	"encoding/binary"
	"errors"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// TestRecordUse has one of the witnesses of a record's use speak against the others: its flag, its sequence number,
// $MFT:$BITMAP and the index of its directory. One is outvoted, or the use is not known, and told.
func TestRecordUse(t *testing.T) {
	flag := func(v []byte, number int) { v[recordAt(number)+22] ^= layout.RecordInUse }
	bit := func(v []byte, number int) {
		v[find(t, v, recordAt(0), 1024, 0x69, 0, 0, 0x7f)+number/8] ^= 1 << (number % 8)
	}
	seq := func(v []byte, number int) { v[recordAt(number)+16]++ }
	entry := func(v []byte, _ int) { copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(0, nil, -1))) }
	for name, c := range map[string]struct {
		spoil []func(v []byte, number int)
		want  RecordState
	}{
		"sound":                           {nil, RecordInUse},
		"the flag":                        {[]func([]byte, int){flag}, RecordUnknown},
		"the flag and the bit":            {[]func([]byte, int){flag, bit}, RecordFree},
		"deleted, the bit behind":         {[]func([]byte, int){flag, seq, entry}, RecordFree},
		"deleted":                         {[]func([]byte, int){flag, seq, entry, bit}, RecordFree},
		"the bit":                         {[]func([]byte, int){bit}, RecordInUse},
		"in use by the flag alone":        {[]func([]byte, int){bit, entry}, RecordUnknown},
		"in use, in no directory's index": {[]func([]byte, int){entry}, RecordInUse},
	} {
		v := tinyVolume()
		for _, f := range c.spoil {
			f(v, recBig)
		}
		tree := openTiny(t, v, new(int))
		if got, err := tree.RecordState(recBig, nil); got != c.want || (err != nil) != (got == RecordUnknown) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
		deleted, failed := false, false
		for n, err := range tree.Deleted() {
			deleted = deleted || err == nil && n.Ref.Record == recBig
			failed = failed || err != nil
		}
		if deleted != (c.want == RecordFree) || failed != (name == "the flag") {
			t.Errorf("%s: deleted %v, failed %v", name, deleted, failed)
		}
		used, failed := false, false
		for n, err := range tree.Nodes() {
			used = used || err == nil && n.Ref.Record == recBig
			failed = failed || err != nil
		}
		if used != (c.want == RecordInUse) || failed != (name == "in use by the flag alone") {
			t.Errorf("%s: in use %v, failed %v", name, used, failed)
		}
	}
}

// TestExtensionWitness makes files extensions by their headers, and an extension a file: the content of a record says what
// it is.
func TestExtensionWitness(t *testing.T) {
	le := binary.LittleEndian
	v := tinyVolume()
	le.PutUint64(v[recordAt(recBig)+32:], tinyRef(recDir))
	if n, err := openTiny(t, v, new(int)).Node(Ref{Record: recBig}); !errors.Is(err, errExtends) || !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("a file with a base: %v, %v", n, err)
	}
	v = tinyVolume()
	le.PutUint64(v[recordAt(recExtension)+32:], 0)
	if n, err := openTiny(t, v, new(int)).Node(Ref{Record: recExtension}); err != nil || !errors.Is(n.Damage, layer.ErrCorrupt) {
		t.Errorf("an extension without a base: %v, %v", n, err)
	}
}

// TestAttributeTypes makes an attribute one of a type that there is not: what it was is missing, and told.
func TestAttributeTypes(t *testing.T) {
	for in, b := range map[int]byte{0: 0x83, 2: 0x03, 3: 0x40} {
		v := tinyVolume()
		v[find(t, v, recordAt(recFile), 1024, typeData, 0, 0, 0)+in] = b
		if n, err := openTiny(t, v, new(int)).Node(Ref{Record: recFile}); err != nil || !errors.Is(n.Damage, layer.ErrCorrupt) {
			t.Errorf("byte %d is 0x%x: %v, %v", in, b, n, err)
		}
	}
}

// TestDirectoryWitness changes the flag that says directory: the name and the index say it, too.
func TestDirectoryWitness(t *testing.T) {
	for number, want := range map[int]Kind{recDir: KindDir, recBig: KindFile} {
		v := tinyVolume()
		v[recordAt(number)+22] ^= layout.RecordDirectory
		warnings := 0
		tree := openTiny(t, v, &warnings)
		warnings = 0
		if n, err := tree.Node(Ref{Record: uint64(number)}); err != nil || n.Kind != want || n.Damage != nil || warnings == 0 {
			t.Errorf("record %d: %v, %v, %d warnings, want %v", number, n, err, warnings, want)
		}
		checkTiny(t, tree)
	}
}

// TestConfirm has the record of a file and the entry of its directory contradict each other.
func TestConfirm(t *testing.T) {
	for name, c := range map[string]struct {
		number int
		spoil  func(v []byte)
		sound  bool
	}{
		"sound":                   {recFile, func([]byte) {}, true},
		"below a directory":       {recInner, func([]byte) {}, true},
		"another sequence number": {recFile, func(v []byte) { v[recordAt(recFile)+16]++ }, false},
		"another name":            {recFile, func(v []byte) { v[find(t, v, recordAt(recFile), 1024, 'f', 0, 'i', 0, 'l', 0, 'e', 0)]++ }, false},
		"another directory": {recInner, func(v []byte) {
			copy(v[find(t, v, recordAt(recInner), 1024, recDir, 0, 0, 0, 0, 0, recDir, 0):], "\x05\x00\x00\x00\x00\x00\x05\x00")
		}, false},
		"its directory not there":   {recInner, func(v []byte) { clear(v[recordAt(recDir):][:1024]) }, true},
		"an index that is damaged":  {recFile, func(v []byte) { clear(v[tinyIndex*tinyCluster:][:2*tinyCluster]) }, true},
		"an index without the name": {recBig, func(v []byte) { copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(0, nil, -1))) }, false},
	} {
		v := tinyVolume()
		c.spoil(v)
		n, err := openTiny(t, v, new(int)).Node(Ref{Record: uint64(c.number)})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Confirm(); (err == nil) != c.sound || err != nil && !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
