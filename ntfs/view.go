package ntfs

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// Collation rules of views. Keys are one or more 32-bit integers, the first one counts most.
const (
	collateUint32  = 0x10
	collateHash    = 0x12
	collateUint32s = 0x13
)

// A view is an index that is not of names: a B-tree of keys and their data, such as $SII of $Secure and $O of $ObjId.
type view struct {
	label     string
	root      []byte // entries
	blocks    layer.Source
	blockSize int64
	vcnSize   int64
}

// view opens the node's index of that name, one whose keys are integers. It wraps fs.ErrNotExist when there is none.
func (n *Node) view(name string) (*view, error) {
	v := &view{label: fmt.Sprintf("%v: index %s", n.Ref, name)}
	b, err := n.value(typeIndexRoot, name, int64(n.tree.geo.record))
	if err != nil {
		return nil, err
	}
	if len(b) < 32 {
		return nil, fmt.Errorf("%s: $INDEX_ROOT: %w", v.label, errTooShort)
	}
	le := binary.LittleEndian
	typ, rule, size := le.Uint32(b[0:]), le.Uint32(b[4:]), le.Uint32(b[8:])
	switch {
	case typ != 0 || size < 512 || size > maxIndexBlock || bits.OnesCount32(size) != 1:
		return nil, fmt.Errorf("%s: $INDEX_ROOT: index of attribute 0x%x with blocks of 0x%x bytes: %w", v.label, typ, size, layer.ErrCorrupt)
	case rule != collateUint32 && rule != collateHash && rule != collateUint32s:
		return nil, fmt.Errorf("%s: $INDEX_ROOT: collation rule 0x%x: %w", v.label, rule, layer.ErrUnsupported)
	}
	if v.root, err = indexEntries(b[16:]); err != nil {
		return nil, fmt.Errorf("%s: $INDEX_ROOT: %w", v.label, err)
	}
	v.blockSize, v.vcnSize = int64(size), 512
	if v.blockSize >= int64(n.tree.geo.cluster) {
		v.vcnSize = int64(n.tree.geo.cluster)
	}
	list, err := n.attributes()
	extents := extentsOf(list, typeIndexAllocation, func(a *attribute) bool { return a.is(typeIndexAllocation, name) })
	if len(extents) == 0 {
		return v, err
	}
	v.blocks, err = n.tree.newStream(extents, func() string { return v.label })
	return v, err
}

// find returns the data of a key, and whether the index has the key.
func (v *view) find(key []byte) ([]byte, bool, error) {
	node := v.root
	for range maxIndexDepth {
		child := int64(-1)
		for {
			e, rest, err := nextViewEntry(node)
			if err != nil {
				return nil, false, fmt.Errorf("%s: %w", v.label, err)
			}
			order := 1
			if !e.last {
				order = compareWords(e.key, key)
			}
			if order == 0 {
				return e.data, true, nil
			}
			if order > 0 {
				child = e.child
				break
			}
			node = rest
		}
		if child < 0 {
			return nil, false, nil
		}
		var err error
		if node, err = v.block(child); err != nil {
			return nil, false, fmt.Errorf("%s: block at VCN 0x%x: %w", v.label, child, err)
		}
	}
	return nil, false, fmt.Errorf("%s: more than %d levels: %w", v.label, maxIndexDepth, layer.ErrCorrupt)
}

// block reads the entries of the index block at a VCN.
func (v *view) block(vcn int64) ([]byte, error) {
	if v.blocks == nil || vcn < 0 || vcn >= v.blocks.Size()/v.vcnSize {
		return nil, fmt.Errorf("there is none: %w", layer.ErrCorrupt)
	}
	b := make([]byte, v.blockSize)
	off := vcn * v.vcnSize
	if err := layer.ReadFull(v.blocks, b, off); err != nil {
		return nil, err
	}
	if err := layout.Protected(b, "INDX", "index block", off); err != nil {
		return nil, err
	}
	if found := int64(binary.LittleEndian.Uint64(b[16:])); found != vcn {
		return nil, layer.Corrupt("index block", off, "VCN 0x%x, want 0x%x", found, vcn)
	}
	return indexEntries(b[24:])
}

// A viewEntry is an entry of a view. The last one of a node has no key and no data.
type viewEntry struct {
	key, data []byte
	child     int64 // VCN of the node whose keys are smaller; -1 when there is none
	last      bool
}

// nextViewEntry decodes the first entry of b and returns what follows it.
func nextViewEntry(b []byte) (viewEntry, []byte, error) {
	le := binary.LittleEndian
	if len(b) < 16 {
		return viewEntry{}, nil, fmt.Errorf("index entries end without a last one: %w", layer.ErrCorrupt)
	}
	dataOff, dataLen := int(le.Uint16(b[0:])), int(le.Uint16(b[2:]))
	n, keyLen, flags := int(le.Uint16(b[8:])), int(le.Uint16(b[10:])), le.Uint16(b[12:])
	e := viewEntry{child: -1, last: flags&entryLast != 0}
	end := n
	if flags&entryHasChild != 0 {
		end -= 8
	}
	if e.last {
		keyLen, dataOff, dataLen = 0, 0, 0
	}
	if n > len(b) || end < 16+keyLen || dataOff+dataLen > end {
		return e, nil, fmt.Errorf("index entry of 0x%x bytes with 0x%x of key, and 0x%x of data at 0x%x, 0x%x left: %w",
			n, keyLen, dataLen, dataOff, len(b), layer.ErrCorrupt)
	}
	e.key, e.data = b[16:][:keyLen], b[dataOff:][:dataLen]
	if flags&entryHasChild != 0 {
		e.child = int64(le.Uint64(b[end:]))
	}
	return e, b[n:], nil
}

// compareWords compares keys as lists of little-endian 32-bit integers.
func compareWords(a, b []byte) int {
	for ; len(a) >= 4 && len(b) >= 4; a, b = a[4:], b[4:] {
		if c := cmp.Compare(binary.LittleEndian.Uint32(a), binary.LittleEndian.Uint32(b)); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}
