package points

import (
	"bytes"
	"encoding/binary"
	"strings"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// What a FILE record tells of its volume: the number it has of its users, and, at the start of the value of its first
// attribute, $STANDARD_INFORMATION, when the file was made.
const (
	sequenceOffset   = 0x10
	attributesOffset = 0x14
	standardInfo     = 0x10
	valueOffset      = 0x14 // of a resident attribute
	fileName         = 0x30
	rootRecord       = 5
	nameLength       = 0x40 // in the value of $FILE_NAME, before the name
)

// recognize tells by the FILE records in b whether it is an earlier state of what is at off of the volume: 1 for each that
// its $MFT has there, of the same file, and -1 for each that it has elsewhere, or with the same number of its user and made
// at another time. The first block has the GUID of its volume instead. It is 0 where b is neither, and where the volume's
// own cannot be read.
func (v *Volume) recognize(off int64, b []byte) (votes int) {
	if off == 0 {
		return v.isHeader(b)
	}
	if v.Filesystem != "ntfs" || !bytes.HasPrefix(b, []byte("FILE")) {
		return 0
	}
	t, err := v.Current().Files()
	if err != nil {
		return 0
	}
	size := t.RecordSize()
	now := make([]byte, size)
	for at := 0; at+size <= len(b); at += size {
		kept := b[at:][:size]
		number := uint64(binary.LittleEndian.Uint32(kept[numberOffset:]))
		if !isRecord(kept, number) || number >= t.Records() && number > 0 {
			continue
		}
		e, err := t.MFT().At(int64(number)*int64(size), int64(size))
		switch {
		case err != nil || e.Kind != layer.Data || e.Base != t.Volume():
		case e.BaseOff != off+int64(at):
			votes--
		case layer.ReadFull(e.Base, now, e.BaseOff) != nil || !isRecord(now, number):
		default:
			votes += sameFile(kept, now)
		}
	}
	return votes
}

// isHeader compares the volume GUID of a first block with that of v, which counts more than any record.
func (v *Volume) isHeader(b []byte) int {
	const certain = 1 << 20
	h, err := diffstore.ReadHeader(bytes.NewReader(b))
	switch {
	case err != nil || v.header == nil || h.VolumeGUID.IsZero() || v.header.VolumeGUID.IsZero():
		return 0
	case h.VolumeGUID == v.header.VolumeGUID:
		return certain
	}
	return -certain
}

// sameFile is 1 when both records are of one file, -1 when they are not, and 0 when that is not known: two volumes may have
// been made at the same time, with the same first files, and a program may set when a file or the root was made.
func sameFile(a, b []byte) int {
	made, ok := madeAt(a)
	now, ok2 := madeAt(b)
	name, own := nameIn(a), binary.LittleEndian.Uint32(a[numberOffset:])
	switch {
	case !ok || !ok2 || binary.LittleEndian.Uint16(a[sequenceOffset:]) != binary.LittleEndian.Uint16(b[sequenceOffset:]):
		return 0
	case own < firstUser && own != rootRecord && made != now, name != nameIn(b) && made != now:
		return -1
	case name != "" && name == nameIn(b) && made == now:
		return 1
	}
	return 0
}

// nameIn is the first name of a record; "" for what every volume has.
func nameIn(b []byte) string {
	le := binary.LittleEndian
	if le.Uint32(b[numberOffset:]) < firstUser {
		return ""
	}
	for at := int(le.Uint16(b[attributesOffset:])); at+0x18 <= len(b) && le.Uint32(b[at+4:]) >= 0x18; at += int(min(le.Uint32(b[at+4:]), uint32(len(b)))) {
		value := at + int(le.Uint16(b[at+valueOffset:])) + nameLength
		if le.Uint32(b[at:]) != fileName || value+2 > len(b) {
			continue
		}
		name := wintype.DecodeUTF16(b[value+2:][:min(2*int(b[value]), len(b)-value-2)])
		if name == systemFolder || strings.HasSuffix(strings.ToLower(name), vssSuffix) {
			return ""
		}
		return name
	}
	return ""
}

// madeAt is the creation time that a record begins with.
func madeAt(b []byte) (uint64, bool) {
	le := binary.LittleEndian
	at := int(le.Uint16(b[attributesOffset:]))
	if at+0x18 > len(b) || le.Uint32(b[at:]) != standardInfo {
		return 0, false
	}
	if at += int(le.Uint16(b[at+valueOffset:])); at+8 > len(b) {
		return 0, false
	}
	made := le.Uint64(b[at:])
	return made, made != 0
}
