package ntfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A listing yields the entries of a directory.
type listing struct {
	d        *directory
	yield    func(Entry, error) bool
	done     bool
	seen     []uint64 // bit set of the index blocks read
	text     []byte   // the names of a node, which share one string
	open     []openEntry
	one      []byte // an index block
	win      []byte // index blocks read ahead, from winFirst
	winFirst int64
	last     int64  // block asked for last
	paired   uint64 // zero when each 8.3 name has a long name
	short    bool   // there are 8.3 names
	errs     []error
	problems int
}

// An openEntry is an entry of one of the nodes on the way down.
type openEntry struct {
	indexEntry
	name  int // bytes
	shown bool
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
	for i := first; i < end && !l.done; i++ {
		if child := l.open[i].child; child >= 0 {
			l.descend(child, depth+1)
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
		e := openEntry{}
		if e.indexEntry, node, err = nextEntry(node); err != nil {
			break
		}
		if last = e.last; !last && shows(&e.indexEntry) {
			before := len(l.text)
			l.text = appendName(l.text, e.indexEntry.name())
			e.shown, e.name = true, len(l.text)-before
		}
		l.open = append(l.open, e)
	}
	return string(l.text), err
}

// shows reports whether an entry is listed: no 8.3 name, and not the root in itself.
func shows(e *indexEntry) bool {
	return e.key[65] != NamespaceDOS && (e.ref.Record != recordRoot || string(e.name()) != ".\x00")
}

// give yields an entry.
func (l *listing) give(e *indexEntry, name string) {
	f, _ := decodeFileName(e.key)
	if f.namespace == NamespaceWin32 {
		l.paired ^= e.ref.mix()
	}
	out := Entry{Name: name, Ref: e.ref, Times: f.times, Size: int64(min(f.size, 1<<63-1)), tree: l.d.t,
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
	l.done = !l.yield(out, nil)
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
	l.walk(node, depth)
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

// sweep lists the blocks in use that the damaged tree did not lead to.
func (l *listing) sweep() {
	for block := range l.d.limit {
		if l.done || l.d.alloc == nil || l.d.bitmap == nil || !l.d.inUse(block) || l.seen[block/64]>>(block%64)&1 != 0 {
			continue
		}
		node, err := l.read(block)
		if err != nil {
			continue // the walk told of it, or of what leads to it
		}
		for len(node) > 0 && !l.done {
			e, rest, err := nextEntry(node)
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
