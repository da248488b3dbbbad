package ntfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// Decode returns the node of the base record in raw, the bytes of record number as MFT gives them, in use or deleted. It
// is nil where raw is no base record or describes nothing; zeros
// are an error where $MFT:$BITMAP has the record in use. The node keeps raw, whose fixups are applied, and never reads
// its own record again.
func (t *Tree) Decode(number uint64, raw []byte) (*Node, error) {
	if len(raw) != t.geo.record {
		return nil, fmt.Errorf("file record %d: %d bytes, want %d: %w", number, len(raw), t.geo.record, layer.ErrCorrupt)
	}
	if isZero(raw) {
		return nil, t.zeroRecord(number)
	}
	off := int64(number) * int64(len(raw))
	var r fileRecord
	err := layout.Protected(raw, layout.FileMagic, "file record", off)
	if err == nil {
		r, err = decodeRecord(raw, number, off)
	}
	if err != nil && number < mirrored { // $MFTMirr may help
		r, err = t.record(number)
		r.attrs = bytes.Clone(r.attrs)
	}
	if err != nil {
		return nil, fmt.Errorf("file record %d: %w", number, err)
	}
	if r.base != (Ref{}) || r.flags&layout.RecordInUse == 0 && !r.describes() {
		return nil, nil
	}
	if err := t.contradicted(&r); err != nil {
		return nil, err
	}
	n := t.newNode(&r)
	n.own = &r
	return n, nil
}

// In returns the node as one of another tree, of the same volume at a time when its records were the same: its streams
// are then read there.
func (n *Node) In(t *Tree) *Node {
	m := *n
	m.tree = t
	return &m
}

// Live is the reference that leads, or led, to the file: the deletion of a file increments the Seq of its Ref.
func (n *Node) Live() Ref {
	r := fileRecord{ref: n.Ref, flags: layout.RecordInUse}
	if n.Deleted {
		r.flags = 0
	}
	return r.live()
}

// Dir reports whether the record is a directory's, whatever links it stands for.
func (n *Node) Dir() bool { return n.dir }

// Upper folds a WTF-8 name as the volume's $UpCase does: names that an index takes for one fold to the same.
func (t *Tree) Upper(name string) string {
	table := t.upcase()
	b := make([]byte, 0, 2*len(name))
	for _, c := range wintype.EncodeUTF16(name) {
		b = binary.LittleEndian.AppendUint16(b, table[c])
	}
	return wintype.DecodeUTF16(b)
}

// Extensions gives the numbers of the node's extension records, in order. Most nodes have none.
func (n *Node) Extensions() []uint64 { return n.extensions }

// AttributeList opens the attribute list of a node of Decode where it has clusters of its own; else it is nil.
func (n *Node) AttributeList() layer.Mapper {
	if a := n.attributeList(); a != nil && !a.resident {
		if s, err := n.tree.newStream([]attribute{*a}, n.Ref.String); err == nil {
			return s
		}
	}
	return nil
}

// Listed reports whether the node has an attribute list: it is then made of more than its own record.
func (n *Node) Listed() bool { return n.list != nil }

func (n *Node) attributeList() *attribute {
	if n.list == nil || n.own == nil {
		return nil
	}
	for c := n.own.cursor(); c.next(); {
		if c.typ == typeAttributeList {
			return &c.attribute
		}
	}
	return nil
}

// Digest is the same for two records of one number that say the same of their file: all of it but what NTFS notes for
// itself, as the number of the last change in $LogFile, and but the index of a directory, which tells of others.
func (n *Node) Digest() [sha256.Size]byte {
	list, _ := n.attributes() // what is wrong is in Damage
	sums := make([][sha256.Size]byte, 0, len(list))
	h := sha256.New()
	for i := range list {
		switch a := &list[i]; {
		case a.typ == typeAttributeList:
		case n.dir && (a.is(typeIndexRoot, "$I30") || a.is(typeIndexAllocation, "$I30") || a.is(typeBitmap, "$I30")):
		default:
			h.Reset()
			a.digest(h)
			sums = append(sums, [sha256.Size]byte(h.Sum(nil)))
		}
	}
	slices.SortFunc(sums, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	h.Reset()
	fmt.Fprint(h, n.Ref, n.Deleted, n.dir, n.Damage)
	for i := range sums {
		h.Write(sums[i][:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// digest writes all that an attribute says, so that no two different ones write the same.
func (a *attribute) digest(h hash.Hash) {
	le := binary.LittleEndian
	var room [512]byte
	b := append(room[:0], 0, 0, a.unit)
	if a.resident {
		b[0] = 1
	}
	if a.err != nil {
		b[1] = 1
	}
	b = le.AppendUint16(le.AppendUint32(b, a.typ), a.flags)
	b = append(le.AppendUint32(b, uint32(len(a.name))), a.name...)
	for _, v := range []uint64{a.low, a.high, a.allocated, a.size, a.initialized, a.taken} {
		b = le.AppendUint64(b, v)
	}
	h.Write(append(b, a.value...))
	for n, lcn := range pairs(a.pairs, maxVCN) {
		h.Write(le.AppendUint64(le.AppendUint64(room[:0], uint64(n)), uint64(lcn)))
	}
}
