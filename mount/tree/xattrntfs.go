package tree

import (
	"encoding/binary"
	"slices"

	"snapmount/ntfs"
)

// ntfsXattrs are ntfs-3g's attributes, with its layouts (ntfs-3g(8), libntfs-3g/xattrs.c): values as they are on the
// volume, and numbers in little-endian byte order, in the names that end in _be big-endian. Listed is what a copy to a
// volume of ntfs-3g has to set, once, in the order of this table: times last, which setting others changes.
var ntfsXattrs = []ntfsXattr{
	{SystemPrefix + "ntfs_acl", (*ntfs.Node).Security, func(_ *ntfs.Node, m ntfs.Metadata) bool { return m.Security }},
	{SystemPrefix + "ntfs_object_id", objectID, func(_ *ntfs.Node, m ntfs.Metadata) bool { return m.ObjectID }},
	{SystemPrefix + "ntfs_ea", (*ntfs.Node).RawEA, func(_ *ntfs.Node, m ntfs.Metadata) bool { return m.EA }},
	{SystemPrefix + "ntfs_efsinfo", (*ntfs.Node).EFS, func(_ *ntfs.Node, m ntfs.Metadata) bool { return m.EFS }},
	{SystemPrefix + "ntfs_reparse_data", (*ntfs.Node).RawReparse, reparseListed},
	{SystemPrefix + "ntfs_dos_name", dosName, dosNameListed},
	{SystemPrefix + "ntfs_attrib", attrib, func(n *ntfs.Node, _ ntfs.Metadata) bool { return !isDirLink(n) }},
	{SystemPrefix + "ntfs_attrib_be", reversed(attrib, 4), never},
	{SystemPrefix + "ntfs_crtime", creation, never},
	{SystemPrefix + "ntfs_crtime_be", reversed(creation, 8), never},
	{SystemPrefix + "ntfs_times", times, always},
	{SystemPrefix + "ntfs_times_be", reversed(times, 8), never},
}

type ntfsXattr struct {
	name   string
	get    func(*ntfs.Node) ([]byte, error)
	listed func(*ntfs.Node, ntfs.Metadata) bool
}

func always(*ntfs.Node, ntfs.Metadata) bool { return true }
func never(*ntfs.Node, ntfs.Metadata) bool  { return false }

// reparseListed leaves out what would be wrong of a copy: it has the content of a compressed file unpacked, and a link
// to a directory is a link to anything there, where Windows wants a directory.
func reparseListed(n *ntfs.Node, m ntfs.Metadata) bool {
	return m.Reparse && n.ReparseTag != ntfs.TagWOF && !isDirLink(n)
}

func isDirLink(n *ntfs.Node) bool {
	return n.Kind == ntfs.KindSymlink && n.Attr&ntfs.AttrDirectory != 0
}

// dosNameListed leaves out files of several names: a copy might give the short name to the wrong one.
func dosNameListed(n *ntfs.Node, _ ntfs.Metadata) bool {
	if n.Links != 1 {
		return false
	}
	name, err := n.DOSName()
	return name != "" || err != nil
}

// reversed changes the byte order of numbers of that many bytes.
func reversed(get func(*ntfs.Node) ([]byte, error), size int) func(*ntfs.Node) ([]byte, error) {
	return func(n *ntfs.Node) ([]byte, error) {
		b, err := get(n)
		for number := range slices.Chunk(b, size) {
			slices.Reverse(number)
		}
		return b, err
	}
}

func objectID(n *ntfs.Node) ([]byte, error) {
	o, err := n.ObjectID()
	return o.Raw, err
}

func dosName(n *ntfs.Node) ([]byte, error) {
	name, err := n.DOSName()
	if name == "" && err == nil {
		err = ErrNoXattr
	}
	return []byte(name), err
}

// attrib gives the attributes; where there are none, the one that stands for none.
func attrib(n *ntfs.Node) ([]byte, error) {
	const normal = 0x80
	a := uint32(n.Attr)
	if a == 0 {
		a = normal
	}
	return binary.LittleEndian.AppendUint32(nil, a), standardDamage(n)
}

func creation(n *ntfs.Node) ([]byte, error) {
	return binary.LittleEndian.AppendUint64(nil, uint64(n.Times.Created)), standardDamage(n)
}

func times(n *ntfs.Node) ([]byte, error) {
	le, t := binary.LittleEndian, n.Times
	b := le.AppendUint64(nil, uint64(t.Created))
	b = le.AppendUint64(b, uint64(t.Modified))
	b = le.AppendUint64(b, uint64(t.Accessed))
	return le.AppendUint64(b, uint64(t.Changed)), standardDamage(n)
}

// standardDamage is why the node's $STANDARD_INFORMATION was not found.
func standardDamage(n *ntfs.Node) error {
	if n.Times == (ntfs.Times{}) {
		return n.Damage
	}
	return nil
}
