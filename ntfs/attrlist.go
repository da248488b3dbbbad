package ntfs

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
)

// maxAttributeList is the most that Windows lets an $ATTRIBUTE_LIST grow to.
const maxAttributeList = 256 << 10

// A listEntry says which record holds an attribute, or one extent of it.
type listEntry struct {
	typ  uint32
	name []byte // UTF-16LE
	low  uint64 // VCN
	ref  Ref    // of the record
	id   uint16 // of the attribute, in that record
}

// decodeListEntry decodes the first entry of b and returns what follows it.
func decodeListEntry(b []byte, off int64) (listEntry, []byte, error) {
	le := binary.LittleEndian
	if len(b) < 26 {
		return listEntry{}, nil, layer.Corrupt("attribute list", off, "entry of %d bytes, want 26 at least", len(b))
	}
	e := listEntry{typ: le.Uint32(b[0:])}
	n, nameLen, nameOff := int(le.Uint16(b[4:])), int(b[6]), int(b[7])
	e.low, e.ref, e.id = le.Uint64(b[8:]), decodeRef(le.Uint64(b[16:])), le.Uint16(b[24:])
	if n < 26 || n > len(b) || (nameLen > 0 && nameOff+2*nameLen > n) {
		return e, nil, layer.Corrupt("attribute list", off, "entry of 0x%x bytes with a name of %d characters, 0x%x left", n, nameLen, len(b))
	}
	if nameLen > 0 {
		e.name = b[nameOff:][:2*nameLen]
	}
	return e, b[n:], nil
}

// decodeList decodes an attribute list; with an error, the entries before the damage.
func decodeList(b []byte) ([]listEntry, error) {
	list := make([]listEntry, 0, len(b)/32)
	for at := b; len(at) > 0; {
		e, rest, err := decodeListEntry(at, int64(len(b)-len(at)))
		if err != nil {
			return list, err
		}
		list, at = append(list, e), rest
	}
	return list, nil
}

// readList reads the attribute list that a is.
func (t *Tree) readList(r *fileRecord, a *attribute) ([]listEntry, error) {
	b, err := t.read(r.ref, a, maxAttributeList)
	if err != nil {
		return nil, fmt.Errorf("attribute list: %w", err)
	}
	return decodeList(b)
}

// attributes returns the attributes in the record itself. They alias it.
func (r *fileRecord) attributes() ([]attribute, error) {
	list := make([]attribute, 0, 8)
	c := r.cursor()
	for c.next() {
		list = append(list, c.attribute)
	}
	return list, c.err
}

// extentsOf returns the attributes of that type that match, in the order of their lowest VCN.
func extentsOf(list []attribute, typ uint32, match func(*attribute) bool) []attribute {
	var out []attribute
	for i := range list {
		if list[i].typ == typ && match(&list[i]) {
			out = append(out, list[i])
		}
	}
	slices.SortStableFunc(out, func(a, b attribute) int { return cmp.Compare(a.low, b.low) })
	return out
}

// read returns the value of an attribute of one extent, resident (aliased) or not; limit is the most bytes it may have.
func (t *Tree) read(ref Ref, a *attribute, limit int64) ([]byte, error) {
	if a.err != nil {
		return nil, a.err
	}
	if a.resident {
		return a.value, nil
	}
	return t.readAll([]attribute{*a}, func() string { return ref.String() }, limit)
}

func (t *Tree) readAll(extents []attribute, label func() string, limit int64) ([]byte, error) {
	s, err := t.newStream(extents, label)
	if err != nil {
		return nil, err
	}
	if s.size > limit || s.size > t.src.Size() {
		return nil, fmt.Errorf("%s: attribute 0x%x of 0x%x bytes, want 0x%x at most: %w", label(), extents[0].typ, s.size, limit, layer.ErrCorrupt)
	}
	b := make([]byte, s.size)
	return b, layer.ReadFull(s, b, 0)
}
