package ewf

import (
	"encoding/binary"

	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

// isTail reports whether n bytes more than there are sectors of may be what was acquired of a file: they are no sector.
func (d *Disk) isTail(n int64) bool { return n > 0 && n < d.sector }

// tail returns what the image has past the last whole sector of the disk, when what was acquired was no whole number of
// them. It is in the last chunk, or in one of its own; the stored hashes are of it, too.
func (d *Disk) tail() ([]byte, error) {
	c := d.size / d.chunkSize
	if !d.isThere(c) {
		return nil, nil
	}
	b, err := d.whole(c)
	in := d.size - c*d.chunkSize
	if err != nil || !d.isTail(int64(len(b))-in) {
		return nil, err
	}
	return b[in:], nil
}

// shorten makes the disk end with what chunk c, the last one, holds.
func (d *Disk) shorten(c int64) {
	if b, err := d.whole(c); err == nil {
		d.size = c*d.chunkSize + int64(len(b))/d.sector*d.sector
	}
}

// whole returns all that is stored for chunk c, wherever the disk ends.
func (d *Disk) whole(c int64) ([]byte, error) {
	s, err := d.slot(c)
	if err != nil || s.kind == kindPattern {
		return nil, err
	}
	have := layer.Clip(s.src.Size(), s.off, min(s.n, d.chunkSize+d.chunkSize/8+1024))
	b := make([]byte, have)
	if err := layer.ReadFull(s.src, b, s.off); err != nil {
		return nil, s.wrap(c, err)
	}
	dst := make([]byte, d.chunkSize)
	n := 0
	switch {
	case s.kind == kindZlib:
		f := d.inflater()
		defer d.inflaters.Put(f)
		n, _, err = f.zlib.Zlib(dst, b)
	case s.kind == kindBzip2:
		n, err = unpackBzip2(dst, b)
	case !s.sum:
		n = copy(dst, b)
	case have < sumLen:
		err = layer.ErrCorrupt
	default:
		n = copy(dst, b[:have-sumLen])
		if got, want := inflate.Adler32(dst[:n]), binary.LittleEndian.Uint32(b[have-sumLen:]); got != want {
			err = layer.Corrupt("chunk", s.off, "adler-32 0x%08x, want 0x%08x", got, want)
		}
	}
	if err != nil {
		return nil, s.wrap(c, layer.Corrupt("chunk", s.off, "%w", err))
	}
	return dst[:n], nil
}
