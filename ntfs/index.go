package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

const (
	defaultIndexBlock = 4096
	maxIndexBlock     = 64 << 10
	maxIndexDepth     = 32 // a full tree of this depth fits no volume
	maxIndexErrors    = 8  // that one call tells in full
)

// A directory is an opened $I30 index: a B-tree of $FILE_NAMEs. Its root is in the file record, all other nodes are
// index blocks.
type directory struct {
	t         *Tree
	ref       Ref
	root      *indexNode
	alloc     *stream
	bitmap    []byte // which blocks are in use; nil when not known
	blockSize int64
	vcnSize   int64
	limit     int64 // number of blocks
	damage    error // of the attributes; entries may be missing
	summed    sync.Once
	total     uint64 // see sum
}

// cost is about what a directory takes in a Cache.
func (d *directory) cost() int {
	n := 512 + d.root.cost() + len(d.bitmap)
	if d.alloc != nil {
		n += 24 * len(d.alloc.runs.runs)
	}
	return n
}

// directory opens the node's index, or finds it opened.
func (n *Node) directory() (*directory, error) {
	if !n.dir {
		return nil, fmt.Errorf("%v: %w", n.Ref, ErrNotDir)
	}
	k := key{kind: keptDirectory, base: n.tree, number: int64(n.Ref.Record)}
	if d, ok := load[*directory](n.tree.cache, k); ok {
		return d, nil
	}
	list, damage := n.attributes()
	d := &directory{t: n.tree, ref: n.Ref, root: new(indexNode), damage: damage}
	d.openRoot(list)
	d.openBlocks(list)
	n.tree.cache.store(k, d)
	return d, nil
}

func (d *directory) fail(err error) { d.damage = errors.Join(d.damage, err) }

func i30(list []attribute, typ uint32) []attribute {
	return extentsOf(list, typ, func(a *attribute) bool { return a.is(typ, "$I30") })
}

// openRoot takes the index block size and the root node.
func (d *directory) openRoot(list []attribute) {
	d.blockSize = defaultIndexBlock
	root := i30(list, typeIndexRoot)
	if len(root) == 0 || root[0].err != nil || len(root[0].value) < 32 {
		d.fail(fmt.Errorf("$INDEX_ROOT: missing or damaged: %w", layer.ErrCorrupt))
		return
	}
	le := binary.LittleEndian
	b := root[0].value
	if typ, size := le.Uint32(b[0:]), le.Uint32(b[8:]); typ != typeFileName || size < 512 || size > maxIndexBlock || bits.OnesCount32(size) != 1 {
		d.fail(fmt.Errorf("$INDEX_ROOT: index of attribute 0x%x with blocks of 0x%x bytes: %w", typ, size, layer.ErrCorrupt))
	} else {
		d.blockSize = int64(size)
	}
	entries, err := indexEntries(b[16:])
	if err != nil {
		d.fail(fmt.Errorf("$INDEX_ROOT: %w", err))
		return
	}
	d.root = parseNode(bytes.Clone(entries), isLarge(b[16:]))
}

// maxIndexBlocks bounds the memory that a directory may ask for: a sparse image can claim any size for a few bytes. So
// many blocks hold some hundred million names.
const maxIndexBlocks = 1 << 24

// openBlocks takes $INDEX_ALLOCATION and its $BITMAP, which a small directory does not have.
func (d *directory) openBlocks(list []attribute) {
	d.vcnSize = 512
	if d.blockSize >= int64(d.t.geo.cluster) {
		d.vcnSize = int64(d.t.geo.cluster)
	}
	extents := i30(list, typeIndexAllocation)
	if len(extents) == 0 {
		return
	}
	label := func() string { return fmt.Sprintf("%v: $INDEX_ALLOCATION", d.ref) }
	if extents[0].err == nil { // the size is checked below, by the clusters there are
		extents[0].size = min(extents[0].size, uint64(d.t.geo.size))
	}
	s, err := d.t.newStream(extents, label)
	if err != nil {
		d.fail(err)
		return
	}
	d.alloc = s
	there := min(s.runs.coverage()*int64(d.t.geo.cluster), d.t.src.Size())
	if s.size > there {
		d.fail(fmt.Errorf("%s: size 0x%x, clusters for 0x%x: %w", label(), s.size, there, layer.ErrCorrupt))
	}
	if d.limit = min(s.size, there) / d.blockSize; d.limit > maxIndexBlocks {
		d.fail(fmt.Errorf("%s: %d index blocks, more than %d: %w", label(), d.limit, maxIndexBlocks, layer.ErrUnsupported))
		d.limit = maxIndexBlocks
	}
	d.openBitmap(list)
}

