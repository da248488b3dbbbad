package ntfs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// bytesSource is a leaf Source in memory. Its pointer is what makes it comparable.
type bytesSource struct{ b []byte }

func (s *bytesSource) Size() int64 { return int64(len(s.b)) }

// Describe implements layer.Described.
func (s *bytesSource) Describe() string { return "resident in the MFT record" }

func (s *bytesSource) ReadAt(p []byte, off int64) (int, error) {
	return layer.ReadLeaf(p, off, s.Size(), func(p []byte, off int64) (int, error) { return copy(p, s.b[off:]), nil })
}

// A residentValue is the leaf that a resident stream is; each opening makes another.
type residentValue struct{ bytesSource }

// A stream is the content of a non-resident attribute. It implements layer.Mapper.
type stream struct {
	t                 *Tree
	label             func() string // for errors
	size, initialized int64
	runs              runList
	encrypted         bool
	short             error // why the size is in doubt, which the clusters contradict: only what was initialized is sure
}

// resident returns a resident value as a Mapper of its own copy.
func resident(value []byte) layer.Mapper {
	s, _ := layer.Section(&residentValue{bytesSource{append([]byte(nil), value...)}}, 0, int64(len(value)))
	return s
}

// newStream joins the extents of a non-resident attribute, in the order of their lowest VCN.
func (t *Tree) newStream(extents []attribute, label func() string) (*stream, error) {
	s, err := t.startStream(&extents[0], label)
	if err != nil {
		return nil, err
	}
	for i := range extents[1:] {
		a, last := &extents[i+1], &extents[i]
		if last.err != nil {
			s.runs.fail(int64(a.low)-s.runs.end(), last.err)
		}
		s.runs.extend(a, t.geo.clusters)
	}
	s.seal(extents[len(extents)-1].err)
	return s, nil
}

// startStream opens a stream by its first extent, the one that holds the sizes.
func (t *Tree) startStream(a *attribute, label func() string) (*stream, error) {
	if a.err != nil || a.low != 0 || a.resident {
		return nil, fmt.Errorf("%s: the first attribute record is missing: %w", label(), cmp.Or(a.err, layer.ErrCorrupt))
	}
	limit := uint64(t.sizeLimit(a.flags))
	size := min(a.size, limit)
	s := &stream{t: t, label: label, size: int64(size), initialized: int64(min(a.initialized, size))}
	if a.size > limit {
		s.short = fmt.Errorf("size 0x%x, at most 0x%x can be: %w", a.size, limit, layer.ErrCorrupt)
	}
	s.runs.holes = a.flags&(layout.Compressed|layout.Sparse) != 0 || a.is(typeData, "$Bad")
	s.runs.extend(a, t.geo.clusters)
	return s, nil
}

// seal makes damage, because of reason, of what no extent maps below the size.
func (s *stream) seal(reason error) {
	unit := int64(s.t.geo.cluster)
	want := s.size / unit
	if s.size%unit != 0 {
		want++
	}
	if want > s.runs.end() {
		s.short = cmp.Or(reason, s.short, errUnmapped)
		s.runs.fail(want-s.runs.end(), s.short)
	}
}

// sizeLimit is the most bytes that a stream can have: those of the volume, or 2^32 clusters where it may have holes.
func (t *Tree) sizeLimit(flags uint16) int64 {
	if flags&(layout.Compressed|layout.Sparse) == 0 {
		return t.geo.size
	}
	return math.MaxUint32 * int64(t.geo.cluster)
}

// Size is the data size, in bytes.
func (s *stream) Size() int64 { return s.size }

// At tells where the clusters are on the volume. Holes and what was never initialized are Zero.
func (s *stream) At(off, n int64) (layer.Extent, error) {
	return s.extent(s.runs.find(off/int64(s.t.geo.cluster)), off, off+n)
}

// extent describes what begins at off, which is in run i, and ends before end. The runs cover every VCN below size.
func (s *stream) extent(i int, off, end int64) (layer.Extent, error) {
	if off >= s.initialized && s.short != nil {
		return layer.Extent{Off: off, Len: end - off}, fmt.Errorf("%s at 0x%x: %w", s.label(), off, s.short)
	}
	if off >= s.initialized {
		return layer.Extent{Off: off, Len: end - off, Kind: layer.Zero}, nil
	}
	unit, r := int64(s.t.geo.cluster), s.runs.runs[i]
	e := layer.Extent{Off: off, Len: min((r.vcn+r.n)*unit, end, s.initialized) - off}
	switch {
	case r.lcn >= 0:
		e.Base, e.BaseOff = s.t.src, r.lcn*unit+off-r.vcn*unit
	case r.lcn == hole:
		e.Kind = layer.Zero
	default:
		return e, fmt.Errorf("%s at 0x%x: %w", s.label(), off, s.runs.err(r))
	}
	return e, nil
}

// ReadAt reads through all layers below. Where one of them says Unknown, Options.Unknown decides.
func (s *stream) ReadAt(p []byte, off int64) (int, error) {
	return s.t.readStream(s, s.label, p, off)
}

// readStream is ReadAt of a stream m of any kind.
func (t *Tree) readStream(m layer.Mapper, label func() string, p []byte, off int64) (int, error) {
	n, err := layer.Read(m, p, off, t.opts.Unknown)
	if unknown, ok := err.(*layer.UnknownError); ok { // and not one that a layer below labels
		err = fmt.Errorf("%s: %w", label(), unknown)
	}
	return n, err
}

// Clusters gives what lies in the clusters of the unnamed stream, as far as its size, whether it was ever initialized
// or not. The store files of VSS are read so: through NTFS they are zeros. It wraps fs.ErrNotExist when the stream has no
// clusters.
func (n *Node) Clusters() (layer.Mapper, error) {
	list, damage := n.attributes()
	extents := n.tree.pickStream(list, "")
	if len(extents) == 0 || extents[0].resident {
		return nil, errors.Join(fmt.Errorf("%v: no clusters: %w", n.Ref, fs.ErrNotExist), damage)
	}
	s, err := n.tree.newStream(extents, n.Ref.String)
	if err != nil {
		return nil, err
	}
	s.initialized = s.size
	return s, nil
}
