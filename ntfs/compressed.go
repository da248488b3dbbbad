package ntfs

import (
	"fmt"
	"io"
	"iter"

	"snapmount/imagefmt/layer"
)

// maxUnit is the most bytes that a compression unit can have: 16 clusters of 4 KiB.
const maxUnit = 64 << 10

// A compressed is a stream kept by LZNT1, unit by unit. A unit whose clusters are all there is kept as it is, one
// without any is zeros, and one that ends in a hole is compressed into the clusters before that.
type compressed struct {
	raw    *stream // the clusters, with no regard to the sizes
	size   int64
	init   int64
	unit   int64 // bytes
	record uint64
	name   string
}

// unitKey names a unit of a stream.
type unitKey struct {
	record uint64
	name   string
	index  int64
}

// A unitSource is a decompressed unit: a leaf Source that reads and decompresses when asked.
type unitSource struct {
	s     *compressed
	index int64
}

// decompress presents s, the runs of a compressed stream, as its content.
func (s *stream) decompress(record uint64, name string, unit uint8) (layer.Mapper, error) {
	size := int64(s.t.geo.cluster) << min(unit, 32)
	if unit == 0 || size > maxUnit {
		return nil, fmt.Errorf("%s: compression unit of 2^%d clusters: %w", s.label(), unit, layer.ErrUnsupported)
	}
	raw := *s
	raw.size = s.runs.end() * int64(s.t.geo.cluster)
	raw.initialized = raw.size
	return &compressed{raw: &raw, size: s.size, init: s.initialized, unit: size, record: record, name: name}, nil
}

func (s *compressed) Size() int64 { return s.size }

func (s *compressed) ReadAt(p []byte, off int64) (int, error) {
	return s.raw.t.readAt(s, s.raw.label, p, off)
}

// Extents tells where the content is: on the volume where a unit is not compressed, else in a leaf of its own.
func (s *compressed) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	return func(yield func(layer.Extent, error) bool) {
		end := off + layer.Clip(s.size, off, n)
		for off < min(end, s.init) {
			index := off / s.unit
			part := min((index+1)*s.unit, end, s.init) - off
			kept, err := s.kept(index)
			switch {
			case err != nil:
				err = fmt.Errorf("%s at 0x%x: %w", s.raw.label(), off, err)
				if !yield(layer.Extent{Off: off, Len: part}, err) {
					return
				}
			case kept == 0:
				part = min((s.nextKept(index)*s.unit), end, s.init) - off
				if !yield(layer.Extent{Off: off, Len: part, Kind: layer.Zero}, nil) {
					return
				}
			case kept == s.unit:
				for e, err := range s.raw.Extents(off, part) {
					if !yield(e, err) {
						return
					}
				}
			default:
				if !yield(layer.Extent{Off: off, Len: part, Base: unitSource{s, index}, BaseOff: off - index*s.unit}, nil) {
					return
				}
			}
			off += part
		}
		if off < end {
			yield(layer.Extent{Off: off, Len: end - off, Kind: layer.Zero}, nil)
		}
	}
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

func (u unitSource) String() string { return fmt.Sprintf("unpacked from compression unit %d", u.index) }

// unkept says why the clusters of the unit are not all in the image, nil when they are.
func (u unitSource) unkept() error {
	for _, err := range Unkept(u.raw()) {
		return err
	}
	return nil
}

// raw gives the clusters of the unit.
func (u unitSource) raw() layer.Mapper {
	s, _ := layer.Section(u.s.raw, u.index*u.s.unit, min(u.s.unit, u.s.raw.size-u.index*u.s.unit))
	return s
}

func (u unitSource) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	b, err := u.content()
	if err != nil {
		return 0, err
	}
	n := copy(p, b[min(off, int64(len(b))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// content decompresses the unit, or finds it done.
func (u unitSource) content() ([]byte, error) {
	s := u.s
	t := s.raw.t
	k := unitKey{s.record, s.name, u.index}
	if b, ok := t.units.load(k); ok {
		return b, nil
	}
	kept, err := s.kept(u.index)
	if err != nil {
		return nil, err
	}
	in, out := make([]byte, kept), make([]byte, s.unit)
	err = layer.ReadFull(s.raw, in, u.index*s.unit)
	if err == nil {
		err = decompressLZNT1(out, in)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: compression unit at 0x%x: %w", s.raw.label(), u.index*s.unit, err)
	}
	t.units.store(k, out, len(out))
	return out, nil
}
