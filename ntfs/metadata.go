package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/wintype"
)

// Metadata tells what a node has beside names, times, attributes and streams.
type Metadata struct {
	Security, ObjectID, EA, Reparse, EFS bool
}

// Metadata looks at the headers of the node's attributes only. With an error, what could be read is there too.
func (n *Node) Metadata() (Metadata, error) {
	m := Metadata{Security: n.SecurityID != 0}
	err := n.each(func(a *attribute) bool {
		switch a.typ {
		case typeSecurityDescriptor:
			m.Security = true
		case typeObjectID:
			m.ObjectID = true
		case typeEA:
			m.EA = true
		case typeReparsePoint:
			m.Reparse = true
		case typeLoggedUtility:
			m.EFS = m.EFS || a.is(typeLoggedUtility, "$EFS")
		}
		return true
	})
	return m, err
}

// RawReparse returns the node's $REPARSE_POINT as it is on the volume, header included. It wraps fs.ErrNotExist when
// there is none.
func (n *Node) RawReparse() ([]byte, error) {
	b, err := n.value(typeReparsePoint, "", maxReparse)
	if err != nil {
		err = fmt.Errorf("reparse point: %w", err)
	}
	return b, err
}

// DOSName returns the node's 8.3 name, or the one name that serves as both, in capitals; "" where it has none.
func (n *Node) DOSName() (string, error) {
	names, err := n.Names()
	short := ""
	for _, x := range names {
		if x.Namespace == NamespaceDOS || x.Namespace == NamespaceWin32s && short == "" && x.Parent.Record != n.Ref.Record {
			short = x.Name
		}
	}
	table := n.tree.upcase()
	var upper []byte
	for _, c := range wintype.EncodeUTF16(short) {
		upper = binary.LittleEndian.AppendUint16(upper, table[c])
	}
	return wintype.DecodeUTF16(upper), err
}

// IndexAllocated is the bytes of clusters of a directory's index; 0 when that is in the record, or for a file.
func (n *Node) IndexAllocated() (int64, error) {
	if !n.dir {
		return 0, nil
	}
	list, err := n.attributes()
	for i := range list {
		if a := &list[i]; a.is(typeIndexAllocation, "$I30") && a.low == 0 && a.err == nil && !a.resident {
			return n.tree.streamInfo(a).Allocated, nil
		}
	}
	return 0, err
}
