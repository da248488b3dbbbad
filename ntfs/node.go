package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// Ref is a file reference: a record number, and the sequence number that tells its users apart. Seq 0 is any.
type Ref struct {
	Record uint64
	Seq    uint16
}

// recordMask is the part of a reference that is the record number.
const recordMask = 1<<48 - 1

func decodeRef(v uint64) Ref { return Ref{Record: v & recordMask, Seq: uint16(v >> 48)} }

// mix spreads the bits of a reference, so that sets of them can be told apart by their combined bits.
func (r Ref) mix() uint64 {
	v := (r.Record | uint64(r.Seq)<<48) * 0x9e3779b97f4a7c15
	return v ^ v>>29
}

func (r Ref) String() string { return fmt.Sprintf("%d-%d", r.Record, r.Seq) }

// Kind is what a node is to a user.
type Kind uint8

const (
	KindFile Kind = iota
	KindDir
	KindSymlink // a symbolic link or a mount point (junction), to a file or a directory

	// What programs of Unix keep on NTFS. The unnamed stream of such a node is what stands for it.
	KindCharDevice
	KindBlockDevice
	KindFIFO
	KindSocket
)

// String names a kind, in one word.
func (k Kind) String() string {
	return [...]string{"file", "dir", "symlink", "chardev", "blockdev", "fifo", "socket"}[k]
}

// FileAttr are the DOS attributes, with AttrDirectory on every directory.
type FileAttr uint32

// The attributes, [MS-FSCC] 2.6.
const (
	AttrReadOnly     FileAttr = 0x1
	AttrHidden       FileAttr = 0x2
	AttrSystem       FileAttr = 0x4
	AttrDirectory    FileAttr = 0x10
	AttrArchive      FileAttr = 0x20
	AttrTemporary    FileAttr = 0x100
	AttrSparse       FileAttr = 0x200
	AttrReparse      FileAttr = 0x400
	AttrCompressed   FileAttr = 0x800
	AttrOffline      FileAttr = 0x1000
	AttrNotIndexed   FileAttr = 0x2000
	AttrEncrypted    FileAttr = 0x4000
	AttrIntegrity    FileAttr = 0x8000
	AttrNoScrub      FileAttr = 0x20000
	AttrRecallOnOpen FileAttr = 0x40000
	AttrPinned       FileAttr = 0x80000
	AttrUnpinned     FileAttr = 0x100000
	AttrRecallOnData FileAttr = 0x400000

	// attrIndexed is set for directories in $FILE_NAME, where AttrDirectory is not.
	attrIndexed = 0x10000000
	attrViews   = 0x20000000 // has another index
)

// attrNames gives each attribute a letter, as attrib shows where it does, and a word.
var attrNames = [...]struct {
	attr   FileAttr
	letter byte
	word   string
}{
	{AttrReadOnly, 'R', "readonly"}, {AttrHidden, 'H', "hidden"}, {AttrSystem, 'S', "system"}, {AttrDirectory, 'D', "directory"},
	{AttrArchive, 'A', "archive"}, {AttrTemporary, 'T', "temporary"}, {AttrSparse, 'Z', "sparse"}, {AttrReparse, 'L', "reparse"},
	{AttrCompressed, 'C', "compressed"}, {AttrOffline, 'O', "offline"}, {AttrNotIndexed, 'I', "notindexed"},
	{AttrEncrypted, 'E', "encrypted"}, {AttrIntegrity, 'V', "integrity"}, {AttrNoScrub, 'X', "noscrub"},
	{AttrRecallOnOpen, 'Q', "recallonopen"}, {AttrPinned, 'P', "pinned"}, {AttrUnpinned, 'U', "unpinned"},
	{AttrRecallOnData, 'M', "recallondata"},
}

// String gives a letter for each known attribute that is set.
func (a FileAttr) String() string {
	var out strings.Builder
	for _, n := range attrNames {
		if a&n.attr != 0 {
			out.WriteByte(n.letter)
		}
	}
	return out.String()
}

// Words gives a word for each known attribute that is set.
func (a FileAttr) Words() []string {
	var out []string
	for _, n := range attrNames {
		if a&n.attr != 0 {
			out = append(out, n.word)
		}
	}
	return out
}

