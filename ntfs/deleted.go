package ntfs

import (
	"fmt"
	"io/fs"
	"iter"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// live is the reference that led to the record while its file was there: the deletion of a file increments the
// sequence numbers of its records, and passes over 0.
func (r *fileRecord) live() Ref {
	ref := r.ref
	if r.flags&layout.RecordInUse == 0 {
		if ref.Seq--; ref.Seq == 0 {
			ref.Seq--
		}
	}
	return ref
}

// Deleted yields the nodes of deleted files: the base records that are not in use and still describe something, in
// the order of their numbers. Records never used are passed over. What cannot be read is yielded as an error that names
// its records, and the iteration goes on.
//
// A deleted node works as any other, from its own record. The Seq of its Ref is one more than that of references to
// the file, for deletion increments it. Extension records that have a new owner are missing, which Damage tells, and
// clusters may have one: see Reuse. Some drivers (ntfs-3g) take the names out of the record.
func (t *Tree) Deleted() iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		size := int64(t.geo.record)
		for w, err := range layer.Scan(t.mft, int64(t.records)*size, size, scanWindow) {
			if err != nil {
				err = fmt.Errorf("file records %d to %d: %w", w.Off/size, (w.Off+w.Len)/size-1, err)
				if !yield(nil, err) {
					return
				}
				continue
			}
			for at := int64(0); at < w.Len; at += size {
				n, err := t.deletedIn(w.Data[at:][:size], uint64((w.Off+at)/size))
				if (n != nil || err != nil) && !yield(n, err) {
					return
				}
			}
		}
	}
}

// deletedIn returns the node of a deleted file in b, the raw record of that number; nil when there is none.
func (t *Tree) deletedIn(b []byte, number uint64) (*Node, error) {
	var h layout.FileRecord
	h.Decode(b)
	if string(b[:4]) == layout.FileMagic && h.Flags&layout.RecordInUse != 0 {
		return nil, nil
	}
	if isZero(b) {
		return nil, t.zeroRecord(number)
	}
	var r fileRecord
	off := int64(number) * int64(t.geo.record)
	err := layout.Protected(b, layout.FileMagic, "file record", off)
	if err == nil {
		r, err = decodeRecord(b, number, off)
	}
	if err != nil {
		if r, err = t.record(number); err != nil { // $MFTMirr may have helped
			return nil, fmt.Errorf("file record %d: %w", number, err)
		}
	}
	if r.flags&layout.RecordInUse != 0 || r.base != (Ref{}) || !r.describes() {
		return nil, nil
	}
	if err := t.contradicted(&r); err != nil {
		return nil, err
	}
	return t.newNode(&r), nil
}

// describes reports whether the record has a name, a stream or an index, or a list that may lead to them.
func (r *fileRecord) describes() bool {
	c := r.cursor()
	for c.next() {
		switch c.typ {
		case typeFileName, typeData, typeIndexRoot, typeAttributeList:
			return true
		}
	}
	return false
}

// DeletedNode returns the node of one deleted file, as Deleted does. It wraps ErrStale when the record is in use or is an
// extension record, and fs.ErrNotExist when it describes nothing.
func (t *Tree) DeletedNode(record uint64) (*Node, error) {
	r, err := t.record(record)
	if err != nil {
		return nil, fmt.Errorf("file record %d: %w", record, err)
	}
	switch {
	case r.flags&layout.RecordInUse != 0:
		return nil, fmt.Errorf("%v: %w: the record is in use", r.ref, ErrStale)
	case r.base != Ref{}:
		return nil, fmt.Errorf("%v: %w: the record was an extension of %v", r.ref, ErrStale, r.base)
	case !r.describes():
		return nil, fmt.Errorf("%v: deleted file: %w", r.ref, fs.ErrNotExist)
	}
	return t.newNode(&r), nil
}
