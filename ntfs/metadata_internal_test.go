package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// The metadata volume: the tiny volume with a $Secure, an object id index, and a file that has everything.
const (
	recMeta, recOld, recObjID = 31, 32, 33

	metaSDS     = 40 // LCN of $SDS, and of its copy after it
	metaIndex   = 42 // of the two index blocks of $SII
	metaIDs     = 60 // descriptors have the ids 256 to 256+metaIDs-1
	metaEntry   = 48 // bytes of an entry of $SDS
	metaSDSSize = sdsBlock + metaIDs*metaEntry
)

func metaDescriptor(id int) []byte {
	b := make([]byte, 28)
	b[0], b[3], b[4] = 1, 0x80, 20
	copy(b[20:], []byte{1, 0, 0, 0, 0, 0, 5, byte(id)})
	return b
}

func metaSDSEntry(id int) []byte {
	le := binary.LittleEndian
	d := metaDescriptor(id)
	b := le.AppendUint32(nil, hashDescriptor(d))
	b = le.AppendUint32(b, uint32(id))
	b = le.AppendUint64(b, uint64(id-256)*metaEntry)
	return append(le.AppendUint32(b, uint32(sdsHeaderLen+len(d))), d...)
}

// encodeViewEntry makes an entry of a view; no key for the last one, child below 0 for none.
func encodeViewEntry(key, data []byte, child int64) []byte {
	le := binary.LittleEndian
	at := 16 + len(key)
	b := make([]byte, (at+len(data)+7)&^7)
	copy(b[16:], key)
	copy(b[at:], data)
	le.PutUint16(b[0:], uint16(at))
	le.PutUint16(b[2:], uint16(len(data)))
	le.PutUint16(b[10:], uint16(len(key)))
	if key == nil {
		b[12] = entryLast
	}
	if child >= 0 {
		b[12] |= entryHasChild
		b = le.AppendUint64(b, uint64(child))
	}
	le.PutUint16(b[8:], uint16(len(b)))
	return b
}

func viewRoot(name string, rule byte, entries ...[]byte) attr {
	b := make([]byte, 16)
	b[4], b[9], b[12] = rule, 0x10, 1
	return attr{typ: typeIndexRoot, name: name, value: append(b, encodeNode(16, entries...)...)}
}

func encodeEA(name string, flags byte, value []byte) []byte {
	le := binary.LittleEndian
	b := append([]byte{0, 0, 0, 0, flags, byte(len(name)), 0, 0}, name...)
	le.PutUint16(b[6:], uint16(len(value)))
	b = append(append(b, 0), value...)
	b = append(b, make([]byte, -len(b)&3)...)
	le.PutUint32(b, uint32(len(b)))
	return b
}

func metaEAs() []byte {
	return slices.Concat(encodeEA("$LXUID", 0, []byte{0xe8, 3, 0, 0}), encodeEA("$LXDEV", 0, []byte{8, 0, 0, 0, 17, 0, 0, 0}), encodeEA("OWN", eaNeed, []byte("value")))
}

