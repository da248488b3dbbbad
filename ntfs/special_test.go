package ntfs

import (
	"encoding/binary"
	"errors"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// TestSpecialKinds has what programs of Unix keep on NTFS.
func TestSpecialKinds(t *testing.T) {
	nfs := func(kind string) []byte {
		return reparseOf(tagNFS, append([]byte(kind), make([]byte, 24-len(kind))...))
	}
	for name, c := range map[string]struct {
		attr   FileAttr
		data   string
		tag    []byte
		kind   Kind
		target string
	}{
		"link":              {AttrSystem, interixLink + string(utf16le("../a/b")), nil, KindSymlink, "../a/b"},
		"absolute link":     {AttrSystem, interixLink + string(utf16le("/etc/passwd")), nil, KindSymlink, "/etc/passwd"},
		"no system file":    {AttrArchive, interixLink + string(utf16le("a")), nil, KindFile, ""},
		"hidden":            {AttrSystem | AttrHidden, "", nil, KindFile, ""},
		"character device":  {AttrSystem, interixChar + "\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00", nil, KindCharDevice, ""},
		"block device":      {AttrSystem, interixBlock + "\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", nil, KindBlockDevice, ""},
		"FIFO":              {AttrSystem, "", nil, KindFIFO, ""},
		"socket":            {AttrSystem, "\x00", nil, KindSocket, ""},
		"other system file": {AttrSystem, "[boot loader]", nil, KindFile, ""},
		"short":             {AttrSystem, "Intx", nil, KindFile, ""},
		"WSL FIFO":          {AttrReparse, "", reparseOf(tagLXFifo, nil), KindFIFO, ""},
		"WSL char device":   {AttrReparse, "", reparseOf(tagLXChar, nil), KindCharDevice, ""},
		"WSL block device":  {AttrReparse, "", reparseOf(tagLXBlock, nil), KindBlockDevice, ""},
		"WSL socket":        {AttrReparse, "", reparseOf(tagUnixSocket, nil), KindSocket, ""},
		"NFS FIFO":          {AttrReparse, "", nfs("FIFO"), KindFIFO, ""},
		"NFS block device":  {AttrReparse, "", nfs("BLK"), KindBlockDevice, ""},
	} {
		v := tinyVolume()
		si, attrs := standard(), []attr{}
		binary.LittleEndian.PutUint32(si.value[32:], uint32(c.attr))
		attrs = append(attrs, si, named(recDir, "inner", uint32(c.attr)), attr{typ: typeData, value: []byte(c.data)})
		if c.tag != nil {
			attrs = append(attrs, attr{typ: typeReparsePoint, value: c.tag})
		}
		copy(v[recordAt(recInner):], encodeRecord(recInner, layout.RecordInUse, 0, attrs...))
		key := encodeName(recDir, "inner", uint32(c.attr), 0)
		if c.tag != nil {
			copy(key[60:], c.tag[:4])
		}
		copy(v[recordAt(recDir):], encodeRecord(recDir, layout.RecordInUse|layout.RecordDirectory, 0, standard(), named(5, "dir", attrIndexed),
			indexRoot(encodeEntry(recInner, key, -1), encodeEntry(0, nil, -1))))
		tree := openTiny(t, v, new(int))
		n, err := tree.Lookup("dir/inner")
		if err != nil || n.Kind != c.kind {
			t.Errorf("%s: %v, %v", name, n.Kind, err)
			continue
		}
		dir, _ := tree.Lookup("dir")
		for e, err := range dir.Entries() {
			if err != nil || e.Kind != c.kind {
				t.Errorf("%s: kind %v in the directory, %v", name, e.Kind, err)
			}
		}
		if c.kind == KindSymlink {
			r, err := n.Reparse()
			if err != nil || r.Target != c.target || r.Relative != (c.target[0] != '/') {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		}
		if got, err := readPath(tree, "dir/inner"); err != nil || got != c.data {
			t.Errorf("%s: content %q, %v", name, got, err)
		}
	}
}

// TestForeignReparse has the tag of another program on a file whose data is there, and on one with a hole.
func TestForeignReparse(t *testing.T) {
	foreign := reparseOf(0x80000077, []byte("abc"))
	for name, c := range map[string]struct {
		data  attr
		works bool
	}{
		"resident": {attr{typ: typeData, value: []byte("there")}, true},
		"mapped":   {attr{typ: typeData, mapped: true, high: 0, size: 5, init: 5, pairs: []byte{0x11, 1, tinyData, 0}}, true},
		"hole":     {attr{typ: typeData, mapped: true, flags: layout.Sparse, high: 0, size: 5, init: 5, pairs: []byte{0x01, 1, 0}}, false},
	} {
		v := tinyVolume()
		si := standard()
		binary.LittleEndian.PutUint32(si.value[32:], uint32(AttrReparse))
		copy(v[recordAt(recInner):], encodeRecord(recInner, layout.RecordInUse, 0, si, named(recDir, "inner", uint32(AttrReparse)), c.data, attr{typ: typeReparsePoint, value: foreign}))
		for _, raw := range []bool{false, true} {
			tree, err := Open(&bytesSource{v}, Options{ForeignReparse: raw})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := readPath(tree, "dir/inner"); (err == nil) != (raw && c.works) || err != nil && !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("%s, raw %v: %v", name, raw, err)
			}
		}
	}
}