// A Node is a file or directory, as its base record says. It is immutable.
type Node struct {
	Ref        Ref
	Kind       Kind
	Attr       FileAttr
	Times      Times
	Links      int    // hard links: names that are not 8.3 names
	Size       int64  // bytes of the unnamed stream, capped by what the volume can hold
	Allocated  int64  // bytes of clusters of the content, without holes; 0 when resident
	HasData    bool   // the unnamed stream was found; without it and with Damage, Size is not known
	Resident   bool   // the unnamed stream is in the record
	Deleted    bool   // the record is not in use: see Tree.Deleted
	ReparseTag uint32 // 0 for none
	LSN        uint64 // log sequence number of the last change of the base record; 0 by drivers that keep no log

	// Of $STANDARD_INFORMATION as NTFS 3 has it; zero on older volumes.
	OwnerID, SecurityID uint32 // SecurityID is the key of the security descriptor in $Secure
	QuotaCharged        uint64 // bytes
	USN                 int64  // of the last record about the file in the change journal

	Damage error // what of the record could not be read, nil when it is sound; the rest of the node is there

	tree        *Tree
	dir         bool
	special     Kind        // what reparse point or content make of it; KindFile for nothing
	packed      int64       // bytes of the stream that WOF keeps the content in
	parent      uint64      // record of the first name's directory
	list        []attribute // all attributes, where there is an attribute list
	extensions  []uint64    // numbers of the extension records
	doubtful    bool        // the attribute list does not say what they do
	hasStandard bool        // it has $STANDARD_INFORMATION
	namedDir    bool        // its names say that it is a directory
	indexed     bool        // it has the index of a directory
	own         *fileRecord // where the node keeps its record
}

// Node returns the node of a base record in use. It wraps ErrStale when r.Seq is neither 0 nor the record's, or the
// record is not in use or not a base record.
func (t *Tree) Node(r Ref) (*Node, error) {
	rec, err := t.record(r.Record)
	if err != nil {
		return nil, err
	}
	switch {
	case rec.flags&layout.RecordInUse == 0:
		return nil, fmt.Errorf("%v: %w: the record is not in use", r, ErrStale)
	case r.Seq != 0 && r.Seq != rec.ref.Seq:
		return nil, fmt.Errorf("%v: %w: the record is %v now", r, ErrStale, rec.ref)
	case rec.base != Ref{}:
		return nil, fmt.Errorf("%v: %w: the record is an extension of %v", r, ErrStale, rec.base)
	}
	return t.newNode(&rec), nil
}

func (t *Tree) newNode(r *fileRecord) *Node {
	n := new(Node)
	t.fillNode(n, r)
	return n
}

func (t *Tree) fillNode(n *Node, r *fileRecord) {
	*n = Node{Ref: r.ref, Deleted: r.flags&layout.RecordInUse == 0, LSN: r.lsn, tree: t}
	c := r.cursor()
	listed := false
	for !listed && c.next() {
		listed = c.typ == typeAttributeList
		n.absorb(&c.attribute)
	}
	if c.err != nil {
		n.Damage = errors.Join(n.Damage, c.err)
	}
	if listed {
		n.gather(r)
	}
	n.settle(r)
	if !n.hasStandard && n.Links == 0 && !n.Deleted && n.Damage == nil && n.Ref.Record >= firstUser {
		n.Damage = fmt.Errorf("a base record by its header, without $STANDARD_INFORMATION and $FILE_NAME: %w", layer.ErrCorrupt)
	}
	if n.Damage != nil {
		n.Damage = fmt.Errorf("%v: %w", n.Ref, n.Damage)
	}
}

// gather fills the node anew, from all records of a file with an attribute list.
func (n *Node) gather(r *fileRecord) {
	t := n.tree
	*n = Node{Ref: n.Ref, Deleted: n.Deleted, LSN: n.LSN, tree: t}
	all, err := t.attributes(r)
	n.list, n.extensions, n.doubtful, n.Damage = all.list, all.extensions, all.doubt != nil, err
	if all.doubt != nil && !n.Deleted {
		t.warn(fmt.Errorf("%v: the records of the file are taken for right: %w", r.ref, all.doubt))
	}
	for i := range n.list {
		n.absorb(&n.list[i])
	}
}

// settle decides what the attributes make of the node together.
func (n *Node) settle(r *fileRecord) {
	if n.Attr &^= AttrDirectory; n.isDir(r) {
		n.dir, n.Kind = true, KindDir
		n.Attr |= AttrDirectory
	}
	if n.special != KindFile && (!n.dir || n.special == KindSymlink) {
		n.Kind = n.special
	}
	if n.ReparseTag == TagWOF { // its unnamed stream is a hole
		n.Allocated = n.packed
	}
}