func metaVolume() []byte {
	le := binary.LittleEndian
	v := tinyVolume()
	put := func(b []byte, number int) { copy(v[recordAt(number):], b) }
	siKey := func(id int) []byte { return le.AppendUint32(nil, uint32(id)) }
	var low, high [][]byte
	for id := 256; id < 256+metaIDs; id++ {
		e := metaSDSEntry(id)
		copy(v[metaSDS*tinyCluster+(id-256)*metaEntry:], e)
		copy(v[(metaSDS+1)*tinyCluster+(id-256)*metaEntry:], e)
		e = encodeViewEntry(siKey(id), e[:sdsHeaderLen], -1)
		if id < 280 {
			low = append(low, e)
		} else if id > 280 {
			high = append(high, e)
		}
	}
	last := encodeViewEntry(nil, nil, -1)
	copy(v[metaIndex*tinyCluster:], indexBlock(0, append(low, last)...))
	copy(v[(metaIndex+1)*tinyCluster:], indexBlock(1, append(high, last)...))
	put(encodeRecord(recordSecure, layout.RecordInUse, 0, standard(), named(5, "$Secure", 6),
		attr{typ: typeData, name: "$SDS", mapped: true, flags: layout.Sparse, high: 64, size: metaSDSSize, init: metaSDSSize, pairs: []byte{0x11, 1, metaSDS, 0x01, 63, 0x11, 1, 1, 0}},
		viewRoot("$SII", collateUint32, encodeViewEntry(siKey(280), metaSDSEntry(280)[:sdsHeaderLen], 0), encodeViewEntry(nil, nil, 1)),
		attr{typ: typeIndexAllocation, name: "$SII", mapped: true, high: 1, size: 8192, init: 8192, pairs: []byte{0x11, 2, metaIndex, 0}}), recordSecure)
	put(encodeRecord(recordExtend, layout.RecordInUse|layout.RecordDirectory, 0, standard(), named(5, "$Extend", 6),
		indexRoot(encodeEntry(recObjID, encodeName(recordExtend, "$ObjId", 0, 0), -1), encodeEntry(0, nil, -1))), recordExtend)
	ids := le.AppendUint64(nil, tinyRef(recMeta))
	ids = append(ids, numbered(48)...)
	put(encodeRecord(recObjID, layout.RecordInUse, 0, standard(), named(recordExtend, "$ObjId", 0),
		viewRoot("$O", collateUint32s, encodeViewEntry(bytes.Repeat([]byte{7}, 16), ids, -1), encodeViewEntry(nil, nil, -1))), recObjID)
	si := standard()
	le.PutUint32(si.value[48:], 0x11223344)
	le.PutUint32(si.value[52:], 300)
	le.PutUint64(si.value[56:], 0x55667788)
	le.PutUint64(si.value[64:], 0x99aabbcc)
	put(encodeRecord(recMeta, layout.RecordInUse, 0, si, named(5, "meta", 0), attr{typ: typeObjectID, value: bytes.Repeat([]byte{7}, 16)},
		attr{typ: typeEA, value: metaEAs()}), recMeta)
	old := standard()
	old.value = old.value[:48]
	put(encodeRecord(recOld, layout.RecordInUse, 0, old, named(5, "old", 0), attr{typ: typeSecurityDescriptor, value: metaDescriptor(99)}), recOld)
	return v
}

