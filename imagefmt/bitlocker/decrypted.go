package bitlocker

import (
	"fmt"
	"math"
	"sort"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// pieceKind is what is to be done for a piece of the decrypted volume.
type pieceKind uint8

const (
	pieceCipher  pieceKind = iota // decrypt it
	piecePlain                    // it is not encrypted
	pieceZero                     // zeros
	piecePatch                    // bytes that are in no place of the volume
	pieceRefused                  // an error
)

// A piece is a range of the decrypted volume.
type piece struct {
	off, n int64
	kind   pieceKind
	from   int64  // of cipher and plain: where it lies in the encrypted volume, which its sectors were encrypted for
	data   []byte // of patch: n bytes
	err    error  // of refused
}

// plainVolume is a volume of which some pieces are decrypted when they are read. It is a layer.Mapper: what is decrypted is
// a leaf over the leaf in which the encrypted bytes lie, so that what lies in one place is known to be the same.
type plainVolume struct {
	src     layer.Mapper
	size    int64
	pieces  []piece
	patches []layer.Source // by piece
	sector  int64
	cipher  *volumeCipher
	known   [64]atomic.Pointer[knownLeaf]
}

// A knownLeaf is kept as an interface, to be handed out without an allocation.
type knownLeaf struct {
	leaf   leaf
	source layer.Source
}

// decrypted returns the volume of size bytes that pieces, which are sorted and cover it, make of src. The key is the
// volume's. Without pieces to decrypt neither method nor key counts.
func decrypted(src layer.Mapper, size int64, pieces []piece, method Method, key []byte, sector int) (layer.Mapper, error) {
	v := &plainVolume{src: src, size: size, pieces: pieces, sector: int64(sector), patches: make([]layer.Source, len(pieces))}
	next := int64(0)
	for i, p := range pieces {
		if p.off != next || p.n <= 0 || p.n > size-p.off || p.from < 0 || p.from > math.MaxInt64-p.n {
			return nil, fmt.Errorf("piece %d: 0x%x bytes at 0x%x from 0x%x, want some at 0x%x of 0x%x", i, p.n, p.off, p.from, next, size)
		}
		next += p.n
		switch p.kind {
		case pieceCipher:
			if v.cipher != nil {
				continue
			}
			var err error
			if v.cipher, err = newVolumeCipher(method, key, sector); err != nil {
				return nil, err
			}
		case piecePatch:
			if int64(len(p.data)) != p.n {
				return nil, fmt.Errorf("piece %d at 0x%x: %d bytes to put there, want %d", i, p.off, len(p.data), p.n)
			}
			v.patches[i] = patch(p.data)
		}
	}
	if next != size {
		return nil, fmt.Errorf("pieces end at 0x%x, want 0x%x", next, size)
	}
	return v, nil
}

// Size is the size of the volume in bytes, encrypted or not.
func (v *plainVolume) Size() int64 { return v.size }

// ReadAt implements io.ReaderAt.
func (v *plainVolume) ReadAt(b []byte, off int64) (int, error) {
	return layer.Read(v, b, off, layer.Fail)
}

// At implements layer.Mapper. A sector of which a part is unknown or damaged below is so as a whole.
func (v *plainVolume) At(off, n int64) (layer.Extent, error) {
	i := sort.Search(len(v.pieces), func(i int) bool { return v.pieces[i].off > off }) - 1
	p := &v.pieces[i]
	in := off - p.off
	e := layer.Extent{Off: off, Len: min(n, p.n-in)}
	switch p.kind {
	case pieceRefused:
		return e, p.err
	case pieceZero:
		e.Kind = layer.Zero
	case piecePatch:
		e.Base, e.BaseOff = v.patches[i], in
	case piecePlain:
		e.Base, e.BaseOff = v.src, p.from+in
	default:
		return v.encrypted(e, p.from+in)
	}
	return e, nil
}

// encrypted is At for an extent of a piece that is decrypted, whose first byte lies at offset at of the encrypted volume.
func (v *plainVolume) encrypted(e layer.Extent, at int64) (layer.Extent, error) {
	end := v.size - v.size%v.sector
	if at >= end {
		return e, layer.Corrupt("sector", end, "0x%x bytes up to the end of the volume, want 0x%x", v.size-end, v.sector)
	}
	start := at - at%v.sector
	last := min(end, (at+e.Len+v.sector-1)/v.sector*v.sector)
	below, err := layer.Leaf(v.src, start, last-start)
	whole := below.Len - below.Len%v.sector
	switch {
	case err != nil:
		whole = (below.Len + v.sector - 1) / v.sector * v.sector
	case whole == 0:
		below, err = v.split(start)
		whole = v.sector
	}
	e.Len = min(e.Len, start+whole-at)
	if err != nil {
		return e, err
	}
	return v.over(e, below, start, at-start), nil
}

// split is the sector at start, whose bytes do not lie in one place below: the extent is of the encrypted volume itself.
func (v *plainVolume) split(start int64) (layer.Extent, error) {
	all := layer.Extent{Off: start, Len: v.sector, Base: v.src, BaseOff: start}
	for off := start; off < start+v.sector; {
		part, err := layer.Leaf(v.src, off, start+v.sector-off)
		if err != nil {
			return all, err
		}
		if part.Kind == layer.Unknown {
			all.Kind, all.Why = layer.Unknown, max(all.Why, part.Why)
		}
		off += part.Len
	}
	return all, nil
}

// over makes e the leaf that decrypts what lies in the extent below of the sector at start; e begins in bytes into it.
func (v *plainVolume) over(e, below layer.Extent, start, in int64) layer.Extent {
	if below.Kind == layer.Unknown {
		e.Kind, e.Why = layer.Unknown, below.Why
		if e.Why == layer.Zeroed || e.Why > layer.Incomplete {
			return e // zeros in place of what is encrypted are not to become noise
		}
	}
	l := leaf{cipher: v.cipher, below: below.Base, shift: start - below.BaseOff, end: v.size - v.size%v.sector}
	switch below.Base {
	case nil: // a hole: it is zeros on the disk, too, which decrypt to what Windows would give
		l.shift = 0
	case layer.Source(v.src):
		l.end = start + v.sector // it tells of this sector only
	}
	e.Base, e.BaseOff = v.leafOf(l), start-l.shift+in
	return e
}

// leafOf returns the leaf as a Source, which is made once as long as it is asked for.
func (v *plainVolume) leafOf(l leaf) layer.Source {
	slot := &v.known[uint64(l.shift)/512*0x9e3779b97f4a7c15>>58]
	if k := slot.Load(); k != nil && k.leaf == l {
		return k.source
	}
	k := &knownLeaf{l, l}
	slot.Store(k)
	return k.source
}