// absorb takes what one attribute says of the node.
func (n *Node) absorb(a *attribute) {
	if a.err != nil {
		n.Damage = errors.Join(n.Damage, a.err)
		return
	}
	switch a.typ {
	case typeStandardInformation:
		n.hasStandard = true
		n.standard(a.value)
	case typeFileName:
		n.fileName(a.value)
	case typeData:
		n.data(a)
	case typeIndexRoot:
		n.indexed = n.indexed || a.is(typeIndexRoot, "$I30")
	case typeReparsePoint:
		n.reparse(a)
	default:
		if a.typ%typeStandardInformation != 0 || a.typ > maxType {
			n.Damage = errors.Join(n.Damage, fmt.Errorf("attribute of type 0x%x, which there is not: %w", a.typ, layer.ErrCorrupt))
		}
	}
}

// fileName takes the value of a $FILE_NAME.
func (n *Node) fileName(b []byte) {
	if len(b) < fileNameLen {
		return
	}
	if n.Links == 0 {
		n.parent = decodeRef(binary.LittleEndian.Uint64(b)).Record
	}
	n.namedDir = binary.LittleEndian.Uint32(b[56:])&attrIndexed != 0
	if b[65] != NamespaceDOS {
		n.Links++
	}
}

// data takes the first extent of the content, or of the stream that WOF keeps it in.
func (n *Node) data(a *attribute) {
	if a.low != 0 {
		return
	}
	switch {
	case len(a.name) == 0:
		info := n.tree.streamInfo(a)
		n.Size, n.Allocated, n.HasData, n.Resident = info.Size, info.Allocated, true, info.Resident
		if n.Attr&AttrSystem != 0 {
			n.special = n.interixKind(a)
		}
	case a.is(typeData, wofStream):
		info := n.tree.streamInfo(a)
		n.packed = info.Allocated
		if info.Resident {
			n.packed = info.Size
		}
	}
}

// standard takes the value of $STANDARD_INFORMATION, of which NTFS 3 has 72 bytes and older ones at least 36.
func (n *Node) standard(b []byte) {
	le := binary.LittleEndian
	if len(b) < 36 {
		n.Damage = errors.Join(n.Damage, fmt.Errorf("$STANDARD_INFORMATION: %w", errTooShort))
		return
	}
	n.Times, n.Attr = decodeTimes(b), FileAttr(le.Uint32(b[32:]))
	if len(b) >= 72 {
		n.OwnerID, n.SecurityID = le.Uint32(b[48:]), le.Uint32(b[52:])
		n.QuotaCharged, n.USN = le.Uint64(b[56:]), int64(le.Uint64(b[64:]))
	}
}

// reparse takes the tag of a reparse point, and what that makes of the node.
func (n *Node) reparse(a *attribute) {
	b, err := n.tree.read(n.Ref, a, maxReparse)
	if err == nil && len(b) < 8 {
		err = errTooShort
	}
	if err != nil {
		n.Damage = errors.Join(n.Damage, fmt.Errorf("reparse point: %w", err))
		return
	}
	n.ReparseTag = binary.LittleEndian.Uint32(b)
	n.special = reparseKind(n.ReparseTag, b)
}

// Tree is the tree that the node is of.
func (n *Node) Tree() *Tree { return n.tree }

// Metafile reports whether the node is a system file, such as $MFT, or a direct child of $Extend.
func (n *Node) Metafile() bool { return isMetafile(n.Ref.Record, n.parent) }

func isMetafile(record, parent uint64) bool {
	return record < firstUser && record != recordRoot || parent == recordExtend
}

// attributes returns all attributes of the node. They may alias the record.
func (n *Node) attributes() ([]attribute, error) {
	if n.list != nil {
		return n.list, n.Damage
	}
	r := n.own
	if r == nil {
		rec, err := n.tree.record(n.Ref.Record)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n.Ref, err)
		}
		r = &rec
	}
	list, err := r.attributes()
	if err != nil {
		err = fmt.Errorf("%v: %w", n.Ref, err)
	}
	return list, err
}

// each gives f the attributes of the node, as attributes does, until it reports false. They are f's for the call.
func (n *Node) each(f func(*attribute) bool) error {
	if n.list != nil {
		for i := 0; i < len(n.list) && f(&n.list[i]); i++ {
		}
		return n.Damage
	}
	r := n.own
	if r == nil {
		rec, err := n.tree.record(n.Ref.Record)
		if err != nil {
			return fmt.Errorf("%v: %w", n.Ref, err)
		}
		r = &rec
	}
	c := r.cursor()
	for c.next() && f(&c.attribute) {
	}
	if c.err != nil {
		return fmt.Errorf("%v: %w", n.Ref, c.err)
	}
	return nil
}

var _ layer.Mapper = (*stream)(nil)
