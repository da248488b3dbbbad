package points

import (
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Trust says what bytes of a carved snapshot rest on, the best first; 0 is of what is no carved one.
type Trust = carve.Trust

// Shares counts bytes by what they rest on.
type Shares = carve.Shares

// Agreed is the last class that is shown by default.
const Agreed = carve.Agreed

// ParseTrust takes the word for a class.
func ParseTrust(word string) (Trust, error) { return carve.ParseTrust(word) }

// doubtful reports whether doubtful bytes of a point that was carved are given: they are what of it is unknown, and all
// else that is not shown is an error.
func (p *Point) doubtful() bool {
	return p.Carved != nil && p.Volume.set.opts.CarveShow >= carve.Doubtful && p.unknown == layer.Fail
}

// TrustIn says what a file of a carved snapshot rests on, its records and the content of a stream together: it is as good as
// its worst byte. It reads tables, and of blocks that were deleted whether there is anything in them. For a point that was
// not carved it is 0.
func (p *Point) TrustIn(n *ntfs.Node, stream string) Trust {
	if p.Carved == nil {
		return 0
	}
	t := n.Tree()
	size := int64(t.RecordSize())
	worst := carve.Kept
	for _, number := range append(n.Extensions(), n.Ref.Record) {
		worst = max(worst, p.trust(t.MFT(), int64(number)*size, size))
	}
	m, err := n.Stored(stream)
	switch {
	case err == nil:
		worst = max(worst, p.trust(m, 0, m.Size()))
	case !n.Dir():
		worst = carve.Lost
	}
	return worst
}

// SharesIn counts the bytes that the volume keeps of a file of a carved snapshot, its records and the content of a stream, by
// what they rest on. For a point that was not carved there are none.
func (p *Point) SharesIn(n *ntfs.Node, stream string) (s Shares) {
	if p.Carved == nil {
		return s
	}
	add := func(t Trust, n int64) bool {
		s[t] += n
		return true
	}
	t := n.Tree()
	size := int64(t.RecordSize())
	for _, number := range append(n.Extensions(), n.Ref.Record) {
		p.classes(t.MFT(), int64(number)*size, size, add)
	}
	if m, err := n.Stored(stream); err == nil {
		p.classes(m, 0, m.Size(), add)
	} else if !n.Dir() {
		s[carve.Lost] += n.Size
	}
	return s
}

// trust is that of a range of what lies on the volume at the point.
func (p *Point) trust(m layer.Mapper, off, n int64) Trust {
	worst := carve.Kept
	p.classes(m, off, n, func(t Trust, _ int64) bool {
		worst = max(worst, t)
		return worst < carve.Lost
	})
	return worst
}

// classes gives what the parts of a range rest on, and their bytes, until emit wants no more; it reports whether that did. A
// hole, or what is in the record, is none of them.
func (p *Point) classes(m layer.Mapper, off, n int64, emit func(Trust, int64) bool) bool {
	for e, err := range layer.Extents(m, off, n) {
		if packed, ok := e.Base.(layer.Packed); ok && err == nil {
			below, err := packed.Packed()
			if err != nil && !emit(carve.Lost, e.Len) || err == nil && !p.classes(below, 0, below.Size(), emit) {
				return false
			}
			continue
		}
		if err != nil || e.Kind == layer.Unknown {
			if !emit(carve.Lost, e.Len) {
				return false
			}
			continue
		}
		if e.Base != layer.Source(p.Carved) {
			continue
		}
		for at := e.BaseOff; at < e.BaseOff+e.Len; {
			t, n := p.Carved.Trust(at, e.BaseOff+e.Len-at)
			if !emit(t, n) {
				return false
			}
			at += n
		}
	}
	return true
}
