package ntfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// An Entry is a name in a directory. Attr, Size and Times are the index's copies, which Windows brings up to date
// for one name of a file only, and late: hints. Kind is right where the index is.
type Entry struct {
	Name  string // WTF-8
	Ref   Ref
	Attr  FileAttr
	Kind  Kind
	meta  bool
	Size  int64
	Times Times
	Err   error // why Node cannot work, where that is known already
	tree  *Tree
}

// Node returns the node that the entry names.
func (e Entry) Node() (*Node, error) {
	if e.Err != nil {
		return nil, fmt.Errorf("%q: %w", e.Name, e.Err)
	}
	n, err := e.tree.Node(e.Ref)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", e.Name, err)
	}
	return n, nil
}

// Metafile reports whether the entry is of a system file, such as $MFT, or is in $Extend.
func (e Entry) Metafile() bool { return e.meta }

// Children lists a directory in the order of its index. 8.3 names that stand beside a long name and the root's name
// for itself are left out. With an error, which says what is missing, what could be read is there too.
func (n *Node) Children() ([]Entry, error) {
	d, err := n.directory()
	if err != nil {
		return nil, err
	}
	l := &listing{d: d, seen: make([]uint64, d.limit/64+1)}
	l.note(d.damage)
	l.walk(d.root, 0)
	if l.problems > 0 {
		l.sweep()
	}
	l.nameRest()
	if l.problems == 0 {
		return l.out, nil
	}
	if more := l.problems - len(l.errs); more > 0 {
		l.errs = append(l.errs, fmt.Errorf("and %d more", more))
	}
	return l.out, fmt.Errorf("directory %v: entries may be missing: %w", n.Ref, errors.Join(l.errs...))
}

// A listing collects the entries of a directory.
type listing struct {
	d        *directory
	seen     []uint64 // bit set of the index blocks read
	out      []Entry
	grown    bool   // out has room for about all
	named    int    // entries of out that have their name
	names    []byte // of the other ones: names share one string, many to an allocation
	lens     []int
	one      []byte // an index block
	win      []byte // index blocks read ahead, from winFirst
	winFirst int64
	last     int64 // block asked for last
	errs     []error
	problems int
}

func (l *listing) note(err error) {
	if err == nil {
		return
	}
	if l.problems++; l.problems <= maxIndexErrors {
		l.errs = append(l.errs, err)
	}
}

// walk lists a node and what is below it, in order.
func (l *listing) walk(node []byte, depth int) {
	for len(node) > 0 {
		e, rest, err := nextEntry(node)
		if err != nil {
			l.note(err)
			return
		}
		if e.child >= 0 {
			l.descend(e.child, depth+1)
		}
		if e.last {
			return
		}
		l.add(&e)
		node = rest
	}
}

func (l *listing) descend(vcn int64, depth int) {
	block, err := l.d.blockOf(vcn)
	if err == nil && l.seen[block/64]>>(block%64)&1 != 0 {
		err = fmt.Errorf("index block at VCN 0x%x: used twice: %w", vcn, layer.ErrCorrupt)
	}
	if err == nil && depth > maxIndexDepth {
		err = fmt.Errorf("index block at VCN 0x%x: more than %d levels: %w", vcn, maxIndexDepth, layer.ErrCorrupt)
	}
	if err != nil {
		l.note(err)
		return
	}
	node, err := l.read(block)
	if err != nil {
		l.note(fmt.Errorf("index block at VCN 0x%x: %w", vcn, err))
		return
	}
	l.seen[block/64] |= 1 << (block % 64)
	if e, _, err := nextEntry(node); err == nil && e.child >= 0 {
		node = bytes.Clone(node) // what is below it is read into the same buffer
	}
	first := len(l.out)
	l.walk(node, depth)
	if first == 0 && !l.grown { // the first leaf tells about how many entries there will be
		l.grown = true
		l.out = slices.Grow(l.out, int(min(int64(len(l.out))*l.d.limit, 1<<17)))
	}
}

