package tree

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// TimeSamba is a View.Time: snapshots are named as Samba's shadow_copy2 looks for them, and named streams are attributes
// that its streams_xattr reads.
const TimeSamba = "samba"

const (
	sambaName    = "@GMT-2006.01.02-15.04.05"
	sambaAttr    = UserPrefix + "DOSATTRIB"
	sambaStream  = UserPrefix + "DosStream."
	sambaData    = ":$DATA"
	sambaDOSBits = ntfs.AttrReadOnly | ntfs.AttrHidden | ntfs.AttrSystem | ntfs.AttrDirectory | ntfs.AttrArchive
)

// sambaNames names the snapshots of a volume, oldest first. A name has whole seconds: of two in one second the later gets
// that of the next, which notes tell, as what Windows hides, and what has no time.
func sambaNames(list []*points.Point) (names, notes []string) {
	taken := map[time.Time]bool{}
	for _, p := range list {
		t := p.Created().UTC().Truncate(time.Second)
		if p.Created().IsZero() {
			names = append(names, p.Name)
			notes = append(notes, fmt.Sprintf("%s@%s: its time is not known: Samba does not offer it", p.Volume.Name, p.Name))
			continue
		}
		for taken[t] {
			t = t.Add(time.Second)
		}
		taken[t] = true
		name := t.Format(sambaName)
		names = append(names, name)
		switch {
		case !t.Equal(p.Created().UTC().Truncate(time.Second)):
			notes = append(notes, fmt.Sprintf("%s@%s: is %s, as an earlier one has its second", p.Volume.Name, p.Name, name))
		case p.Snapshot.Offline, p.Snapshot.Recovered:
			notes = append(notes, fmt.Sprintf("%s@%s: is %s, and looks like any other", p.Volume.Name, p.Name, name))
		}
	}
	return names, notes
}

// dosAttrib is what Samba keeps of the attributes of a file that Unix has not, and of its creation: xattr_DOSATTRIB of
// version 3, as its xattr.idl has it, in little-endian byte order: an empty text, u16 version twice, u32 which fields count (attributes
// 1, creation 16), u32 attributes, u32 size of the EAs, u64 size, u64 allocated, then the FILETIMEs of creation and change.
func (n Node) dosAttrib() ([]byte, error) {
	file, err := n.owned()
	if err != nil {
		return nil, err
	}
	if err := standardDamage(file); err != nil {
		return nil, err
	}
	a := file.Attr & sambaDOSBits
	if file.Kind == ntfs.KindDir {
		a |= ntfs.AttrDirectory
	}
	le := binary.LittleEndian
	b := le.AppendUint16(le.AppendUint16(make([]byte, 2, 64), 3), 3)
	b = le.AppendUint16(b, 0)
	b = le.AppendUint32(le.AppendUint32(b, 1|16), uint32(a))
	b = append(b, make([]byte, 4+8+8)...)
	return le.AppendUint64(le.AppendUint64(b, uint64(file.Times.Created)), 0), nil
}

// sambaStreamOf returns the stream that an attribute of Samba's streams_xattr is.
func sambaStreamOf(name string) (stream string, ok bool) {
	stream, ok = strings.CutPrefix(name, sambaStream)
	if ok {
		stream, ok = strings.CutSuffix(stream, sambaData)
	}
	return stream, ok && stream != ""
}

// sambaValue is a stream as streams_xattr writes it: with a NUL behind, which it takes off again.
func sambaValue(file *ntfs.Node, stream string) ([]byte, error) {
	b, err := streamValue(file, stream)
	return append(b, 0), err
}
