package restore

import (
	"encoding/binary"

	"snapmount/ntfs"
)

// xattr is an extended attribute, and what is lost without it. One without value is not set.
type xattr struct {
	what, name string
	value      []byte
}

// ntfsValues gives m as ntfs-3g names it, in an order in which none undoes another.
func ntfsValues(m *Meta) []xattr {
	return []xattr{
		{"permissions", "system.ntfs_acl", m.Security}, {"object id", "system.ntfs_object_id", m.ObjectID},
		{"extended attributes", "system.ntfs_ea", m.EA}, {"reparse data", "system.ntfs_reparse_data", m.Reparse},
		{"short name", "system.ntfs_dos_name", []byte(m.ShortName)}, {"attributes", "system.ntfs_attrib", attributes(m)}, {"times", "system.ntfs_times", times(m)},
	}
}

// times gives the four times in ntfs-3g's order, 64 bits each, little-endian.
func times(m *Meta) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, uint64(m.Created))
	for _, t := range []uint64{uint64(m.Modified), uint64(m.Accessed), uint64(m.Changed)} {
		b = le.AppendUint64(b, t)
	}
	return b
}

// attributes gives those of m as a 32-bit number, little-endian.
func attributes(m *Meta) []byte {
	const normal = 0x80 // none at all
	a := m.Attributes &^ notSet
	if m.Type == "dir" {
		a |= m.Attributes & ntfs.AttrCompressed
	}
	if a == 0 && m.Type != "dir" {
		a = normal
	}
	return binary.LittleEndian.AppendUint32(nil, uint32(a))
}