// read returns the entries of a block, until the next call. Blocks in sequence are read ahead. The caller must ask for
// no block twice, for fixups are applied in place.
func (l *listing) read(block int64) ([]byte, error) {
	size := l.d.blockSize
	at := (block - l.winFirst) * size
	next := at == int64(len(l.win)) || block == l.last+1
	l.last = block
	if at >= 0 && at < int64(len(l.win)) {
		return l.d.decodeBlock(l.win[at:][:size], block)
	}
	if next {
		l.win = slices.Grow(l.win[:0], readAhead)[:layer.Clip(l.d.limit*size, block*size, max(readAhead, size))]
		l.winFirst = block
		if layer.ReadFull(l.d.alloc, l.win, block*size) == nil {
			return l.d.decodeBlock(l.win[:size], block)
		}
		l.win = l.win[:0] // damage in one block is not that of its neighbours
	}
	l.one = slices.Grow(l.one[:0], int(size))[:size]
	if err := layer.ReadFull(l.d.alloc, l.one, block*size); err != nil {
		return nil, err
	}
	return l.d.decodeBlock(l.one, block)
}

// sweep lists the blocks in use that the damaged tree did not lead to, and sorts the whole.
func (l *listing) sweep() {
	for block := range l.d.limit {
		if l.d.alloc == nil || l.d.bitmap == nil || !l.d.inUse(block) || l.seen[block/64]>>(block%64)&1 != 0 {
			continue
		}
		node, err := l.read(block)
		if err != nil {
			continue // the walk told of it, or of what leads to it
		}
		for len(node) > 0 {
			e, rest, err := nextEntry(node)
			if err != nil || e.last {
				l.note(err)
				break
			}
			l.add(&e)
			node = rest
		}
	}
	l.nameRest()
	type keyed struct {
		key folded
		Entry
	}
	sorted := make([]keyed, len(l.out))
	for i, e := range l.out {
		sorted[i] = keyed{l.d.t.fold(e.Name), e}
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int {
		return cmp.Or(slices.Compare(a.key.upper, b.key.upper), slices.Compare(a.key.exact, b.key.exact))
	})
	for i := range sorted {
		l.out[i] = sorted[i].Entry
	}
}

// add takes an entry, its name still to be set.
func (l *listing) add(e *indexEntry) {
	f, ok := decodeFileName(e.key)
	if !ok || f.namespace == NamespaceDOS || (e.ref.Record == recordRoot && string(f.name) == ".\x00") {
		return
	}
	out := Entry{Ref: e.ref, Times: f.times, Size: int64(min(f.size, 1<<63-1)), tree: l.d.t,
		meta: isMetafile(e.ref.Record, f.parent.Record)}
	out.Attr = FileAttr(f.attr &^ (attrIndexed | attrViews))
	if f.attr&attrIndexed != 0 {
		out.Kind = KindDir
		out.Attr |= AttrDirectory
	}
	if out.Attr&AttrReparse != 0 && isLink(f.tag) {
		out.Kind = KindSymlink
	}
	if e.ref.Record >= l.d.t.records {
		out.Err = fmt.Errorf("record %d of %d: %w", e.ref.Record, l.d.t.records, ErrStale)
	}
	l.out = append(l.out, out)
	before := len(l.names)
	l.names = appendName(l.names, f.name)
	l.lens = append(l.lens, len(l.names)-before)
	if len(l.names) > 4<<10 {
		l.nameRest()
	}
}

// appendName appends UTF-16LE as WTF-8.
func appendName(out []byte, name []byte) []byte {
	start := len(out)
	for i := 0; i+1 < len(name); i += 2 {
		c := binary.LittleEndian.Uint16(name[i:])
		if c >= 0x80 {
			return append(out[:start], wintype.DecodeUTF16(name)...)
		}
		out = append(out, byte(c))
	}
	return out
}

func (l *listing) nameRest() {
	s := string(l.names)
	for i, n := range l.lens {
		l.out[l.named+i].Name, s = s[:n], s[n:]
	}
	l.named, l.names, l.lens = len(l.out), l.names[:0], l.lens[:0]
}
