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
	"snapmount/ntfs/layout"
)

// remove does to records of the tiny volume what a deletion does.
func remove(v []byte, records ...int) {
	for _, r := range records {
		b := v[recordAt(r):]
		binary.LittleEndian.PutUint16(b[16:], binary.LittleEndian.Uint16(b[16:])+1)
		b[22] &^= layout.RecordInUse
	}
}

// TestDeleted deletes files of the tiny volume, and breaks one thing at a time.
func TestDeleted(t *testing.T) {
	c := func(i int) string { return string(tinyContent(i)) }
	for _, test := range []struct {
		name    string
		spoil   func(v []byte)
		want    map[uint64]string // unnamed streams; "!" where it cannot be read
		damaged []uint64
		errs    int
	}{
		{"nothing", func(v []byte) {}, nil, nil, 0},
		{"files", func(v []byte) { remove(v, recFile, recBig) }, map[uint64]string{recFile: "hello", recBig: tinyFiles()["big"]}, nil, 0},
		{"with its extension", func(v []byte) { remove(v, recListed, recExtension) }, map[uint64]string{recListed: c(0) + c(1)}, nil, 0},
		{"extension reused", func(v []byte) {
			remove(v, recListed)
			v[recordAt(recExtension)+32] = recBig
		}, map[uint64]string{recListed: "!"}, []uint64{recListed}, 0},
		{"extension deleted twice", func(v []byte) { remove(v, recListed, recExtension, recExtension) }, map[uint64]string{recListed: "!"}, []uint64{recListed}, 0},
		{"extension of its successor", func(v []byte) {
			remove(v, recListed, recExtension)
			v[recordAt(recExtension)+38]++ // the sequence number of its base
		}, map[uint64]string{recListed: "!"}, []uint64{recListed}, 0},
		{"torn", func(v []byte) { remove(v, recFile, recBig); v[recordAt(recFile)+510]++ }, map[uint64]string{recBig: tinyFiles()["big"]}, nil, 1},
		{"BAAD", func(v []byte) { copy(v[recordAt(recFile):], "BAAD") }, nil, nil, 1},
		{"zeroed", func(v []byte) { remove(v, recBig); clear(v[recordAt(recFile):][:1024]) }, map[uint64]string{recBig: tinyFiles()["big"]}, nil, 1},
		{"zeroed while free", func(v []byte) {
			remove(v, recBig)
			clear(v[recordAt(recFile):][:1024])
			v[find(t, v, recordAt(0), 1024, 0x69, 0, 0, 0x7f)+3] &^= 1 << (recFile % 8)
		}, map[uint64]string{recBig: tinyFiles()["big"]}, nil, 0},
		{"sequence number past 0xffff", func(v []byte) {
			remove(v, recListed, recExtension)
			for _, at := range []int{recordAt(recListed) + 16, recordAt(recExtension) + 16} {
				binary.LittleEndian.PutUint16(v[at:], 1)
			}
			binary.LittleEndian.PutUint16(v[recordAt(recExtension)+38:], 0xffff)
			binary.LittleEndian.PutUint16(v[find(t, v, recordAt(recListed), 1024, recExtension, 0, 0, 0, 0, 0, recExtension)+6:], 0xffff)
		}, map[uint64]string{recListed: c(0) + c(1)}, nil, 0},
	} {
		v := tinyVolume()
		test.spoil(v)
		warnings, errs := 0, 0
		tree := openTiny(t, v, &warnings)
		got, damaged := map[uint64]string{}, []uint64(nil)
		for n, err := range tree.Deleted() {
			if err != nil {
				errs++
				continue
			}
			if n.Damage != nil {
				damaged = append(damaged, n.Ref.Record)
			}
			got[n.Ref.Record] = "!"
			if s, err := n.Stream(""); err == nil {
				b := make([]byte, s.Size())
				if layer.ReadFull(s, b, 0) == nil {
					got[n.Ref.Record] = string(b)
				}
			}
			names, err := n.Names()
			long := slices.DeleteFunc(slices.Clone(names), func(n Name) bool { return n.Namespace == NamespaceDOS })
			if len(long) != 1 || (err != nil) != (n.Damage != nil) {
				t.Errorf("%s: %v, %v", test.name, names, err)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) && len(got)+len(test.want) > 0 || !slices.Equal(damaged, test.damaged) || errs != test.errs {
			t.Errorf("%s: %.200v, damaged %v, %d errors", test.name, got, damaged, errs)
		}
	}
}

func TestDeletedNode(t *testing.T) {
	v := tinyVolume()
	remove(v, recFile, recExtension)
	warnings := 0
	tree := openTiny(t, v, &warnings)
	n, err := tree.DeletedNode(recFile)
	if err != nil || n.Ref != (Ref{recFile, recFile + 1}) || !n.Deleted || n.Size != 5 {
		t.Errorf("%+v, %v", n, err)
	}
	if info, err := n.Streams(); err != nil || len(info) != 2 || info[1].Name != "s" {
		t.Errorf("%+v, %v", info, err)
	}
	for record, want := range map[uint64]error{recBig: ErrStale, recExtension: ErrStale, 40: fs.ErrNotExist, tinyRecords: ErrStale} {
		if _, err := tree.DeletedNode(record); !errors.Is(err, want) {
			t.Errorf("record %d: error %v, want %v", record, err, want)
		}
	}
}

// TestDeletedUnreadable has clusters of the $MFT that cannot be read: one error each, for four records.
func TestDeletedUnreadable(t *testing.T) {
	v := tinyVolume()
	remove(v, recFile, recListed)
	u := &unknown{bytesSource{v}, map[int64]bool{tinyMFT + recFile/4: true, tinyMFT + 9: true}}
	tree, err := Open(u, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for n, err := range tree.Deleted() {
		if err != nil {
			got = append(got, strings.SplitN(err.Error(), ":", 2)[0])
			continue
		}
		got = append(got, n.Ref.String())
	}
	if want := []string{"file records 24 to 27", "28-29", "file records 36 to 39"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPathsOfDeleted(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(v []byte)
		want  Path
		err   bool
	}{
		{"live", func(v []byte) {}, Path{Name: "dir/inner"}, false},
		{"file", func(v []byte) { remove(v, recInner) }, Path{Name: "dir/inner"}, false},
		{"both", func(v []byte) { remove(v, recInner, recDir) }, Path{Name: "dir/inner"}, false},
		{"parent reused", func(v []byte) { remove(v, recInner); v[recordAt(recDir)+16] += 2 }, Path{Name: "inner", Orphan: true}, false},
		{"parent deleted twice", func(v []byte) { remove(v, recInner, recDir, recDir) }, Path{Name: "inner", Orphan: true}, false},
		{"parent now a file", func(v []byte) { remove(v, recInner); v[recordAt(recDir)+22] &^= layout.RecordDirectory }, Path{Name: "inner", Orphan: true}, false},
		{"parent torn", func(v []byte) { v[recordAt(recDir)+510]++ }, Path{Name: "inner", Orphan: true}, true},
		{"parent in itself", func(v []byte) { copy(v[nameAt(t, v, recDir):], ref(recDir)) }, Path{Name: "", Orphan: true}, true},
		{"parent in the file", func(v []byte) {
			v[recordAt(recInner)+22] |= layout.RecordDirectory
			copy(v[nameAt(t, v, recDir):], ref(recInner))
		}, Path{Name: "", Orphan: true}, true},
		{"no such record", func(v []byte) { copy(v[nameAt(t, v, recInner):], ref(tinyRecords)) }, Path{Name: "inner", Orphan: true}, true},
	} {
		v := tinyVolume()
		c.spoil(v)
		warnings := 0
		tree := openTiny(t, v, &warnings)
		n, err := tree.DeletedNode(recInner)
		if err != nil {
			n, err = tree.Node(Ref{Record: recInner})
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := tree.Paths(n)
		if len(got) == 1 && c.want.Name == "" && strings.Count(got[0].Name, "/") < 10 { // a loop, noticed soon
			c.want.Name = got[0].Name
		}
		if len(got) != 1 || got[0] != c.want || (err != nil) != c.err {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

func ref(number int) []byte { return binary.LittleEndian.AppendUint64(nil, tinyRef(number)) }

// nameAt is where the value of the $FILE_NAME of a record of the tiny volume is.
func nameAt(t *testing.T, v []byte, record int) int {
	return find(t, v, recordAt(record), 1024, typeFileName, 0, 0, 0) + 24
}

func TestReuse(t *testing.T) {
	big := Recovery{Free: 2*tinyCluster + 5, Reused: tinyCluster, Ranges: []Range{{2 * tinyCluster, tinyCluster}}}
	for _, c := range []struct {
		name, stream string
		record       int
		bitmap       []byte
		want         Recovery
	}{
		{"holes and all free", "", recBig, []byte{0xff, 0xff, 0xff, 0x3f, 0}, Recovery{Free: 3*tinyCluster + 5}},
		{"cluster 31 reused", "", recBig, []byte{0, 0, 0, 0x80, 0}, big},
		{"all reused", "", recBig, []byte{0, 0, 0, 0xc0, 0xff}, Recovery{Reused: 3*tinyCluster + 5, Ranges: []Range{{0, tinyCluster}, {2 * tinyCluster, 2*tinyCluster + 5}}}},
		{"resident", "s", recFile, []byte{0xff, 0xff, 0xff, 0xff, 0xff}, Recovery{Free: 6}},
		{"extension lost", "", recListed, []byte{0, 0, 0, 0, 0}, Recovery{Free: tinyCluster, Lost: tinyCluster}},
	} {
		v := tinyVolume()
		remove(v, c.record)
		copy(v[find(t, v, recordAt(6), 1024, 0xff, 0xff, 0xff, 0xff, 0x0f):], c.bitmap)
		warnings := 0
		n, err := openTiny(t, v, &warnings).DeletedNode(uint64(c.record))
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Reuse(c.stream)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
		if _, err := n.Reuse("none"); c.record != recListed && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: no stream: error %v", c.name, err)
		}
	}
}

// TestReuseBounds has more reused ranges than are listed, and a bitmap that ends early.
func TestReuseBounds(t *testing.T) {
	b := &bitmap{s: resident(bytes.Repeat([]byte{0x55}, 40<<10)), cluster: 512}
	var r Recovery
	if err := r.count(b, layer.Extent{Len: 40 << 10 * 8 * 512}); err != nil || r.Free != r.Reused || r.Free != 20<<10*8*512 ||
		len(r.Ranges) != maxReused || r.More != 20<<10*8-maxReused {
		t.Errorf("%d, %d, %d ranges and %d, %v", r.Free, r.Reused, len(r.Ranges), r.More, err)
	}
	if err := r.count(b, layer.Extent{BaseOff: (40<<10*8 - 3) * 512, Len: 4 * 512}); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("past the end: error %v", err)
	}
}

func TestJournal(t *testing.T) {
	v := tinyVolume()
	warnings := 0
	if _, _, err := openTiny(t, v, &warnings).Journal(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: error %v", err)
	}
	put := func(b []byte, number int) { copy(v[recordAt(number):], b) }
	const recJournal = 31
	dir := uint16(layout.RecordInUse | layout.RecordDirectory)
	put(encodeRecord(recordExtend, dir, 0, standard(), named(5, "$Extend", attrIndexed),
		indexRoot(encodeEntry(recJournal, encodeName(recordExtend, "$UsnJrnl", 0, 0), -1), encodeEntry(0, nil, -1))), recordExtend)
	put(encodeRecord(5, dir, 0, standard(), named(5, ".", attrIndexed),
		indexRoot(encodeEntry(recordExtend, encodeName(5, "$Extend", attrIndexed, 0), -1), encodeEntry(0, nil, -1))), 5)
	for _, c := range []struct {
		max  []byte
		want JournalInfo
		err  error
	}{
		{numbered(32), JournalInfo{0x0807060504030201, 0x100f0e0d0c0b0a09, 0x1817161514131211, 0x201f1e1d1c1b1a19}, nil},
		{numbered(31), JournalInfo{}, layer.ErrCorrupt},
	} {
		put(encodeRecord(recJournal, layout.RecordInUse, 0, standard(), named(recordExtend, "$UsnJrnl", 0),
			attr{typ: typeData, name: "$J", value: []byte("records")}, attr{typ: typeData, name: "$Max", value: c.max}), recJournal)
		j, info, err := openTiny(t, v, &warnings).Journal()
		if j == nil || j.Size() != 7 || info != c.want || !errors.Is(err, c.err) {
			t.Errorf("%+v, %v, want %+v, %v", info, err, c.want, c.err)
		}
	}
}
