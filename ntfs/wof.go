package ntfs

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync/atomic"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/codec"
)

// wofStream is the named stream in which WOF keeps the content of a file.
const wofStream = "WofCompressedData"

// A wof is the content of a file that the Windows Overlay Filter keeps compressed. The stream that it is kept in starts
// with a table: for each chunk but the first, the offset of its data from the end of the table, in 4 bytes or, for a
// content over 4 GiB, in 8. A chunk that would not shrink is kept as it is.
type wof struct {
	t      *Tree
	label  func() string
	kept   layer.Mapper
	size   int64 // bytes of content
	chunk  int64 // bytes of content of each chunk but the last
	entry  int64 // bytes of a table entry
	table  int64 // bytes of the table
	format uint32
	recent atomic.Pointer[bounds] // the piece of the table that was read last
}

// wofLZX is the one format that is no XPRESS.
const wofLZX = 1

// wofChunkSizes gives the bytes of content of a chunk by format: XPRESS4K, LZX, XPRESS8K, XPRESS16K.
var wofChunkSizes = [...]int64{4 << 10, 32 << 10, 8 << 10, 16 << 10}

// maxBounds is for how many chunks the table is read at once.
const maxBounds = 512

// openWOF presents the content of a file that has WOF reparse data. Its unnamed stream is a hole of the size of the
// content.
func (n *Node) openWOF(list []attribute, label func() string) (layer.Mapper, error) {
	r, err := n.Reparse()
	if err != nil {
		return nil, err
	}
	f := &wof{t: n.tree, label: label, size: n.Size, entry: 4, format: r.WOF.Format}
	switch {
	case r.WOF.Provider != WOFProviderFile:
		return nil, fmt.Errorf("%s: content in a WIM archive (WOF provider %d): %w", label(), r.WOF.Provider, layer.ErrUnsupported)
	case f.format >= uint32(len(wofChunkSizes)):
		return nil, fmt.Errorf("%s: compressed by WOF in format %d: %w", label(), f.format, layer.ErrUnsupported)
	}
	f.chunk = wofChunkSizes[f.format]
	if f.size > math.MaxUint32 {
		f.entry = 8
	}
	extents := n.tree.pickStream(list, wofStream)
	if len(extents) == 0 {
		return nil, fmt.Errorf("%s: compressed by WOF, without a stream %s: %w", label(), wofStream, layer.ErrCorrupt)
	}
	if f.kept, err = n.openStream(list, extents, wofStream); err != nil {
		return nil, err
	}
	if f.table = max((f.size-1)/f.chunk, 0) * f.entry; f.table > f.kept.Size() {
		return nil, fmt.Errorf("%s: table of 0x%x bytes for 0x%x bytes of content, the stream has 0x%x: %w", label(), f.table, f.size, f.kept.Size(), layer.ErrCorrupt)
	}
	return f, nil
}

func (w *wof) Size() int64 { return w.size }

func (w *wof) ReadAt(p []byte, off int64) (int, error) { return w.t.readStream(w, w.label, p, off) }

// bounds are where chunks from first on begin, and the last one ends, in the stream they are kept in. Immutable.
type bounds struct {
	first int64
	at    []int64
}

// bounds returns where chunk i begins and ends. It reads the table in pieces, or where that fails the entries of i alone.
func (w *wof) bounds(i int64) (start, end int64, err error) {
	b := w.recent.Load()
	if b == nil || i < b.first || i-b.first >= int64(len(b.at)-1) {
		chunks := (w.size + w.chunk - 1) / w.chunk
		first := i / maxBounds * maxBounds
		if b, err = w.readBounds(first, min(maxBounds, chunks-first)); err == nil {
			w.recent.Store(b)
		} else if b, err = w.readBounds(i, 1); err != nil {
			return 0, 0, fmt.Errorf("chunk table: %w", err)
		}
	}
	return b.at[i-b.first], b.at[i-b.first+1], nil
}

// readBounds reads the table for n chunks from first on.
func (w *wof) readBounds(first, n int64) (*bounds, error) {
	last := (w.size - 1) / w.chunk
	out := &bounds{first, make([]int64, 0, n+1)}
	if first == 0 {
		out.at = append(out.at, w.table)
	}
	entry := max(first-1, 0)
	b := make([]byte, (min(first+n-1, last-1)-entry+1)*w.entry)
	if err := layer.ReadFull(w.kept, b, entry*w.entry); err != nil {
		return nil, err
	}
	for ; len(b) > 0; b = b[w.entry:] {
		v := uint64(binary.LittleEndian.Uint32(b))
		if w.entry == 8 {
			v = binary.LittleEndian.Uint64(b)
		}
		out.at = append(out.at, w.table+int64(min(v, 1<<60))) // what is past the end makes no chunk of a possible size
	}
	if first+n > last {
		out.at = append(out.at, w.kept.Size())
	}
	return out, nil
}

// content is the number of bytes that chunk i stands for.
func (w *wof) content(i int64) int64 { return min(w.chunk, w.size-i*w.chunk) }

// At tells where the content is: in the stream that keeps it where a chunk is as it is, else in a leaf of its own.
func (w *wof) At(off, n int64) (layer.Extent, error) {
	i := off / w.chunk
	e := layer.Extent{Off: off, Len: min(n, (i+1)*w.chunk-off), BaseOff: off - i*w.chunk}
	start, end, err := w.bounds(i)
	switch kept := end - start; {
	case err != nil:
		return e, w.fail(i, err)
	case kept <= 0 || kept > w.content(i):
		return e, w.fail(i, fmt.Errorf("0x%x bytes kept of 0x%x: %w", kept, w.content(i), layer.ErrCorrupt))
	case kept == w.content(i):
		e.Base, e.BaseOff = w.kept, start+e.BaseOff
	default:
		e.Base = wofChunk{w, i}
	}
	return e, nil
}

func (w *wof) fail(i int64, err error) error {
	return fmt.Errorf("%s: WOF chunk at 0x%x: %w", w.label(), i*w.chunk, err)
}

// A wofChunk is a compressed chunk: a leaf Source that reads and unpacks when asked.
type wofChunk struct {
	w     *wof
	index int64
}

// unpacked is the content of a chunk.
type unpacked struct{ b []byte }

func (u *unpacked) cost() int { return len(u.b) }

func (c wofChunk) Size() int64 { return c.w.content(c.index) }

// Describe implements layer.Described.
func (c wofChunk) Describe() string { return fmt.Sprintf("unpacked from WOF chunk %d", c.index) }

func (c wofChunk) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, c.Size(), c.read)
}

func (c wofChunk) read(p []byte, off int64) (int, error) {
	w := c.w
	start, end, err := w.bounds(c.index)
	var u *unpacked
	if err == nil {
		u, err = unitAt(w.t, keptWOF, w.kept, start, end-start, int64(w.format)<<32|c.Size(), c.unpack)
	}
	if err != nil {
		return 0, w.fail(c.index, err)
	}
	return copy(p, u.b[off:]), nil
}

func (c wofChunk) unpack(raw []byte) (*unpacked, error) {
	u := &unpacked{make([]byte, c.Size())}
	if c.w.format == wofLZX {
		return u, codec.LZX(u.b, raw)
	}
	return u, codec.XPRESS(u.b, raw)
}

// Method is the format.
func (c wofChunk) Method() int64 { return int64(c.w.format) }

// Packed gives the part of the stream that keeps the chunk.
func (c wofChunk) Packed() (layer.Mapper, error) {
	start, end, err := c.w.bounds(c.index)
	if err != nil {
		return nil, err
	}
	return layer.Section(c.w.kept, start, end-start)
}
