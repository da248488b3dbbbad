package ntfs

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"snapmount/ntfs/layout"
)

// The tiny volume: 64 clusters of 4 KiB, made here so that its every field is known.
const (
	tinyCluster = 4096
	tinyMFT     = 4 // LCN
	tinyMirror  = 2
	tinyIndex   = 20 // index blocks of the root
	tinyData    = 30
	tinyRecords = 48

	recFile, recBig, recDir, recJunction, recListed, recExtension, recInner = 24, 25, 26, 27, 28, 29, 30
)

// attr encodes an attribute record; mapped ones take high and sizes instead of a value.
type attr struct {
	typ    uint32
	name   string
	id     uint16
	value  []byte
	mapped bool
	flags  uint16
	low    uint64
	high   uint64
	size   uint64
	init   uint64
	pairs  []byte
}

func (a attr) encode() []byte {
	le := binary.LittleEndian
	head := 24
	if a.mapped {
		head = 64
	}
	name := utf16le(a.name)
	content := a.value
	if a.mapped {
		content = a.pairs
	}
	at := (head + len(name) + 7) &^ 7
	b := make([]byte, (at+len(content)+7)&^7)
	le.PutUint32(b[0:], a.typ)
	le.PutUint32(b[4:], uint32(len(b)))
	b[9], b[10] = byte(len(name)/2), byte(head)
	le.PutUint16(b[12:], a.flags)
	le.PutUint16(b[14:], a.id)
	copy(b[head:], name)
	copy(b[at:], content)
	if !a.mapped {
		le.PutUint32(b[16:], uint32(len(content)))
		le.PutUint16(b[20:], uint16(at))
		return b
	}
	b[8] = 1
	le.PutUint64(b[16:], a.low)
	le.PutUint64(b[24:], a.high)
	le.PutUint16(b[32:], uint16(at))
	le.PutUint64(b[40:], (a.high+1)*tinyCluster)
	le.PutUint64(b[48:], a.size)
	le.PutUint64(b[56:], a.init)
	return b
}

// protect adds fixups to a record or index block.
func protect(b []byte, at int) {
	le := binary.LittleEndian
	le.PutUint16(b[4:], uint16(at))
	le.PutUint16(b[6:], uint16(len(b)/512+1))
	le.PutUint16(b[at:], 0x5a17)
	for i := 1; i <= len(b)/512; i++ {
		copy(b[at+2*i:], b[i*512-2:][:2])
		le.PutUint16(b[i*512-2:], 0x5a17)
	}
}

func encodeRecord(number int, flags uint16, base uint64, attrs ...attr) []byte {
	le := binary.LittleEndian
	b := make([]byte, 1024)
	copy(b, "FILE")
	le.PutUint16(b[16:], uint16(number)) // sequence number
	le.PutUint16(b[20:], 56)
	le.PutUint16(b[22:], flags)
	le.PutUint64(b[32:], base)
	at := 56
	for i, a := range attrs {
		a.id = uint16(i)
		at += copy(b[at:], a.encode())
	}
	le.PutUint32(b[at:], layout.EndMarker)
	le.PutUint32(b[24:], uint32(at+8))
	protect(b, 48)
	return b
}

func tinyRef(number int) uint64 { return uint64(number) | uint64(number)<<48 }

func encodeName(parent int, name string, flags uint32, namespace byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, fileNameLen)
	le.PutUint64(b, tinyRef(parent))
	le.PutUint32(b[56:], flags)
	n := utf16le(name)
	b[64], b[65] = byte(len(n)/2), namespace
	return append(b, n...)
}

func standard() attr {
	b := make([]byte, 72)
	for i := range 4 {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(130000000000000000+i))
	}
	b[32] = byte(AttrArchive)
	return attr{typ: typeStandardInformation, value: b}
}

func named(parent int, name string, flags uint32) attr {
	return attr{typ: typeFileName, value: encodeName(parent, name, flags, NamespacePOSIX)}
}

