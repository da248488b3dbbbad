package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	typeObjectID = 0x40
	maxObjectID  = 256
)

// An ObjectID is what link tracking knows a file by, [MS-FSCC] 2.4.37.
type ObjectID struct {
	ID                               wintype.GUID
	BirthVolume, BirthObject, Domain wintype.GUID // where the file was made; zero when not known
	Raw                              []byte       // FILE_OBJECTID_BUFFER: ID alone, or all four GUIDs where the other ones are known
}

// ObjectID returns the node's object id. It wraps fs.ErrNotExist when there is none. Where the attribute has the id
// alone, as Windows writes it, the other GUIDs are taken from $Extend\$ObjId; with an error they are missing.
func (n *Node) ObjectID() (ObjectID, error) {
	b, err := n.value(typeObjectID, "", maxObjectID)
	if err == nil && len(b) < 16 {
		err = fmt.Errorf("%v: %w", n.Ref, errTooShort)
	}
	if err != nil {
		return ObjectID{}, fmt.Errorf("object id: %w", err)
	}
	o := ObjectID{Raw: b}
	copy(o.ID[:], b)
	if len(b) >= 64 {
		o.setBirth()
		return o, nil
	}
	entry, err := n.tree.objectEntry(o.ID)
	switch {
	case err != nil:
	case len(entry) < 56:
		err = errTooShort
	case decodeRef(binary.LittleEndian.Uint64(entry)) != n.Ref:
		err = fmt.Errorf("the entry is of %v: %w", decodeRef(binary.LittleEndian.Uint64(entry)), layer.ErrCorrupt)
	default:
		o.Raw = append(b[:16], entry[8:56]...)
		o.setBirth()
	}
	if err != nil {
		err = fmt.Errorf("%v: object id: $ObjId: %w", n.Ref, must(err))
	}
	return o, err
}

func (o *ObjectID) setBirth() {
	copy(o.BirthVolume[:], o.Raw[16:])
	copy(o.BirthObject[:], o.Raw[32:])
	copy(o.Domain[:], o.Raw[48:])
}

// objectEntry returns what $Extend\$ObjId has of an object id: the file reference and the other three GUIDs.
func (t *Tree) objectEntry(id wintype.GUID) ([]byte, error) {
	extend, err := t.Node(Ref{Record: recordExtend})
	if err != nil {
		return nil, err
	}
	file, err := extend.Child("$ObjId")
	if err != nil {
		return nil, err
	}
	index, err := file.view("$O")
	if err != nil {
		return nil, err
	}
	data, ok, err := index.find(id[:])
	if err == nil && !ok {
		err = fmt.Errorf("not in $O: %w", layer.ErrCorrupt)
	}
	return data, err
}
