package ntfs

import (
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// Confirm asks the directories that a node in use names as its parents what they have by those names. It returns an error
// that wraps layer.ErrCorrupt where a sound one has nothing, or another file, or where the parent is no directory: then one
// of the two is wrong, and the names, the sequence number or the use of the node's record prove nothing. What is in no
// directory that can be read is confirmed.
func (n *Node) Confirm() error {
	for x := range n.fileNames() {
		if x.namespace == NamespaceDOS {
			continue
		}
		dir, err := n.tree.Node(x.parent)
		if err == nil && !dir.dir || errors.Is(err, ErrStale) && x.parent.Record < n.tree.records {
			return fmt.Errorf("%v: %v, which the name %q is in, is no directory that is there: %w", n.Ref, x.parent, wintype.DecodeUTF16(x.name), layer.ErrCorrupt)
		}
		if err != nil {
			continue
		}
		switch ref, known := dir.entryOf(x.name); {
		case !known || ref == n.Ref:
		case ref == Ref{}:
			return fmt.Errorf("%v: directory %v has no entry %q of it: %w", n.Ref, x.parent, wintype.DecodeUTF16(x.name), layer.ErrCorrupt)
		default:
			return fmt.Errorf("%v: directory %v has the entry %q for %v: %w", n.Ref, x.parent, wintype.DecodeUTF16(x.name), ref, layer.ErrCorrupt)
		}
	}
	return nil
}

// entryOf returns what the index of a directory has by a UTF-16LE name, without a look at file records; zero for nothing.
// Known is false where damage may hide an entry, or the node has no index.
func (n *Node) entryOf(name []byte) (ref Ref, known bool) {
	d, err := n.directory()
	if err != nil {
		return Ref{}, false
	}
	var room nameRoom
	s := search{d: d, err: d.damage, key: n.tree.foldUTF16(name, &room)}
	if s.node(d.root, 0); s.err != nil && s.rank < rankSame {
		s.sweep()
	}
	return s.ref, s.rank > 0 || s.err == nil
}

// indexHas reports whether the index of the directory of a name leads to that record by it; Seq 0 is any.
func (t *Tree) indexHas(name Name, r Ref) bool {
	dir, err := t.Node(name.Parent)
	if err != nil {
		return false
	}
	units := wintype.EncodeUTF16(name.Name)
	if len(units) > maxName {
		return false
	}
	ref, known := dir.entryOf(bytesUTF16(units))
	return known && ref != (Ref{}) && ref.Record == r.Record && (r.Seq == 0 || ref.Seq == r.Seq)
}

// contradicted is why it is not known whether a record is in use: where $MFT:$BITMAP contradicts its own flag, the
// directories of its names decide. On a volume in use the bitmap may be behind, but not both; and the deletion of a file
// would have incremented the sequence number, which the directory has, too.
func (t *Tree) contradicted(r *fileRecord) error {
	inUse := r.flags&layout.RecordInUse != 0
	if r.ref.Record < firstUser || r.base != (Ref{}) || !inUse && !r.describes() {
		return nil
	}
	if used, err := t.allocated(r.ref.Record); err != nil || used == inUse {
		return nil
	}
	names, _ := t.newNode(r).Names() // of what is damaged, what is left
	listed := slices.ContainsFunc(names, func(x Name) bool { return t.indexHas(x, r.ref) })
	switch {
	case listed == inUse:
		return nil
	case inUse:
		return fmt.Errorf("%v: in use by its own record, free by $MFT:$BITMAP and in no directory: %w", r.ref, layer.ErrCorrupt)
	}
	return fmt.Errorf("%v: not in use by its own record, in use by $MFT:$BITMAP and its directory: %w", r.ref, layer.ErrCorrupt)
}

// errExtends says that a record cannot be an extension: $STANDARD_INFORMATION is in base records, and never elsewhere.
var errExtends = errors.New("an extension record by its header, with the $STANDARD_INFORMATION of a file")

// checkExtension is an error for a record in use whose header says that it is an extension of another, and whose content
// says that it is none.
func (r *fileRecord) checkExtension() error {
	if r.flags&layout.RecordInUse == 0 {
		return nil
	}
	if c := r.cursor(); c.next() && c.typ == typeStandardInformation {
		return &layer.CorruptError{Struct: "file record", Off: r.off, Err: errExtends}
	}
	return nil
}

// isDir weighs the flag of the record against the name and the index, which say whether it is a directory's, too.
func (n *Node) isDir(r *fileRecord) bool {
	dir := r.flags&layout.RecordDirectory != 0
	if n.Links == 0 || n.namedDir != n.indexed || n.indexed == dir || n.Damage != nil {
		return dir
	}
	n.tree.warn(fmt.Errorf("%v: the flag of its record says directory %v, its name and its index %v, which is believed", r.ref, dir, n.indexed))
	return n.indexed
}