// encodeEntry makes an index entry; child below 0 for none, an empty key for the last one.
func encodeEntry(target int, key []byte, child int64) []byte {
	le := binary.LittleEndian
	n := (16 + len(key) + 7) &^ 7
	b := make([]byte, n, n+8)
	copy(b[16:], key)
	le.PutUint16(b[10:], uint16(len(key)))
	if len(key) == 0 {
		b[12] = entryLast
	} else {
		le.PutUint64(b, tinyRef(target))
	}
	if child >= 0 {
		b[12] |= entryHasChild
		b = le.AppendUint64(b, uint64(child))
	}
	le.PutUint16(b[8:], uint16(len(b)))
	return b
}

// encodeNode puts an index header before entries.
func encodeNode(first int, entries ...[]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, first)
	all := slices.Concat(entries...)
	le.PutUint32(b[0:], uint32(first))
	le.PutUint32(b[4:], uint32(first+len(all)))
	le.PutUint32(b[8:], uint32(first+len(all)))
	for _, e := range entries {
		b[12] |= e[12] & entryHasChild
	}
	return append(b, all...)
}

func indexRoot(entries ...[]byte) attr {
	b := make([]byte, 16)
	b[0], b[4], b[9], b[12] = typeFileName, 1, 0x10, 1
	return attr{typ: typeIndexRoot, name: "$I30", value: append(b, encodeNode(16, entries...)...)}
}

func indexBlock(vcn uint64, entries ...[]byte) []byte {
	b := make([]byte, 4096)
	copy(b, "INDX")
	binary.LittleEndian.PutUint64(b[16:], vcn)
	copy(b[24:], encodeNode(40, entries...))
	protect(b, 40)
	return b
}

func listed(typ uint32, low uint64, record int, id uint16) []byte {
	le := binary.LittleEndian
	b := make([]byte, 32)
	le.PutUint32(b[0:], typ)
	le.PutUint16(b[4:], 32)
	le.PutUint64(b[8:], low)
	le.PutUint64(b[16:], tinyRef(record))
	le.PutUint16(b[24:], id)
	return b
}

// tinyContent is the content of cluster i of the data area.
func tinyContent(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, tinyCluster) }

