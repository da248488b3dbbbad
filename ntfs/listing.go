package ntfs

import (
	"encoding/binary"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// maxFetch is the most bytes of index blocks that are read together.
const maxFetch = 1 << 20

// A listing yields the entries of a directory.
type listing struct {
	d        *directory
	yield    func(Entry, error) bool
	done     bool
	seen     []uint64    // bit set of the index blocks read
	text     []byte      // the names of a node, which share one string
	open     []openEntry // of the nodes on the way down
	levels   [maxIndexDepth + 1]level
	paired   uint64 // zero when each 8.3 name has a long name
	short    bool   // there are 8.3 names
	errs     []error
	problems int
}

type openEntry struct {
	indexEntry
	name  int // bytes
	shown bool
}

// A level holds the index blocks that a node leads to, read together.
type level struct {
	blocks []int64 // ascending
	data   []byte
	errs   []error
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
	first := len(l.open)
	names, err := l.decode(node)
	end := len(l.open)
	l.fetch(l.open[first:end], &l.levels[depth])
	for i := first; i < end && !l.done; i++ {
		if child := l.open[i].child; child >= 0 {
			l.descend(child, depth)
			l.open = l.open[:end]
		}
		switch e := &l.open[i]; {
		case e.shown:
			l.give(&e.indexEntry, names[:e.name])
			names = names[e.name:]
		case !e.last && e.key[65] == NamespaceDOS:
			l.short = true
			l.paired ^= e.ref.mix()
		}
	}
	l.open = l.open[:first]
	l.note(err)
}

// decode appends the entries of a node to open, and returns the names of those that will be shown in a row. With an
// error, the entries before the damage are there.
func (l *listing) decode(node []byte) (names string, err error) {
	l.text = l.text[:0]
	for last := false; len(node) > 0 && !last; {
		l.open = append(l.open, openEntry{})
		e := &l.open[len(l.open)-1]
		if node, err = e.decode(node); err != nil {
			l.open = l.open[:len(l.open)-1]
			break
		}
		if last = e.last; !last && shows(&e.indexEntry) {
			before := len(l.text)
			l.text = appendName(l.text, e.indexEntry.name())
			e.shown, e.name = true, len(l.text)-before
		}
	}
	return string(l.text), err
}

// fetch reads the blocks that the entries of a node lead to, in the order in which they lie.
func (l *listing) fetch(entries []openEntry, v *level) {
	v.blocks, v.errs = v.blocks[:0], v.errs[:0]
	for i := range entries {
		if entries[i].child < 0 {
			continue
		}
		if block, err := l.d.blockOf(entries[i].child); err == nil {
			v.blocks = append(v.blocks, block)
		}
	}
	slices.Sort(v.blocks)
	size := l.d.blockSize
	v.blocks = slices.Compact(v.blocks)
	v.blocks = v.blocks[:min(int64(len(v.blocks)), max(maxFetch/size, 1))]
	v.data = slices.Grow(v.data[:0], len(v.blocks)*int(size))[:len(v.blocks)*int(size)]
	for i := 0; i < len(v.blocks); {
		n := 1
		for i+n < len(v.blocks) && v.blocks[i+n] == v.blocks[i]+int64(n) {
			n++
		}
		at := v.data[i*int(size):][:n*int(size)]
		err := layer.ReadFull(l.d.alloc, at, v.blocks[i]*size)
		for k := range n {
			if err != nil && n > 1 { // damage in one block is not that of its neighbours
				v.errs = append(v.errs, layer.ReadFull(l.d.alloc, at[k*int(size):][:size], (v.blocks[i]+int64(k))*size))
			} else {
				v.errs = append(v.errs, err)
			}
		}
		i += n
	}
}

// shows reports whether an entry is listed: no 8.3 name, and not the root in itself.
func shows(e *indexEntry) bool {
	return e.key[65] != NamespaceDOS && (e.ref.Record != recordRoot || string(e.name()) != ".\x00")
}

// give yields an entry.
func (l *listing) give(e *indexEntry, name string) {
	le, b := binary.LittleEndian, e.key[:fileNameLen]
	if b[65] == NamespaceWin32 {
		l.paired ^= e.ref.mix()
	}
	attr := le.Uint32(b[56:])
	out := Entry{Name: name, Ref: e.ref, Times: decodeTimes(b[8:]), Size: int64(min(le.Uint64(b[48:]), 1<<63-1)), tree: l.d.t,
		Attr: FileAttr(attr &^ (attrIndexed | attrViews)), meta: isMetafile(e.ref.Record, le.Uint64(b)&recordMask)}
	if attr&attrIndexed != 0 {
		out.Kind = KindDir
		out.Attr |= AttrDirectory
	}
	if out.Attr&AttrReparse != 0 && isLink(le.Uint32(b[60:])) {
		out.Kind = KindSymlink
	}
	if e.ref.Record >= l.d.t.records {
		out.Err = fmt.Errorf("record %d of %d: %w", e.ref.Record, l.d.t.records, ErrStale)
	}
	l.done = !l.yield(out, nil)
}

// descend lists the node at vcn, to which a node of that depth leads.
func (l *listing) descend(vcn int64, depth int) {
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
	node, err := l.read(block, &l.levels[depth])
	if err != nil {
		l.note(fmt.Errorf("index block at VCN 0x%x: %w", vcn, err))
		return
	}
	l.seen[block/64] |= 1 << (block % 64)
	l.walk(node, depth+1)
}

// read returns the entries of a block, from those that were fetched if it is among them. The caller must ask for no
// block twice, for fixups are applied in place.
func (l *listing) read(block int64, v *level) ([]byte, error) {
	size := l.d.blockSize
	if i, ok := slices.BinarySearch(v.blocks, block); ok {
		if v.errs[i] != nil {
			return nil, v.errs[i]
		}
		return l.d.decodeBlock(v.data[int64(i)*size:][:size], block)
	}
	b := make([]byte, size)
	if err := layer.ReadFull(l.d.alloc, b, block*size); err != nil {
		return nil, err
	}
	return l.d.decodeBlock(b, block)
}

// sweep lists the blocks in use that the damaged tree did not lead to.
func (l *listing) sweep() {
	for block := range l.d.limit {
		if l.done || l.d.alloc == nil || l.d.bitmap == nil || !l.d.inUse(block) || l.seen[block/64]>>(block%64)&1 != 0 {
			continue
		}
		node, err := l.read(block, &level{})
		if err != nil {
			continue // the walk told of it, or of what leads to it
		}
		for len(node) > 0 && !l.done {
			var e indexEntry
			rest, err := e.decode(node)
			if err != nil || e.last {
				l.note(err)
				break
			}
			if shows(&e) {
				l.give(&e, wintype.DecodeUTF16(e.name()))
			}
			node = rest
		}
	}
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
		if e.key[65] == NamespaceDOS && !long[e.ref] {
			l.give(e, wintype.DecodeUTF16(e.name()))
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
