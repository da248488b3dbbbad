package ntfs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"

	"snapmount/imagefmt/layer"
)

// UnknownPolicy says what a stream gives where the layer below says layer.Unknown: its own cluster was not kept.
type UnknownPolicy uint8

const (
	UnknownError UnknownPolicy = iota // an error that wraps layer.ErrUnknown
	UnknownZero                       // zeros
	UnknownLive                       // what the Windows driver would give in its place
)

// bytesSource is a leaf Source in memory. Its pointer is what makes it comparable.
type bytesSource struct{ b []byte }

func (s *bytesSource) Size() int64 { return int64(len(s.b)) }

func (s *bytesSource) String() string { return "resident in the MFT record" }

func (s *bytesSource) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	n := copy(p, s.b[min(off, int64(len(s.b))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
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
	s.runs.holes = a.flags&(flagCompressed|flagSparse) != 0 || a.is(typeData, "$Bad")
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
	if flags&(flagCompressed|flagSparse) == 0 {
		return t.geo.size
	}
	return math.MaxUint32 * int64(t.geo.cluster)
}

// Size is the data size, in bytes.
func (s *stream) Size() int64 { return s.size }

// Extents tells where the clusters are on the volume. Holes and what was never initialized are Zero.
func (s *stream) Extents(off, n int64) iter.Seq2[layer.Extent, error] {
	return func(yield func(layer.Extent, error) bool) {
		end := off + layer.Clip(s.size, off, n)
		for i := s.runs.find(off / int64(s.t.geo.cluster)); off < end; i++ {
			e, err := s.extent(i, off, end)
			if !yield(e, err) {
				return
			}
			off += e.Len
		}
	}
}

// At implements layer.Locator.
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
	return s.t.readAt(s, s.label, p, off)
}

// readAt is ReadAt of a stream m of any kind.
func (t *Tree) readAt(m layer.Mapper, label func() string, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	n := layer.Clip(m.Size(), off, int64(len(p)))
	if n > 0 && n == int64(len(p)) { // most reads are of one piece: no sequence for them
		if e, err := layer.Leaf(m, off, n); err == nil && e.Len == n && e.Kind == layer.Data {
			if err := layer.ReadFull(e.Base, p, e.BaseOff); err != nil {
				return 0, err
			}
			return len(p), nil
		}
	}
	for e, err := range layer.Resolve(m, off, n) {
		b := p[e.Off-off:][:e.Len]
		switch {
		case err != nil:
		case e.Kind == layer.Unknown && t.opts.Unknown == UnknownError:
			err = fmt.Errorf("%s: 0x%x bytes at 0x%x: %w", label(), e.Len, e.Off, layer.ErrUnknown)
		case e.Base == nil || (e.Kind == layer.Unknown && t.opts.Unknown == UnknownZero):
			clear(b)
		default:
			err = layer.ReadFull(e.Base, b, e.BaseOff)
		}
		if err != nil {
			return int(e.Off - off), err
		}
	}
	if int(n) < len(p) {
		return int(n), io.EOF
	}
	return int(n), nil
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

// packed is a leaf that unpacks what is kept elsewhere.
type packed interface {
	packed() (layer.Mapper, error)
	method() int64 // how it is packed: with the same one, the same bytes unpack to the same
}

// Unkept yields the ranges of a stream whose content is not in the image: unknown to the layers below (the error wraps
// layer.ErrUnknown), or damaged. It reads tables, no data.
func Unkept(m layer.Mapper) iter.Seq2[layer.Extent, error] {
	return func(yield func(layer.Extent, error) bool) {
		for e, err := range layer.Resolve(m, 0, m.Size()) {
			if p, ok := e.Base.(packed); ok && err == nil {
				err = unkept(p)
			}
			if err == nil && e.Kind == layer.Unknown {
				err = layer.ErrUnknown
			}
			if err != nil && !yield(e, err) {
				return
			}
		}
	}
}

// unkept says why what p unpacks is not all in the image, nil when it is.
func unkept(p packed) error {
	m, err := p.packed()
	if err != nil {
		return err
	}
	for _, err := range Unkept(m) {
		return err
	}
	return nil
}