// tinyVolume makes the volume: /file.txt (with a stream), /big (hole, not wholly initialized), /dir/inner, /junction
// and /listed (its second cluster mapped by an extension record). The root's index has two blocks below its root node.
func tinyVolume() []byte {
	v := make([]byte, 64*tinyCluster+512)
	boot := bootSector(2, 8, 0xf6, 64*8)
	boot[0x30], boot[0x38], boot[0x44] = tinyMFT, tinyMirror, 1
	copy(v, boot)
	copy(v[64*tinyCluster:], boot)
	put := func(b []byte, number int) {
		copy(v[tinyMFT*tinyCluster+number*1024:], b)
		if number < 4 {
			copy(v[tinyMirror*tinyCluster+number*1024:], b)
		}
	}
	for i := range tinyRecords {
		put(encodeRecord(i, 0, 0), i)
	}
	file, dir := uint16(layout.RecordInUse), uint16(layout.RecordInUse|layout.RecordDirectory)
	const mftSize = tinyRecords * 1024
	put(encodeRecord(0, file, 0, standard(), named(5, "$MFT", 6),
		attr{typ: typeData, mapped: true, high: 11, size: mftSize, init: mftSize, pairs: []byte{0x11, 12, tinyMFT, 0}},
		attr{typ: typeBitmap, value: []byte{1<<0 | 1<<3 | 1<<5 | 1<<6, 0, 0, 0x7f, 0, 0, 0, 0}}), 0) // recFile to recInner
	put(encodeRecord(3, file, 0, standard(), named(5, "$Volume", 6), attr{typ: typeVolumeName, value: utf16le("Tiny")},
		attr{typ: typeVolumeInformation, value: []byte{0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 1, 0}}), 3)
	put(encodeRecord(5, dir, 0, standard(), named(5, ".", attrIndexed),
		indexRoot(encodeEntry(recDir, encodeName(5, "dir", attrIndexed, 0), 0), encodeEntry(0, nil, 1)),
		attr{typ: typeIndexAllocation, name: "$I30", mapped: true, high: 1, size: 8192, init: 8192, pairs: []byte{0x11, 2, tinyIndex, 0}},
		attr{typ: typeBitmap, name: "$I30", value: []byte{3, 0, 0, 0, 0, 0, 0, 0}}), 5)
	put(encodeRecord(6, file, 0, standard(), attr{typ: typeData, value: []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0}}), 6)
	put(encodeRecord(recFile, file, 0, standard(), named(5, "file.txt", 0),
		attr{typ: typeFileName, value: encodeName(5, "FILE~1.TXT", 0, NamespaceDOS)}, attr{typ: typeData, value: []byte("hello")},
		attr{typ: typeData, name: "s", value: []byte("stream")}), recFile)
	put(encodeRecord(recBig, file, 0, standard(), named(5, "big", 0), attr{typ: typeData, mapped: true, flags: layout.Sparse, high: 5,
		size: 6*tinyCluster - 9, init: 4*tinyCluster + 5, pairs: []byte{0x11, 1, tinyData, 0x01, 1, 0x11, 4, 1, 0}}), recBig)
	put(encodeRecord(recDir, dir, 0, standard(), named(5, "dir", attrIndexed),
		indexRoot(encodeEntry(recInner, encodeName(recDir, "inner", 0, 0), -1), encodeEntry(0, nil, -1))), recDir)
	put(encodeRecord(recInner, file, 0, standard(), named(recDir, "inner", 0), attr{typ: typeData}), recInner)
	put(encodeRecord(recJunction, dir, 0, standard(), named(5, "junction", attrIndexed|uint32(AttrReparse)), indexRoot(encodeEntry(0, nil, -1)),
		attr{typ: typeReparsePoint, value: reparseLink(TagMountPoint, `\??\C:\dir`, `C:\dir`)}), recJunction)
	put(encodeRecord(recListed, file, 0, standard(),
		attr{typ: typeAttributeList, value: slices.Concat(listed(typeStandardInformation, 0, recListed, 0), listed(typeFileName, 0, recListed, 2),
			listed(typeData, 0, recListed, 3), listed(typeData, 1, recExtension, 0))},
		named(5, "listed", 0), attr{typ: typeData, mapped: true, high: 0, size: 2 * tinyCluster, init: 2 * tinyCluster, pairs: []byte{0x11, 1, tinyData, 0}}), recListed)
	put(encodeRecord(recExtension, file, tinyRef(recListed), attr{typ: typeData, mapped: true, low: 1, high: 1, pairs: []byte{0x11, 1, tinyData + 1, 0}}), recExtension)
	copy(v[tinyIndex*tinyCluster:], indexBlock(0, encodeEntry(5, encodeName(5, ".", attrIndexed, 0), -1),
		encodeEntry(recBig, encodeName(5, "big", 0, 0), -1), encodeEntry(0, nil, -1)))
	copy(v[(tinyIndex+1)*tinyCluster:], indexBlock(1, encodeEntry(recFile, encodeName(5, "file.txt", 0, 0), -1),
		encodeEntry(recFile, encodeName(5, "FILE~1.TXT", 0, NamespaceDOS), -1),
		encodeEntry(recJunction, encodeName(5, "junction", attrIndexed|uint32(AttrReparse), 0), -1),
		encodeEntry(recListed, encodeName(5, "listed", 0, 0), -1), encodeEntry(0, nil, -1)))
	for i := range 6 {
		copy(v[(tinyData+i)*tinyCluster:], tinyContent(i))
	}
	return v
}

// tinyFiles is every stream of the volume: path and content.
func tinyFiles() map[string]string {
	c := func(i int) string { return string(tinyContent(i)) }
	zero := strings.Repeat("\x00", tinyCluster)
	return map[string]string{
		"file.txt": "hello", "file.txt:s": "stream", "dir/inner": "", "listed": c(0) + c(1),
		"big": (c(0) + zero + c(1) + c(2) + c(3)[:5] + zero + zero)[:6*tinyCluster-9],
	}
}
