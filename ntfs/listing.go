package ntfs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// maxFetch is the most bytes of index blocks that are read for one node at once.
const maxFetch = 1 << 20

// A listing yields the entries of a directory.
type listing struct {
	d        *directory
	yield    func(*Entry, error) bool
	entry    Entry
	done     bool
	seen     []uint64 // bit set of the index blocks read
	levels   [maxIndexDepth + 1]level
	buf      []byte
	nodes    []*indexNode    // that were listed
	long     map[uint64]bool // records that a long name was found of in themselves
	paired   uint64          // zero when each 8.3 name has a long name
	short    bool            // there are 8.3 names
	errs     []error
	problems int
}

// A level holds the index blocks that the entries of a node lead to.
type level struct {
	nodes []*indexNode // by entry; nil when not read yet
	want  []wanted
}

// wanted is an index block to read, and the entry that leads to it.
type wanted struct {
	block int64
	entry int
}

func (l *listing) note(err error) {
	if err == nil {
		return
	}
	if l.problems++; l.problems <= maxIndexErrors {
		l.errs = append(l.errs, err)
	}
}

// alone is the depth of a node that is listed without what is below it.
const alone = -1

// walk lists a node and what is below it, in order.
func (l *listing) walk(x *indexNode, depth int) {
	below := x.inner && depth != alone
	if below {
		l.fetch(x, depth)
	}
	names, start := x.names(), uint32(0)
	l.short, l.paired = l.short || names.short, l.paired^names.paired
	for i := 0; i < len(x.starts) && !l.done; i++ {
		b := x.b[x.starts[i]:]
		if below {
			l.descend(x.entry(i).child, l.levels[depth].nodes[i], depth)
		}
		if end := names.ends[i]; end&noName == 0 && !l.done {
			l.give(decodeRef(binary.LittleEndian.Uint64(b)), b[16:], names.text[start:end])
			start = end
		}
	}
	l.note(x.err)
	l.nodes = append(l.nodes, x)
}

// fetch gets the blocks that a node leads to: those not in the cache in the order in which they lie. What cannot be had
// is left for descend to tell.
func (l *listing) fetch(x *indexNode, depth int) {
	v, size := &l.levels[depth], l.d.blockSize
	v.nodes, v.want = append(v.nodes[:0], make([]*indexNode, len(x.starts))...), v.want[:0]
	for i := range x.starts {
		child := x.entry(i).child
		if child < 0 {
			continue
		}
		block, err := l.d.blockOf(child)
		if err != nil {
			continue
		}
		if kept, ok := load[*indexNode](l.d.t.cache, l.d.blockKey(block)); ok {
			v.nodes[i] = kept
		} else if int64(len(v.want)) < maxFetch/size {
			v.want = append(v.want, wanted{block, i})
		}
	}
	slices.SortFunc(v.want, func(a, b wanted) int { return cmp.Compare(a.block, b.block) })
	for want := v.want; len(want) > 1; { // a single one descend reads
		n := 1
		for n < len(want) && want[n].block == want[0].block+int64(n) {
			n++
		}
		l.buf = slices.Grow(l.buf[:0], n*int(size))[:n*int(size)]
		if layer.ReadFull(l.d.alloc, l.buf, want[0].block*size) == nil {
			for i, w := range want[:n] {
				v.nodes[w.entry], _ = l.d.keep(l.d.blockKey(w.block), bytes.Clone(l.buf[i*int(size):][:size]), w.block)
			}
		}
		want = want[n:]
	}
}

// give yields the entry of that name, whose $FILE_NAME b starts with.
func (l *listing) give(ref Ref, b []byte, name string) {
	le := binary.LittleEndian
	b = b[:fileNameLen]
	attr, out := le.Uint32(b[56:]), &l.entry
	out.Name, out.Ref, out.Times, out.Size = name, ref, decodeTimes(b[8:]), int64(min(le.Uint64(b[48:]), 1<<63-1))
	out.Attr, out.Kind, out.Err, out.FromRecord = FileAttr(attr&^(attrIndexed|attrViews)), KindFile, nil, false
	out.meta, out.tree, out.dir = isMetafile(ref.Record, le.Uint64(b)&recordMask), l.d.t, l.d.ref
	if attr&attrIndexed != 0 {
		out.Kind = KindDir
		out.Attr |= AttrDirectory
	}
	out.Kind = l.special(out.Kind, out, le.Uint32(b[60:]))
	if ref.Record >= l.d.t.records {
		out.Err = fmt.Errorf("record %d of %d: %w", ref.Record, l.d.t.records, ErrStale)
	}
	l.done = !l.yield(out, nil)
}

