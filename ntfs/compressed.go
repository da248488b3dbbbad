package ntfs

import (
	"fmt"
	"sync/atomic"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/codec"
)

// lznt1Chunk is how much output each chunk of LZNT1 stands for.
const lznt1Chunk = 4096

// maxUnit is the most bytes that a compression unit can have: 16 clusters of 4 KiB.
const maxUnit = 64 << 10

// A compressed is a stream kept by LZNT1, unit by unit. A unit whose clusters are all there is kept as it is, one
// without any is zeros, and one that ends in a hole is compressed into the clusters before that.
type compressed struct {
	raw  *stream // the clusters, with no regard to the sizes
	size int64
	init int64
	unit int64 // bytes
}

// A unitSource is a decompressed unit: a leaf Source that reads and decompresses when asked.
type unitSource struct {
	s     *compressed
	index int64
}

// decompress presents s, the runs of a compressed stream, as its content.
func (s *stream) decompress(unit uint8) (layer.Mapper, error) {
	size := int64(s.t.geo.cluster) << min(unit, 32)
	if unit == 0 || size > maxUnit {
		return nil, fmt.Errorf("%s: compression unit of 2^%d clusters: %w", s.label(), unit, layer.ErrUnsupported)
	}
	raw := *s
	raw.size = s.runs.end() * int64(s.t.geo.cluster)
	raw.initialized = raw.size
	return &compressed{raw: &raw, size: s.size, init: s.initialized, unit: size}, nil
}

func (s *compressed) Size() int64 { return s.size }

func (s *compressed) ReadAt(p []byte, off int64) (int, error) {
	return s.raw.t.readStream(s, s.raw.label, p, off)
}

// At tells where the content is: on the volume where a unit is not compressed, else in a leaf of its own.
func (s *compressed) At(off, n int64) (layer.Extent, error) {
	e := layer.Extent{Off: off, Len: n, Kind: layer.Zero}
	if off >= s.init {
		return e, nil
	}
	index := off / s.unit
	n = min(n, s.init-off)
	e.Len = min(n, (index+1)*s.unit-off)
	kept, err := s.kept(index)
	switch {
	case err != nil:
		return e, fmt.Errorf("%s at 0x%x: %w", s.raw.label(), off, err)
	case kept == s.unit:
		return s.raw.At(off, e.Len)
	case kept == 0:
		e.Len = min(n, s.nextKept(index)*s.unit-off)
	default:
		e.Kind, e.Base, e.BaseOff = layer.Data, unitSource{s, index}, off-index*s.unit
	}
	return e, nil
}

// kept counts the bytes in the clusters of a unit. They must come before its holes.
func (s *compressed) kept(index int64) (int64, error) {
	var kept int64
	holes := false
	runs, cluster := &s.raw.runs, int64(s.raw.t.geo.cluster)
	vcn, end := index*s.unit/cluster, (index+1)*s.unit/cluster
	for i := runs.find(vcn); i < len(runs.runs) && runs.runs[i].vcn < end; i++ {
		r := runs.runs[i]
		n := min(r.vcn+r.n, end) - max(r.vcn, vcn)
		switch {
		case runs.err(r) != nil:
			return 0, runs.err(r)
		case r.lcn == hole:
			holes = true
		case holes:
			return 0, fmt.Errorf("compression unit with a hole before a cluster: %w", layer.ErrCorrupt)
		default:
			kept += n * cluster
		}
	}
	return kept, nil
}

// nextKept returns the first unit after index that a hole does not fill wholly, so that large holes are one extent.
func (s *compressed) nextKept(index int64) int64 {
	runs, cluster := &s.raw.runs, int64(s.raw.t.geo.cluster)
	next := index + 1
	if i := runs.find(index * s.unit / cluster); i < len(runs.runs) && runs.runs[i].lcn == hole {
		next = max(next, (runs.runs[i].vcn+runs.runs[i].n)*cluster/s.unit)
	}
	return next
}

func (u unitSource) Size() int64 { return u.s.unit }

// Describe implements layer.Described.
func (u unitSource) Describe() string {
	return fmt.Sprintf("unpacked from compression unit %d", u.index)
}

// Packed gives the clusters of the unit.
func (u unitSource) Packed() (layer.Mapper, error) {
	return layer.Section(u.s.raw, u.index*u.s.unit, min(u.s.unit, u.s.raw.size-u.index*u.s.unit))
}

// Method tells LZNT1 with its units from the formats of WOF.
func (u unitSource) Method() int64 { return -u.s.unit }

func (u unitSource) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, u.s.unit, u.read)
}

func (u unitSource) read(p []byte, off int64) (int, error) {
	kept, err := u.s.kept(u.index)
	var l *lznt1Unit
	if err == nil {
		l, err = unitAt(u.s.raw.t, keptLZNT1, u.s.raw, u.index*u.s.unit, kept, u.s.unit, func(raw []byte) (*lznt1Unit, error) {
			return newLZNT1(raw, u.s.unit), nil
		})
	}
	if err == nil {
		err = l.read(p, off)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: compression unit at 0x%x: %w", u.s.raw.label(), u.index*u.s.unit, err)
	}
	return len(p), nil
}

// An lznt1Unit is a compression unit as it is kept. Each of its chunks is unpacked when it is asked for: they do not
// depend on each other.
type lznt1Unit struct {
	raw    []byte
	starts []int // of the chunks in raw, as far as the chain goes
	broken error // what ends the chain before it should
	out    []atomic.Pointer[[lznt1Chunk]byte]
}

func newLZNT1(raw []byte, size int64) *lznt1Unit {
	u := &lznt1Unit{raw: raw, out: make([]atomic.Pointer[[lznt1Chunk]byte], (size+lznt1Chunk-1)/lznt1Chunk)}
	for rest := raw; len(u.starts) < len(u.out) && len(rest) > 0 && u.broken == nil; {
		start := len(raw) - len(rest)
		if rest, u.broken = codec.LZNT1Skip(rest, 1); u.broken == nil {
			u.starts = append(u.starts, start)
		}
	}
	return u
}

func (u *lznt1Unit) cost() int { return len(u.raw) + lznt1Chunk*len(u.out) }

// read fills p from off. Chunks that are wanted whole are unpacked in place and not kept.
func (u *lznt1Unit) read(p []byte, off int64) error {
	for len(p) > 0 {
		i, in := int(off/lznt1Chunk), int(off%lznt1Chunk)
		n := min(len(p), lznt1Chunk-in)
		kept := u.out[i].Load()
		switch {
		case kept != nil:
			copy(p[:n], kept[in:])
		case n == lznt1Chunk:
			if err := u.unpack(p[:n], i); err != nil {
				return err
			}
		default:
			kept = new([lznt1Chunk]byte)
			if err := u.unpack(kept[:], i); err != nil {
				return err
			}
			u.out[i].Store(kept)
			copy(p[:n], kept[in:])
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

func (u *lznt1Unit) unpack(out []byte, i int) error {
	if i < len(u.starts) {
		return codec.LZNT1Chunk(out, u.raw[u.starts[i]:])
	}
	clear(out)
	return u.broken
}
