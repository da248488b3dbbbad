package ntfs

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// Flags of an index entry.
const (
	entryHasChild = 0x1
	entryLast     = 0x2
)

// An indexNode is a node of the B-tree of a directory: its root, or an index block. It is immutable.
type indexNode struct {
	b      []byte
	starts []uint16 // of the entries in b; the last one has no key
	inner  bool     // entries lead to other nodes
	err    error    // why entries may be missing: the chain breaks off before the last one
	order  atomic.Pointer[nodeOrder]
	shown  atomic.Pointer[shownNames]
}

// shownNames are the names of a node that a listing shows, in a row. Most directories that are listed are listed again.
type shownNames struct {
	text   string   // WTF-8
	ends   []uint32 // of each entry's name, and noName where it has none to show
	paired uint64   // of the references of names that have an 8.3 name beside them, and of those; see Ref.mix
	short  bool     // there are 8.3 names
	sum    uint64   // of all names, see nameSum
}

const noName = 1 << 31

// nodeOrder says whether the names of a node are in the order of a table. Trees that share the node may have others.
type nodeOrder struct {
	table *upcase
	right bool
}

// cost counts the shown names as if they were there.
func (x *indexNode) cost() int { return cap(x.b) + 6*cap(x.starts) + len(x.b)/3 }

// parseNode finds the entries of a node, of which b is a copy to keep: what follows an index header. large is that
// header's flag for a node whose entries lead to others. An entry that contradicts the rest of the node is told in err,
// and those after it are found all the same where their places are known.
func parseNode(b []byte, large bool) *indexNode {
	x := &indexNode{b: b, starts: make([]uint16, 0, len(b)/96+2)}
	var e indexEntry
	for at := b; ; {
		rest, err := e.decode(at)
		if err == nil && e.last && len(rest) > 0 { // a name may be hidden by the flag
			err = fmt.Errorf("index entries go on for 0x%x bytes after the last one: %w", len(rest), layer.ErrCorrupt)
			at[12] &^= entryLast
			if _, err2 := e.decode(at); err2 != nil {
				at[12] |= entryLast
			}
		}
		if err == nil && large != (e.child >= 0) {
			err = fmt.Errorf("index entry with a child %v in a node with children %v: %w", e.child >= 0, large, layer.ErrCorrupt)
		}
		x.err = cmp.Or(x.err, err)
		if rest == nil {
			break
		}
		if e.valid {
			x.starts = append(x.starts, uint16(len(b)-len(at)))
			x.inner = x.inner || e.child >= 0
		}
		if at = rest; len(at) == 0 && e.last {
			break
		}
	}
	return x
}

// entry returns entry i.
func (x *indexNode) entry(i int) (e indexEntry) {
	e.take(x.b[x.starts[i]:])
	return e
}

// sorted reports whether the names are in the order that a search relies on.
func (x *indexNode) sorted(u *upcase) bool {
	if o := x.order.Load(); o != nil && o.table == u {
		return o.right
	}
	right := true
	var prev, e indexEntry
	for i := range x.starts {
		if e = x.entry(i); i > 0 && !e.last && u.compare(prev.name(), e.name()) > 0 {
			right = false
		}
		prev = e
	}
	x.order.Store(&nodeOrder{u, right})
	return right
}

// names returns what a listing shows: no 8.3 names, and not the root in itself.
func (x *indexNode) names() *shownNames {
	if s := x.shown.Load(); s != nil {
		return s
	}
	s := &shownNames{ends: make([]uint32, len(x.starts))}
	text := make([]byte, 0, len(x.b)/3)
	for i := range x.starts {
		e := x.entry(i)
		switch {
		case e.last:
			s.ends[i] = noName
			continue
		case e.key[65] == NamespaceDOS:
			s.ends[i], s.short = noName, true
		case e.ref.Record == recordRoot && string(e.name()) == ".\x00":
			s.ends[i] = noName
			continue
		default:
			text = appendName(text, e.name())
		}
		s.sum += nameSum(e.ref.Record)
		if e.key[65] == NamespaceDOS || e.key[65] == NamespaceWin32 {
			s.paired ^= e.ref.mix()
		}
		s.ends[i] |= uint32(len(text))
	}
	s.text = string(text)
	x.shown.Store(s)
	return s
}

// An indexEntry is an entry of an index node. The last one of a node has no key.
type indexEntry struct {
	ref   Ref
	key   []byte // $FILE_NAME
	child int64  // VCN of the node whose keys are smaller; -1 when there is none
	last  bool
	valid bool // it was decoded
}

// name is the entry's name, UTF-16LE.
func (e *indexEntry) name() []byte { return e.key[fileNameLen:][:2*int(e.key[64])] }

// decode checks and decodes the first entry of b and returns what follows it, with an error too where that is known: nil
// when not.
func (e *indexEntry) decode(b []byte) ([]byte, error) {
	le := binary.LittleEndian
	if e.valid = false; len(b) < 16 {
		return nil, fmt.Errorf("index entries end without a last one: %w", layer.ErrCorrupt)
	}
	n, keyLen, flags := int(le.Uint16(b[8:])), int(le.Uint16(b[10:])), le.Uint16(b[12:])
	room, last := n-16, flags&entryLast != 0
	if flags&entryHasChild != 0 {
		room -= 8
	}
	if room < 0 || n > len(b) || n%8 != 0 {
		return nil, fmt.Errorf("index entry of 0x%x bytes, 0x%x left: %w", n, len(b), layer.ErrCorrupt)
	}
	if !last && (keyLen < fileNameLen || room < keyLen) {
		return b[n:], fmt.Errorf("index entry of 0x%x bytes with a key of 0x%x: %w", n, keyLen, layer.ErrCorrupt)
	}
	if !last {
		if chars := int(b[16+64]); chars == 0 || keyLen != fileNameLen+2*chars {
			return b[n:], fmt.Errorf("index entry of %d characters with a key of 0x%x bytes: %w", chars, keyLen, layer.ErrCorrupt)
		}
	}
	e.take(b)
	e.valid = true
	return b[n:], nil
}

// take decodes the first entry of b, which was checked.
func (e *indexEntry) take(b []byte) {
	le := binary.LittleEndian
	n, keyLen, flags := int(le.Uint16(b[8:])), int(le.Uint16(b[10:])), le.Uint16(b[12:])
	e.ref, e.child, e.key, e.last = decodeRef(le.Uint64(b[0:])), -1, nil, flags&entryLast != 0
	if !e.last {
		e.key = b[16:][:keyLen]
	}
	if flags&entryHasChild != 0 {
		e.child = int64(min(le.Uint64(b[n-8:]), 1<<63-1))
	}
}