// special tells the kind of an entry where the index does so by a reparse tag; of system files and of what the NFS server
// made, which are few, the records do.
func (l *listing) special(kind Kind, e *Entry, tag uint32) Kind {
	switch reparse := e.Attr&AttrReparse != 0; {
	case reparse && tag != tagNFS:
		if k := reparseKind(tag, nil); k == KindSymlink || k != KindFile && kind == KindFile {
			return k
		}
	case kind == KindFile && !e.meta && (reparse || e.Attr&(AttrSystem|AttrHidden) == AttrSystem):
		if n, err := l.d.t.Node(e.Ref); err == nil {
			return n.Kind
		}
	}
	return kind
}

// descend lists the node at vcn, to which a node of that depth leads. x is it if it was fetched.
func (l *listing) descend(vcn int64, x *indexNode, depth int) {
	if vcn < 0 {
		return
	}
	block, err := l.d.blockOf(vcn)
	if err == nil && l.seen[block/64]>>(block%64)&1 != 0 {
		err = fmt.Errorf("index block at VCN 0x%x: used twice: %w", vcn, layer.ErrCorrupt)
	}
	if err == nil && depth == maxIndexDepth {
		err = fmt.Errorf("index block at VCN 0x%x: more than %d levels: %w", vcn, maxIndexDepth, layer.ErrCorrupt)
	}
	if err != nil {
		l.note(err)
		return
	}
	if x == nil {
		if x, err = l.d.block(block); err != nil {
			l.note(fmt.Errorf("index block at VCN 0x%x: %w", vcn, err))
			return
		}
	}
	l.seen[block/64] |= 1 << (block % 64)
	l.walk(x, depth+1)
}

// sweep lists the blocks in use that the damaged tree did not lead to.
func (l *listing) sweep() {
	for block, x := range l.d.blocks() {
		if l.done {
			return
		}
		if l.seen[block/64]>>(block%64)&1 == 0 {
			l.walk(x, alone)
		}
	}
}

// unreached is an error when a block is in use that the tree did not lead to, although it looked sound.
func (l *listing) unreached() error {
	for block := range l.d.limit {
		if l.d.bitmap == nil || l.done {
			return nil
		}
		if l.d.inUse(block) && l.seen[block/64]>>(block%64)&1 == 0 {
			return fmt.Errorf("index block %d: in use by $BITMAP, and nothing leads to it: %w", block, layer.ErrCorrupt)
		}
	}
	return nil
}

// unpaired lists the 8.3 names that have no long name beside them: else their files would not be seen.
func (l *listing) unpaired() {
	long := map[Ref]bool{}
	l.d.all(func(e *indexEntry) bool {
		if e.key[65] != NamespaceDOS {
			long[e.ref] = true
		}
		return true
	})
	l.d.all(func(e *indexEntry) bool {
		if e.key[65] == NamespaceDOS && !long[e.ref] && !l.long[e.ref.Record] {
			l.give(e.ref, e.key, wintype.DecodeUTF16(e.name()))
		}
		return !l.done
	})
}

// appendName appends UTF-16LE as WTF-8.
func appendName(out []byte, name []byte) []byte {
	start := len(out)
	for at := name; ; {
		if len(at) >= 8 { // four units at once, as long as they are ASCII
			v := binary.LittleEndian.Uint64(at)
			if v&0xff80ff80ff80ff80 == 0 {
				out, at = append(out, byte(v), byte(v>>16), byte(v>>32), byte(v>>48)), at[8:]
				continue
			}
		}
		if len(at) < 2 {
			return out
		}
		c := binary.LittleEndian.Uint16(at)
		if c >= 0x80 {
			return append(out[:start], wintype.DecodeUTF16(name)...)
		}
		out, at = append(out, byte(c)), at[2:]
	}
}