func metaNode(t testing.TB, v []byte, record uint64) *Node {
	t.Helper()
	tree, err := Open(&bytesSource{v}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := tree.Node(Ref{Record: record})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestMetadata(t *testing.T) {
	n := metaNode(t, metaVolume(), recMeta)
	if n.OwnerID != 0x11223344 || n.SecurityID != 300 || n.QuotaCharged != 0x55667788 || n.USN != 0x99aabbcc || n.Damage != nil {
		t.Errorf("%+v", n)
	}
	list, err := n.EAs()
	want := []EA{{"$LXUID", false, []byte{0xe8, 3, 0, 0}}, {"$LXDEV", false, []byte{8, 0, 0, 0, 17, 0, 0, 0}}, {"OWN", true, []byte("value")}}
	if err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("%v, %v", list, err)
	}
	x, ok, err := n.LX()
	if want := (LX{Fields: LXUID | LXDev, UID: 1000, Dev: struct{ Major, Minor uint32 }{8, 17}}); !ok || err != nil || x != want {
		t.Errorf("%+v, %v, %v", x, ok, err)
	}
	o, err := n.ObjectID()
	seven := wintype.GUID(bytes.Repeat([]byte{7}, 16))
	if b := numbered(48); err != nil || o.ID != seven || o.BirthVolume != wintype.GUID(b[:16]) || o.BirthObject != wintype.GUID(b[16:32]) ||
		o.Domain != wintype.GUID(b[32:]) || !bytes.Equal(o.Raw, append(seven[:], b...)) {
		t.Errorf("%+v, %v", o, err)
	}
	for id := 256; id < 256+metaIDs; id++ {
		if b, err := n.tree.descriptor(uint32(id)); err != nil || !bytes.Equal(b, metaDescriptor(id)) {
			t.Errorf("%d: %x, %v", id, b, err)
		}
	}
	if b, err := n.tree.descriptor(9); !errors.Is(err, layer.ErrCorrupt) || b != nil {
		t.Errorf("%x, %v", b, err)
	}
	old := metaNode(t, metaVolume(), recOld)
	if b, err := old.Security(); err != nil || !bytes.Equal(b, metaDescriptor(99)) || old.SecurityID != 0 {
		t.Errorf("%x, %v", b, err)
	}
	none := metaNode(t, metaVolume(), recFile)
	for what, get := range map[string]func() error{
		"security": func() error { _, err := none.Security(); return err },
		"object":   func() error { _, err := none.ObjectID(); return err },
		"EA":       func() error { _, err := none.RawEA(); return err },
	} {
		if err := get(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if list, err := none.EAs(); list != nil || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if x, ok, err := none.LX(); ok || err != nil || x != (LX{}) {
		t.Errorf("%v, %v, %v", x, ok, err)
	}
}

// TestSecureDamage damages $Secure in every way that still leaves the descriptor 300, or leaves it out of reach.
func TestSecureDamage(t *testing.T) {
	const entry = (300 - 256) * metaEntry
	sds, copied := metaSDS*tinyCluster+entry, (metaSDS+1)*tinyCluster+entry
	for name, c := range map[string]struct {
		damage func(v []byte)
		ok     bool
	}{
		"none":                {func([]byte) {}, true},
		"descriptor":          {func(v []byte) { v[sds+sdsHeaderLen+27]++ }, true},
		"header":              {func(v []byte) { v[sds+4]++ }, true},
		"both":                {func(v []byte) { v[sds+sdsHeaderLen+27]++; v[copied+sdsHeaderLen]++ }, false},
		"neighbour":           {func(v []byte) { v[sds-1]++; v[copied-1]++; v[(metaIndex+1)*tinyCluster]++ }, true},
		"index block":         {func(v []byte) { v[(metaIndex+1)*tinyCluster]++ }, true},
		"index block, one":    {func(v []byte) { v[(metaIndex+1)*tinyCluster]++; v[sds+20]++ }, true},
		"index block, both":   {func(v []byte) { v[(metaIndex+1)*tinyCluster]++; v[sds+20]++; v[copied]++ }, false},
		"index root":          {func(v []byte) { v[bytes.Index(v, utf16le("$SII"))+8]++ }, true},
		"$SII gone":           {func(v []byte) { v[bytes.Index(v, utf16le("$SII"))]++ }, true},
		"$SDS gone":           {func(v []byte) { v[bytes.Index(v, utf16le("$SDS"))]++ }, false},
		"record":              {func(v []byte) { v[recordAt(recordSecure)]++ }, false},
		"index leads astray":  {func(v []byte) { v[(metaIndex+1)*tinyCluster+64+19*40+16+4+8]++ }, true},
		"index size too much": {func(v []byte) { v[(metaIndex+1)*tinyCluster+64+19*40+16+4+18]++ }, true},
	} {
		v := metaVolume()
		c.damage(v)
		n := metaNode(t, v, recMeta)
		for range 2 { // the second time from what was kept
			b, err := n.Security()
			if c.ok && (err != nil || !bytes.Equal(b, metaDescriptor(300))) {
				t.Errorf("%s: %x, %v", name, b, err)
			}
			if !c.ok && (!errors.Is(err, layer.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) || b != nil) {
				t.Errorf("%s: %x, %v", name, b, err)
			}
		}
	}
	for name, at := range map[string]func(v []byte) int{
		"key":       func(v []byte) int { return bytes.LastIndex(v, bytes.Repeat([]byte{7}, 16)) }, // the first one is the file's
		"reference": func(v []byte) int { return bytes.LastIndex(v, bytes.Repeat([]byte{7}, 16)) + 16 },
		"$ObjId":    func(v []byte) int { return bytes.Index(v, utf16le("$ObjId")) + 2 },
		"$O":        func(v []byte) int { return bytes.LastIndex(v, utf16le("$O")) + 2 },
	} {
		v := metaVolume()
		v[at(v)]++
		o, err := metaNode(t, v, recMeta).ObjectID()
		if !errors.Is(err, layer.ErrCorrupt) || errors.Is(err, fs.ErrNotExist) || o.ID.IsZero() || !o.Domain.IsZero() || len(o.Raw) != 16 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestDecodeEAs(t *testing.T) {
	good := metaEAs()
	zeroEnd := bytes.Clone(good)
	binary.LittleEndian.PutUint32(zeroEnd[len(good)-20:], 0)
	patched := func(at int, b byte) []byte { v := bytes.Clone(good); v[at] = b; return v }
	for name, c := range map[string]struct {
		b     []byte
		count int
		ok    bool
	}{
		"good": {good, 3, true}, "empty": {nil, 0, true}, "last leads nowhere": {zeroEnd, 3, true},
		"first leads nowhere": {patched(0, 0), 0, false}, "next backwards": {patched(0, 4), 0, false}, "next outside": {patched(2, 1), 0, false},
		"value outside": {patched(7, 1), 0, false}, "no end of the name": {patched(8+6, 'x'), 0, false}, "no name": {patched(5, 0), 0, false},
		"cut": {good[:len(good)-5], 2, false}, "tail": {append(bytes.Clone(good), 1), 3, false},
	} {
		list, err := decodeEAs(c.b)
		if len(list) != c.count || (err == nil) != c.ok || !c.ok && !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
	if _, err := decodeLX([]EA{{Name: "$LXMOD", Value: []byte{1, 2}}}); !errors.Is(err, layer.ErrCorrupt) {
		t.Error(err)
	}
}

func TestNextViewEntry(t *testing.T) {
	b := append(encodeViewEntry([]byte{1, 2, 3, 4}, []byte{5, 6, 7}, 8), encodeViewEntry(nil, nil, -1)...)
	e, rest, err := nextViewEntry(b)
	if want := (viewEntry{key: []byte{1, 2, 3, 4}, data: []byte{5, 6, 7}, child: 8}); err != nil || !reflect.DeepEqual(e, want) {
		t.Errorf("%+v, %v", e, err)
	}
	if e, rest, err = nextViewEntry(rest); err != nil || !e.last || e.child != -1 || len(rest) != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	for at, to := range map[int]byte{0: 0xff, 2: 0xff, 8: 0xff, 10: 0x20} {
		v := bytes.Clone(b)
		v[at] = to
		if _, _, err := nextViewEntry(v[:32]); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%d: %v", at, err)
		}
	}
	for _, c := range []struct{ a, b string }{{"\x02\x00\x00\x00", "\x01\x01\x00\x00"}, {"\x01\x00\x00\x00\x09\x00\x00\x00", "\x01\x00\x00\x00\x00\x01\x00\x00"}, {"\x01\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00"}} {
		if compareWords([]byte(c.a), []byte(c.b)) >= 0 || compareWords([]byte(c.b), []byte(c.a)) <= 0 || compareWords([]byte(c.a), []byte(c.a)) != 0 {
			t.Errorf("%q, %q", c.a, c.b)
		}
	}
}

func reparseOf(tag uint32, data []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, tag)
	return append(le.AppendUint32(b, uint32(len(data))), data...)
}

func TestReparseData(t *testing.T) {
	le := binary.LittleEndian
	u32 := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = le.AppendUint32(b, x)
		}
		return b
	}
	alias := append(u32(3), utf16le("A.Package_1\x00A.Package_1!App\x00C:\\é.exe\x000\x00")...)
	wim := slices.Concat(u32(1, 1, 2, 5), le.AppendUint64(nil, 0x1122334455667788), numbered(20), make([]byte, 44))
	for _, c := range []struct {
		tag  uint32
		data []byte
		want string
	}{
		{tagAppExecLink, alias, `appexec &{PackageID:A.Package_1 AppID:A.Package_1!App Executable:C:\é.exe Type:0}`},
		{tagAppExecLink, alias[:len(alias)-2], ""},
		{tagAppExecLink, alias[:3], ""},
		{tagAppExecLink, append(u32(2), alias[4:]...), ""},
		{TagWOF, u32(1, 2, 1, 3), "wof XPRESS16K &{Provider:2 Format:3 Flags:0 DataSourceID:0 SHA1:[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0]}"},
		{TagWOF, u32(1, 2, 1, 4), "wof  &{Provider:2 Format:4 Flags:0 DataSourceID:0 SHA1:[0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0]}"},
		{TagWOF, wim, "wof  &{Provider:1 Format:0 Flags:5 DataSourceID:1234605616436508552 SHA1:[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20]}"},
		{TagWOF, wim[:40], ""},
		{TagWOF, u32(1, 2, 1), ""},
		{TagWOF, u32(1, 3, 1, 0), ""},
		{tagNFS, append(u32(0x4b4e4c, 0), utf16le("../x")...), "nfs ../x &{Type:LNK Major:0 Minor:0}"},
		{tagNFS, u32(0x4b4c42, 0, 8, 17), "nfs  &{Type:BLK Major:8 Minor:17}"},
		{tagNFS, u32(0x4f464946, 0), "nfs  &{Type:FIFO Major:0 Minor:0}"},
		{tagNFS, u32(0x524843, 0), ""},
		{tagNFS, u32(1, 1), ""},
		{tagLXFifo, nil, "raw"},
	} {
		r, err := decodeReparse(reparseOf(c.tag, c.data))
		got := ""
		switch {
		case err != nil:
			if !errors.Is(err, layer.ErrCorrupt) && !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("0x%x: %v", c.tag, err)
			}
		case r.AppExec != nil:
			got = fmt.Sprintf("appexec %+v", r.AppExec)
		case r.WOF != nil:
			got = fmt.Sprintf("wof %s %+v", r.WOF.FormatName(), r.WOF)
		case r.NFS != nil:
			got = fmt.Sprintf("nfs %s %+v", r.Target, r.NFS)
		default:
			got = "raw"
		}
		if got != c.want {
			t.Errorf("0x%x %x: %s, %v, want %s", c.tag, c.data, got, err, c.want)
		}
	}
}

func TestTagName(t *testing.T) {
	for tag, want := range map[uint32]string{TagSymlink: "SYMLINK", 0x9000001a: "CLOUD", 0x9000f01a: "CLOUD_F", 0x8000001b: "APPEXECLINK", 0x90001018: "WCI_1", 0x80000023: "AF_UNIX"} {
		if got := TagName(tag); got != "IO_REPARSE_TAG_"+want {
			t.Errorf("0x%x: %s, want %s", tag, got, want)
		}
	}
	if got := TagName(0x12345678); got != "" {
		t.Error(got)
	}
	for tag, name := range tagNames {
		if strings.HasPrefix(name, "IO_") || tag>>28 == 0 {
			t.Errorf("0x%x: %s", tag, name)
		}
	}
}

func FuzzSDS(f *testing.F) {
	v := metaVolume()
	sds := v[metaSDS*tinyCluster:][:metaIDs*metaEntry]
	f.Add(sds, uint64(0), uint32(48), uint32(256))
	f.Add(sds[:100], uint64(48), uint32(48), uint32(257))
	f.Fuzz(func(t *testing.T, b []byte, off uint64, size, id uint32) {
		bounded(t, func() {
			root := encodeNode(16, encodeViewEntry([]byte{0, 1, 0, 0}, b[:min(len(b), sdsHeaderLen)], -1), encodeViewEntry(nil, nil, -1))
			s := newSecureFile(&bytesSource{b}, nil)
			s.index = &view{root: root[16:], vcnSize: 512, blockSize: 4096}
			all, err := s.scanned()
			if err != nil || len(all) > len(b)/minSDSEntry {
				t.Errorf("%d descriptors in %d bytes, %v", len(all), len(b), err)
			}
			for found := range all {
				if d, err := s.descriptor(found); err != nil || len(d) < 20 {
					t.Errorf("0x%x: %x, %v", found, d, err)
				}
			}
			if d, err := s.descriptor(id); err == nil && len(d) > len(b) {
				t.Errorf("%d bytes of %d", len(d), len(b))
			}
			s.read(sdsEntry{off: off, size: size, id: id})
		})
	})
}

func FuzzEA(f *testing.F) {
	f.Add(metaEAs())
	f.Fuzz(func(t *testing.T, b []byte) {
		list, _ := decodeEAs(b)
		total := 0
		for _, e := range list {
			total += eaFixed + len(e.Name) + 1 + len(e.Value)
		}
		if total > len(b) {
			t.Errorf("%d bytes in %d", total, len(b))
		}
		decodeLX(list)
	})
}

func FuzzView(f *testing.F) {
	v := metaVolume()
	f.Add(v[metaIndex*tinyCluster:][:2*tinyCluster], encodeNode(16, encodeViewEntry([]byte{24, 1, 0, 0}, nil, 0), encodeViewEntry(nil, nil, 1))[16:], []byte{44, 1, 0, 0})
	f.Fuzz(func(t *testing.T, blocks, root, key []byte) {
		x := &view{label: "view", root: root, blocks: &bytesSource{blocks}, blockSize: 4096, vcnSize: 4096}
		bounded(t, func() {
			if data, ok, err := x.find(key); ok && (err != nil || len(data) > len(blocks)+len(root)) {
				t.Errorf("%x, %v", data, err)
			}
		})
	})
}
