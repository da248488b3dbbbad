package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// removedEntry is an index entry of the tiny volume's root, with times.
func removedEntry(target int, name string) []byte {
	key := encodeName(5, name, 0, NamespaceWin32s)
	for i := range 4 {
		binary.LittleEndian.PutUint64(key[8+8*i:], uint64(130000000000000001+i))
	}
	binary.LittleEndian.PutUint64(key[40:], 4096)
	binary.LittleEndian.PutUint64(key[48:], 77)
	key[56] = byte(AttrArchive)
	return encodeEntry(target, key, -1)
}

// slackBlock is an index block with entries, and removed ones from a given place on.
func slackBlock(vcn uint64, at int, removed []byte, entries ...[]byte) []byte {
	b := make([]byte, 4096)
	copy(b, "INDX")
	binary.LittleEndian.PutUint64(b[16:], vcn)
	copy(b[24:], encodeNode(40, entries...))
	copy(b[at:], removed)
	protect(b, 40)
	return b
}

// TestSlack puts removed entries in the unused parts of the tiny volume's root.
func TestSlack(t *testing.T) {
	live := removedEntry(recBig, "big")
	last := encodeEntry(0, nil, -1)
	gone := removedEntry(40, "gone")
	at := 24 + 40 + len(live) + len(last)
	block := func(n int) int { return (tinyIndex + n) * tinyCluster }
	entry := SlackEntry{Name: "gone", Ref: Ref{40, 40}, Namespace: NamespaceWin32s, Attr: AttrArchive, Size: 77, Allocated: 4096,
		Times: Times{130000000000000001, 130000000000000002, 130000000000000003, 130000000000000004}}
	in := func(block int64, off int) SlackEntry {
		e := entry
		e.Block, e.Offset = block, off
		return e
	}
	moved := SlackEntry{Name: "big", Ref: Ref{recBig, recBig}, Namespace: NamespaceWin32s, Attr: AttrArchive, Size: 77, Allocated: 4096,
		Times: entry.Times, Block: 0, Offset: 2000, Live: true}
	unused := func(v []byte) { v[find(t, v, recordAt(5), 1024, 3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255)] = 1 }
	for _, c := range []struct {
		name  string
		spoil func(v []byte)
		want  []SlackEntry
		err   bool
	}{
		{"nothing", func(v []byte) {}, nil, false},
		{"behind the last", func(v []byte) { copy(v[block(0):], slackBlock(0, at, gone, live, last)) }, []SlackEntry{in(0, at)}, false},
		{"after what is left of another", func(v []byte) {
			copy(v[block(0):], slackBlock(0, at, append(bytes.Clone(gone[16:]), gone...), live, last))
		},
			[]SlackEntry{in(0, at+len(gone)-16)}, false},
		{"over a protected word", func(v []byte) { copy(v[block(0):], slackBlock(0, 1000-24, gone, live, last)) }, []SlackEntry{in(0, 1000-24)}, false},
		{"at the end", func(v []byte) { copy(v[block(0):], slackBlock(0, 4096-len(gone), gone, live, last)) }, []SlackEntry{in(0, 4096-len(gone))}, false},
		{"not aligned", func(v []byte) { copy(v[block(0):], slackBlock(0, 2004, gone, live, last)) }, nil, false},
		{"moved", func(v []byte) { copy(v[block(0):], slackBlock(0, 2000, live, live, last)) }, []SlackEntry{moved}, false},
		{"block not in use", func(v []byte) {
			unused(v)
			copy(v[block(1):], slackBlock(1, 3000, gone, gone, last))
		}, []SlackEntry{in(1, 64), in(1, 3000)}, false},
		{"block never used", func(v []byte) { unused(v); clear(v[block(1):][:4096]) }, nil, false},
		{"block torn", func(v []byte) {
			copy(v[block(0):], slackBlock(0, at, gone, live, last))
			v[block(1)+510]++
		}, []SlackEntry{in(0, at)}, true},
		{"index root", func(v []byte) {
			root := slices.Concat(indexRoot(encodeEntry(recDir, encodeName(5, "dir", attrIndexed, 0), 0), encodeEntry(0, nil, 1)).value, gone)
			copy(v[recordAt(5):], encodeRecord(5, layout.RecordInUse|layout.RecordDirectory, 0, standard(), attr{typ: typeIndexRoot, name: "$I30", value: root},
				attr{typ: typeIndexAllocation, name: "$I30", mapped: true, high: 1, size: 8192, init: 8192, pairs: []byte{0x11, 2, tinyIndex, 0}},
				attr{typ: typeBitmap, name: "$I30", value: []byte{3, 0, 0, 0, 0, 0, 0, 0}}))
		}, []SlackEntry{in(-1, 16+16+96+24)}, false},
	} {
		v := tinyVolume()
		c.spoil(v)
		warnings := 0
		root, err := openTiny(t, v, &warnings).Root()
		if err != nil {
			t.Fatal(err)
		}
		got, err := root.Slack()
		if fmt.Sprint(got) != fmt.Sprint(c.want) || c.err != (err != nil) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}

// TestSlackNoise changes one field of a removed entry at a time to what makes it none of this directory.
func TestSlackNoise(t *testing.T) {
	good := removedEntry(40, "gone")
	s := slack{d: &directory{t: &Tree{records: tinyRecords}}, self: Ref{5, 5}}
	if s.search(append(bytes.Clone(good), make([]byte, 100)...), 0, 0); len(s.out) != 1 {
		t.Fatalf("%+v", s.out)
	}
	for _, c := range []struct {
		what  string
		off   int
		value byte
	}{
		{"record past the $MFT", 1, 9}, {"size", 8, good[8] + 8}, {"key length", 10, good[10] + 1}, {"last", 12, entryLast}, {"flags", 13, 1},
		{"parent", 16, 6}, {"parent's sequence", 22, 6}, {"time", 16 + 15, 0x80}, {"time in year 10000", 16 + 15, 0x25}, {"allocated", 16 + 47, 0x80}, {"size 2^63", 16 + 55, 0x80},
		{"attribute", 16 + 58, 0x80}, {"name length", 16 + 64, 3}, {"name length 0", 16 + 64, 0}, {"namespace", 16 + 65, 4}, {"slash", 16 + 66, '/'}, {"NUL", 16 + 66, 0},
	} {
		b := append(bytes.Clone(good), make([]byte, 100)...)
		b[c.off] = c.value
		s.out = nil
		if s.search(b, 0, 0); len(s.out) != 0 {
			t.Errorf("%s: %+v", c.what, s.out)
		}
	}
	s.out = nil
	for n := range good {
		if s.search(good[:n], 0, 0); len(s.out) != 0 {
			t.Errorf("cut to %d bytes: %+v", n, s.out)
		}
	}
}

func FuzzSlack(f *testing.F) {
	f.Add(slackBlock(0, 200, removedEntry(40, "gone"), encodeEntry(0, nil, -1))[24:])
	f.Add(append(removedEntry(1, "x")[40:], removedEntry(2, "y")...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxIndexBlock {
			return
		}
		s := slack{d: &directory{t: &Tree{records: 1 << 20}}, self: Ref{5, 5}}
		s.search(b, 0, 0)
		end := 0
		for _, e := range s.out {
			if e.Offset < end || e.Offset%8 != 0 || e.Name == "" || e.Size < 0 || e.Allocated < 0 {
				t.Fatalf("%+v after 0x%x", e, end)
			}
			end = e.Offset + 16 + fileNameLen
		}
		if end > len(b) {
			t.Fatalf("an entry to 0x%x of 0x%x", end, len(b))
		}
	})
}

func restart(flags, inUse uint16) []byte {
	b := numbered(4096)
	le := binary.LittleEndian
	copy(b, "RSTR")
	le.PutUint32(b[16:], 4096)
	le.PutUint32(b[20:], 512)
	le.PutUint16(b[24:], 0x30)
	le.PutUint16(b[0x30+8:], 2)
	le.PutUint16(b[0x30+12:], inUse)
	le.PutUint16(b[0x30+14:], flags)
	protect(b, 0x60)
	return b
}

func TestDecodeRestart(t *testing.T) {
	want := LogState{Clean: true, Major: 0x1e1d, Minor: 0x1c1b, CurrentLSN: 0x3837363534333231, PageSize: 4096, RecordPageSize: 512, Size: 0x504f4e4d4c4b4a49}
	got, err := decodeRestart(restart(restartClean, 1), 0)
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	b := restart(0, 1)
	copy(b, "CHKD")
	want.Clean, want.Checked = false, true
	if got, err := decodeRestart(b, 0); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for what, change := range map[string]func(b []byte){"magic": func(b []byte) { b[0] = 'X' }, "fixup": func(b []byte) { b[510]++ },
		"area past the end": func(b []byte) { b[24], b[25] = 0xf0, 0x0f }, "area within the header": func(b []byte) { b[24] = 8 }, "client": func(b []byte) { b[0x30+12] = 2 }} {
		b := restart(restartClean, 1)
		change(b)
		if got, err := decodeRestart(b, 0); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func FuzzLogFile(f *testing.F) {
	f.Add(append(restart(restartClean, 1), restart(0, noClient)...))
	f.Add(bytes.Repeat([]byte{0xff}, 8192))
	f.Add(append(make([]byte, 4096), restart(0, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 2*maxRestartPage {
			return
		}
		l, err := readLog(&bytesSource{b})
		if err == nil && !l.Empty && (l.PageSize < layout.Stride || l.PageSize > maxRestartPage) {
			t.Errorf("%+v", l)
		}
	})
}
