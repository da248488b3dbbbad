package ntfs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	// indexHeader is where the index header of an index block, or of $INDEX_ROOT, is.
	indexHeader, rootHeader = 24, 16
	// attrKnown are all attributes that a $FILE_NAME was seen or is documented to have.
	attrKnown = 0x7fffff | attrIndexed | attrViews
	// maxTime is 9999-12-31, the last day that Windows shows.
	maxTime = 2650467743999999999
)

// A SlackEntry is an entry that once was of a directory, found where its index has no entries now. What it says is of
// when it was written. One file may have several.
type SlackEntry struct {
	Name            string // WTF-8
	Ref             Ref    // of the file then
	Namespace       uint8
	Attr            FileAttr
	Size, Allocated int64 // bytes
	Times           Times
	Block           int64 // index block; -1 is $INDEX_ROOT
	Offset          int   // in the block, fixups applied, or in the value of $INDEX_ROOT
	Live            bool  // the directory still has this name for Ref: the entry was moved, not removed
}

// Slack finds removed entries of a directory: behind the last entry of $INDEX_ROOT and of each index block, and in the
// blocks that the index does not use now. Only what is an entry of this directory in every field is taken, so not all
// there was is found. Damage costs its own block; with an error, what could be read is there too.
func (n *Node) Slack() ([]SlackEntry, error) {
	d, err := n.directory()
	if err != nil {
		return nil, err
	}
	r, err := n.tree.record(n.Ref.Record)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", n.Ref, err)
	}
	s := slack{d: d, self: r.live()}
	s.note(d.damage) // of the attributes too
	list, _ := n.attributes()
	s.root(list)
	if d.alloc != nil {
		s.blocks()
	}
	s.markLive(n)
	if more := s.problems - len(s.errs); more > 0 {
		s.errs = append(s.errs, fmt.Errorf("and %d more", more))
	}
	if s.problems > 0 {
		err = fmt.Errorf("directory %v: removed entries may be missing: %w", n.Ref, errors.Join(s.errs...))
	}
	return s.out, err
}

// markLive marks what the directory still has.
func (s *slack) markLive(n *Node) {
	if len(s.out) == 0 {
		return
	}
	type place struct {
		name string
		ref  Ref
	}
	live := map[place]bool{}
	list, _ := n.Children() // what damage hides is told already
	for _, e := range list {
		live[place{e.Name, e.Ref}] = true
	}
	for i := range s.out {
		e := &s.out[i]
		e.Live = live[place{e.Name, e.Ref}]
		if e.Namespace == NamespaceDOS { // which are not listed
			child, err := n.Child(e.Name)
			e.Live = err == nil && child.Ref == e.Ref
		}
	}
}

// A slack search collects the removed entries of a directory.
type slack struct {
	d        *directory
	self     Ref // of the directory, as its entries have it
	out      []SlackEntry
	errs     []error
	problems int
}

func (s *slack) note(err error) {
	if err == nil {
		return
	}
	if s.problems++; s.problems <= maxIndexErrors {
		s.errs = append(s.errs, err)
	}
}

func (s *slack) root(list []attribute) {
	root := i30(list, typeIndexRoot)
	if len(root) == 0 || len(root[0].value) < 32 {
		return // which the directory's damage tells
	}
	b := root[0].value
	if _, err := indexEntries(b[rootHeader:]); err == nil {
		s.search(b, rootHeader+int(binary.LittleEndian.Uint32(b[rootHeader+4:])), -1)
	}
}

func (s *slack) blocks() {
	size := s.d.blockSize
	for w, err := range layer.Scan(s.d.alloc, s.d.limit*size, size, scanWindow) {
		if err != nil {
			s.note(fmt.Errorf("0x%x bytes of index blocks at 0x%x: %w", w.Len, w.Off, err))
			continue
		}
		for at := int64(0); at < w.Len; at += size {
			s.block(w.Data[at:][:size], (w.Off+at)/size)
		}
	}
}

// block searches a raw index block. One that is not in use was never written, or is as it was when it was given up: all
// of its entries are removed ones.
func (s *slack) block(b []byte, number int64) {
	le := binary.LittleEndian
	used := s.d.inUse(number)
	if !used && le.Uint32(b) == 0 {
		return
	}
	if _, err := s.d.decodeBlock(b, number); err != nil {
		s.note(err)
		return
	}
	from := le.Uint32(b[indexHeader:])
	if used {
		from = le.Uint32(b[indexHeader+4:])
	}
	s.search(b, indexHeader+int(from), number)
}

// search takes the entries in b from an offset on. Where an entry was moved over others, what is left of them starts
// anywhere, at a multiple of 8.
func (s *slack) search(b []byte, from int, block int64) {
	for at := (from + 7) &^ 7; at+16+fileNameLen <= len(b); {
		ref, f, size := s.entry(b[at:])
		if size == 0 {
			at += 8
			continue
		}
		s.out = append(s.out, SlackEntry{Name: wintype.DecodeUTF16(f.name), Ref: ref, Namespace: f.namespace, Attr: f.fileAttr(),
			Size: int64(f.size), Allocated: int64(f.allocated), Times: f.times, Block: block, Offset: at})
		at += size
	}
}

// entry decodes the index entry at the start of b, and its size; 0 when it is none of this directory.
func (s *slack) entry(b []byte) (Ref, fileName, int) {
	le := binary.LittleEndian
	ref := decodeRef(le.Uint64(b[0:]))
	size, key, flags := int(le.Uint16(b[8:])), int(le.Uint16(b[10:])), le.Uint16(b[12:])
	want := (16 + key + 7) &^ 7
	if flags&entryHasChild != 0 {
		want += 8
	}
	if flags&^entryHasChild != 0 || size != want || size > len(b) || ref.Seq == 0 || ref.Record >= s.d.t.records {
		return ref, fileName{}, 0
	}
	f, ok := decodeFileName(b[16:][:key])
	if !ok || len(f.name) == 0 || key != fileNameLen+len(f.name) || f.parent != s.self || !f.plausible() {
		return ref, f, 0
	}
	return ref, f, size
}

// plausible reports whether every field has a value that a driver would write.
func (f *fileName) plausible() bool {
	for _, t := range []wintype.Filetime{f.times.Created, f.times.Modified, f.times.Changed, f.times.Accessed} {
		if t < 0 || t > maxTime {
			return false
		}
	}
	for i := 0; i < len(f.name); i += 2 {
		if c := binary.LittleEndian.Uint16(f.name[i:]); c == 0 || c == '/' {
			return false
		}
	}
	return f.namespace <= NamespaceWin32s && f.attr&^attrKnown == 0 && f.allocated < 1<<63 && f.size < 1<<63
}

// fileAttr is the attributes as a node has them.
func (f *fileName) fileAttr() FileAttr {
	a := FileAttr(f.attr &^ (attrIndexed | attrViews))
	if f.attr&attrIndexed != 0 {
		a |= AttrDirectory
	}
	return a
}