func (d *directory) openBitmap(list []attribute) {
	extents := i30(list, typeBitmap)
	if len(extents) == 0 {
		d.fail(fmt.Errorf("$BITMAP: missing: %w", layer.ErrCorrupt))
		return
	}
	var err error
	if extents[0].resident && extents[0].err == nil {
		d.bitmap = append([]byte(nil), extents[0].value...)
	} else {
		// One bit is enough for a block, but the attribute may have been grown ahead of them.
		d.bitmap, err = d.t.readAll(extents, func() string { return fmt.Sprintf("%v: $BITMAP", d.ref) }, 64<<10+maxIndexBlocks/8)
	}
	if err == nil && int64(len(d.bitmap)) < (d.limit+7)/8 {
		err = fmt.Errorf("$BITMAP: %d bytes for %d index blocks: %w", len(d.bitmap), d.limit, layer.ErrCorrupt)
	}
	if err != nil {
		d.bitmap = nil
		d.fail(err)
	}
}

// inUse reports whether the $BITMAP has the block, or is not known.
func (d *directory) inUse(block int64) bool {
	return d.bitmap == nil || d.bitmap[block/8]>>(block%8)&1 != 0
}

// blockOf converts the VCN of a child to a block number.
func (d *directory) blockOf(vcn int64) (int64, error) {
	perBlock := d.blockSize / d.vcnSize
	block := vcn / perBlock
	switch {
	case vcn < 0 || block >= d.limit || vcn%perBlock != 0:
		return 0, fmt.Errorf("index block at VCN 0x%x: there are %d blocks: %w", vcn, d.limit, layer.ErrCorrupt)
	case !d.inUse(block):
		return 0, fmt.Errorf("index block at VCN 0x%x: free by $BITMAP: %w", vcn, layer.ErrCorrupt)
	}
	return block, nil
}

func (d *directory) blockKey(block int64) key {
	off := block * d.blockSize
	return d.t.place(keptBlock, d.alloc, off, d.blockSize, off/d.vcnSize, int64(d.ref.Record))
}

// block returns an index block, from the cache or read.
func (d *directory) block(block int64) (*indexNode, error) {
	k := d.blockKey(block)
	if x, ok := load[*indexNode](d.t.cache, k); ok {
		return x, nil
	}
	b := make([]byte, d.blockSize)
	if err := layer.ReadFull(d.alloc, b, block*d.blockSize); err != nil {
		return nil, err
	}
	return d.keep(k, b, block)
}

// keep decodes an index block, of which b is a copy to keep.
func (d *directory) keep(k key, b []byte, block int64) (*indexNode, error) {
	entries, err := d.decodeBlock(b, block)
	if err != nil {
		return nil, err
	}
	x := parseNode(entries, isLarge(b[24:]))
	d.t.cache.store(k, x)
	return x, nil
}

// decodeBlock checks an index block, applies its fixups in place and returns its entries.
func (d *directory) decodeBlock(b []byte, block int64) ([]byte, error) {
	off := block * d.blockSize
	if err := layout.Protected(b, "INDX", "index block", off); err != nil {
		return nil, err
	}
	if vcn := int64(binary.LittleEndian.Uint64(b[16:])); vcn != off/d.vcnSize {
		return nil, layer.Corrupt("index block", off, "VCN 0x%x, want 0x%x", vcn, off/d.vcnSize)
	}
	entries, err := indexEntries(b[24:])
	if err != nil {
		return nil, layer.Corrupt("index block", off, "%w", err)
	}
	return entries, nil
}

// isLarge reports the flag of an index header for a node that has nodes below it.
func isLarge(b []byte) bool { return b[12]&1 != 0 }

// indexEntries returns the entries that follow the index header at the start of b.
func indexEntries(b []byte) ([]byte, error) {
	le := binary.LittleEndian
	first, end := le.Uint32(b[0:]), le.Uint32(b[4:])
	if first < 16 || first > end || uint64(end) > uint64(len(b)) {
		return nil, fmt.Errorf("entries from 0x%x to 0x%x of 0x%x bytes: %w", first, end, len(b), layer.ErrCorrupt)
	}
	return b[first:end], nil
}
