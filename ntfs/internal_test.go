package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

func utf16le(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// numbered returns n bytes that are all different from their neighbours, for fields that must not be mixed up.
func numbered(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + 1)
	}
	return b
}

func bootSector(sector, perCluster, record byte, sectors uint64) []byte {
	b := make([]byte, layout.BootSectorLen)
	copy(b[3:], "NTFS    ")
	b[0x0c], b[0x0d], b[0x40] = sector, perCluster, record
	binary.LittleEndian.PutUint64(b[0x28:], sectors)
	b[0x30], b[0x38] = 4, 2
	binary.LittleEndian.PutUint64(b[0x48:], 0x1122334455667788)
	return b
}

func TestDecodeBoot(t *testing.T) {
	good := func(cluster, record, sector int, size int64) boot {
		return boot{sector: sector, cluster: cluster, record: record, size: size, clusters: size / int64(cluster), mft: 4, mirror: 2, serial: 0x1122334455667788}
	}
	for _, c := range []struct {
		name string
		b    []byte
		want boot
		ok   bool
	}{
		{"4K", bootSector(2, 8, 0xf6, 8008), good(4096, 1024, 512, 8008*512), true},
		{"512 B", bootSector(2, 1, 2, 8001), good(512, 1024, 512, 8001*512), true},
		{"64K", bootSector(2, 128, 0xf6, 8192), good(65536, 1024, 512, 8192*512), true},
		{"2M", bootSector(2, 0xf4, 0xf6, 1<<20), good(2<<20, 1024, 512, 512<<20), true},
		{"128K", bootSector(2, 0xf8, 0xf6, 1<<20), good(128<<10, 1024, 512, 512<<20), true},
		{"4Kn", bootSector(16, 1, 1, 8000), good(4096, 4096, 4096, 8000*4096), true},
		{"cluster 4M", bootSector(2, 0xf3, 0xf6, 1<<20), boot{}, false},
		{"cluster 0", bootSector(2, 0, 0xf6, 1<<20), boot{}, false},
		{"cluster 3", bootSector(2, 3, 0xf6, 1<<20), boot{}, false},
		{"record 0", bootSector(2, 8, 0, 1<<20), boot{}, false},
		{"record 0x80", bootSector(2, 8, 0x80, 1<<20), boot{}, false},
		{"record 127 clusters", bootSector(2, 8, 0x7f, 1<<20), boot{}, false},
		{"sector 0", bootSector(0, 8, 0xf6, 1<<20), boot{}, false},
		{"sector 8192", bootSector(32, 8, 0xf6, 1<<20), boot{}, false},
		{"size overflow", bootSector(2, 8, 0xf6, 1<<56), boot{}, false},
		{"no size", bootSector(2, 8, 0xf6, 0), boot{}, false},
		{"$MFT outside", bootSector(2, 8, 0xf6, 32), boot{}, false},
		{"other", make([]byte, layout.BootSectorLen), boot{}, false},
	} {
		got, err := decodeBoot(c.b, 0)
		if c.ok && (err != nil || got != c.want) {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
		if !c.ok && !errors.Is(err, layer.ErrFormat) {
			t.Errorf("%s: error %v, want one of format", c.name, err)
		}
	}
}

func TestPairs(t *testing.T) {
	type pair struct{ n, lcn int64 }
	for _, c := range []struct {
		name  string
		b     []byte
		limit int64
		want  []pair
	}{
		{"forth, hole and back", []byte{0x21, 0x10, 0x00, 0x01, 0x01, 0x08, 0x11, 0x04, 0xf0, 0}, 100, []pair{{16, 256}, {8, hole}, {4, 240}}},
		{"two-byte length", []byte{0x12, 0x34, 0x12, 0x05, 0}, 1 << 20, []pair{{0x1234, 5}}},
		{"no end marker", []byte{0x11, 1, 7}, 9, []pair{{1, 7}}},
		{"length 0", []byte{0x11, 0, 7, 0x11, 1, 1}, 9, nil},
		{"negative length", []byte{0x11, 0x80, 7}, 9, nil},
		{"too long", []byte{0x11, 5, 7, 0x11, 5, 1}, 9, []pair{{5, 7}}},
		{"length of 9 bytes", []byte{0x19, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 9, nil},
		{"cut", []byte{0x31, 1, 7}, 9, nil},
		{"LCN -1 is no hole", []byte{0x11, 1, 0xff}, 9, []pair{{1, -2}}},
		{"LCN overflow", slices.Concat([]byte{0x81, 1}, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, []byte{0x11, 1, 1}), 9, []pair{{1, 1<<63 - 1}}},
	} {
		var got []pair
		for n, lcn := range pairs(c.b, c.limit) {
			got = append(got, pair{n, lcn})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRunList(t *testing.T) {
	extent := func(low, high uint64, pairs ...byte) attribute { return attribute{low: low, high: high, pairs: pairs} }
	const bad = -2 // any damage
	for _, c := range []struct {
		name    string
		extents []attribute
		want    []run
	}{
		{"merged over two records", []attribute{extent(0, 3, 0x11, 4, 10, 0), extent(4, 5, 0x11, 2, 14, 0)}, []run{{0, 6, 10}}},
		{"holes merged", []attribute{extent(0, 3, 0x01, 4, 0), extent(4, 5, 0x01, 2, 0)}, []run{{0, 6, hole}}},
		{"gap", []attribute{extent(0, 3, 0x11, 4, 10, 0), extent(6, 7, 0x11, 2, 14, 0)}, []run{{0, 4, 10}, {4, 2, bad}, {6, 2, 14}}},
		{"overlap", []attribute{extent(0, 3, 0x11, 4, 10, 0), extent(2, 7, 0x11, 6, 20, 0)}, []run{{0, 2, 10}, {2, 2, bad}, {4, 4, 22}}},
		{"outside the volume", []attribute{extent(0, 5, 0x11, 2, 10, 0x11, 2, 0x7f, 0x11, 2, 0x81, 0)}, []run{{0, 2, 10}, {2, 2, bad}, {4, 2, 10}}},
		{"ends early", []attribute{extent(0, 5, 0x11, 2, 10, 0)}, []run{{0, 2, 10}, {2, 4, bad}}},
		{"missing record", []attribute{extent(0, 1, 0x11, 2, 10, 0), {low: 2, err: layer.ErrCorrupt}, extent(4, 5, 0x11, 2, 10, 0)}, []run{{0, 2, 10}, {2, 2, bad}, {4, 2, 10}}},
	} {
		l := runList{holes: true}
		for i := range c.extents {
			l.extend(&c.extents[i], 100)
		}
		got := slices.Clone(l.runs)
		for i := range got {
			if got[i].lcn < hole {
				if l.err(got[i]) == nil {
					t.Errorf("%s: damage without an error", c.name)
				}
				got[i].lcn = bad
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDecodeRecord(t *testing.T) {
	b := numbered(512)
	copy(b[20:], []byte{56, 0, 3, 0, 0x80, 0, 0, 0})
	got, err := decodeRecord(b, 77, 78848)
	want := fileRecord{ref: Ref{77, 0x1211}, lsn: 0x100f0e0d0c0b0a09, base: Ref{0x262524232221, 0x2827}, flags: 3, attrs: b[56:128], first: 56, off: 78848}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestDecodeAttribute(t *testing.T) {
	b := numbered(80)
	b[9], b[10], b[11] = 2, 72, 0
	copy(b[16:], []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 76, 0})
	var got attribute
	var h layout.Attribute
	h.Decode(b)
	err := got.decode(&h, b, 0)
	want := attribute{typ: 0x04030201, name: b[72:76], flags: 0x0e0d, id: 0x100f, low: 1, high: 9, allocated: 0x302f2e2d2c2b2a29,
		size: 0x3837363534333231, initialized: 0x403f3e3d3c3b3a39, taken: 0x4847464544434241, pairs: b[76:], unit: 35}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("non-resident: %+v, %v, want %+v", got, err, want)
	}
	b = numbered(40)
	copy(b[8:], []byte{0, 1, 24, 0})
	copy(b[16:], []byte{5, 0, 0, 0, 32, 0})
	h.Decode(b)
	err = got.decode(&h, b, 0)
	want = attribute{typ: 0x04030201, resident: true, name: b[24:26], flags: 0x0e0d, id: 0x100f, value: b[32:37]}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("resident: %+v, %v, want %+v", got, err, want)
	}
}

func TestDecodeListEntry(t *testing.T) {
	b := numbered(40)
	copy(b[4:], []byte{32, 0, 2, 26})
	got, rest, err := decodeListEntry(b, 0)
	want := listEntry{typ: 0x04030201, name: b[26:30], low: 0x100f0e0d0c0b0a09, ref: Ref{0x161514131211, 0x1817}, id: 0x1a19}
	if err != nil || len(rest) != 8 || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %d left, %v, want %+v", got, len(rest), err, want)
	}
	for _, n := range []byte{0, 25, 41} {
		b[4] = n
		if _, _, err := decodeListEntry(b, 0); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("entry of %d bytes of 40: error %v", n, err)
		}
	}
}

func TestDecodeFileName(t *testing.T) {
	b := numbered(70)
	b[64] = 2
	got, ok := decodeFileName(b)
	want := fileName{parent: Ref{0x060504030201, 0x0807}, times: Times{0x100f0e0d0c0b0a09, 0x1817161514131211, 0x201f1e1d1c1b1a19, 0x2827262524232221},
		allocated: 0x302f2e2d2c2b2a29, size: 0x3837363534333231, attr: 0x3c3b3a39, tag: 0x403f3e3d, namespace: 66, name: b[66:70]}
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, ok := decodeFileName(b[:69]); ok {
		t.Error("a name past the end was taken")
	}
}

func TestIndexEntry(t *testing.T) {
	b := numbered(96)
	copy(b[8:], []byte{96, 0, 70, 0, 1, 0})
	b[16+64] = 2
	var e indexEntry
	rest, err := e.decode(b)
	if err != nil || len(rest) != 0 || e.ref != (Ref{0x060504030201, 0x0807}) || e.child != 0x605f5e5d5c5b5a59 || !bytes.Equal(e.key, b[16:86]) || e.last {
		t.Errorf("%+v, %d left, %v", e, len(rest), err)
	}
	b[16+64] = 200
	if _, err := e.decode(b); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("name past the key: error %v", err)
	}
}

func TestFixups(t *testing.T) {
	b := make([]byte, 1024)
	copy(b, "FILE")
	copy(b[4:], []byte{48, 0, 3, 0})
	copy(b[48:], []byte{7, 9, 1, 2, 3, 4})
	for _, end := range []int{510, 1022} {
		b[end], b[end+1] = 7, 9
	}
	torn := bytes.Clone(b)
	torn[1022] = 8
	counted := bytes.Clone(b)
	counted[6] = 2
	if err := layout.Protected(b, "FILE", "file record", 0); err != nil || !bytes.Equal(b[510:512], []byte{1, 2}) || !bytes.Equal(b[1022:], []byte{3, 4}) {
		t.Errorf("%v, % x, % x", err, b[510:512], b[1022:])
	}
	for name, b := range map[string][]byte{"torn": torn, "count": counted, "BAAD": append([]byte("BAAD"), b[4:]...)} {
		if err := layout.Protected(b, "FILE", "file record", 0); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// reparseLink makes the value of a symbolic link's or mount point's attribute.
func reparseLink(tag uint32, target, print string, flags ...byte) []byte {
	s, p := utf16le(target), utf16le(print)
	le := binary.LittleEndian
	var d []byte
	for _, v := range []int{len(p), len(s), 0, len(p)} {
		d = le.AppendUint16(d, uint16(v))
	}
	d = slices.Concat(d, flags, p, s)
	b := le.AppendUint32(nil, tag)
	return append(le.AppendUint32(b, uint32(len(d))), d...)
}

func TestDecodeReparse(t *testing.T) {
	for _, c := range []struct {
		name string
		b    []byte
		want Reparse
	}{
		{"symlink", reparseLink(TagSymlink, `..\target`, "shown", 1, 0, 0, 0), Reparse{Tag: TagSymlink, Target: `..\target`, Print: "shown", Relative: true}},
		{"absolute", reparseLink(TagSymlink, `\??\C:\t`, `C:\t`, 0, 0, 0, 0), Reparse{Tag: TagSymlink, Target: `\??\C:\t`, Print: `C:\t`}},
		{"junction", reparseLink(TagMountPoint, `\??\C:\t`, `C:\t`), Reparse{Tag: TagMountPoint, Target: `\??\C:\t`, Print: `C:\t`}},
		{"linux", append([]byte{0x1d, 0, 0, 0xa0, 7, 0, 0, 0, 2, 0, 0, 0}, "a/b"...), Reparse{Tag: TagLXSymlink, Target: "a/b", Relative: true}},
		{"other vendor", append([]byte{1, 2, 3, 4, 3, 0, 0, 0}, numbered(19)...), Reparse{Tag: 0x04030201}},
	} {
		got, err := decodeReparse(c.b)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		c.want.Data = c.b[8:]
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, *got, c.want)
		}
		for n := range c.b {
			if _, err := decodeReparse(c.b[:n]); !errors.Is(err, layer.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: error %v", c.name, n, err)
			}
		}
	}
}

func TestFileAttr(t *testing.T) {
	a := AttrReadOnly | AttrHidden | AttrRecallOnData
	if got := a.String(); got != "RHM" {
		t.Errorf("letters %q", got)
	}
	if got := a.Words(); !slices.Equal(got, []string{"readonly", "hidden", "recallondata"}) {
		t.Errorf("words %q", got)
	}
	seen := map[byte]bool{}
	for _, n := range attrNames {
		if seen[n.letter] {
			t.Errorf("letter %c is used twice", n.letter)
		}
		seen[n.letter] = true
	}
}
