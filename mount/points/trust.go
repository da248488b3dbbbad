package points

import (
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Trust says what bytes of a carved snapshot rest on, the best first; 0 is of what is no carved one.
type Trust = carve.Trust

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

// trust is that of a range of what lies on the volume at the point.
func (p *Point) trust(m layer.Mapper, off, n int64) Trust {
	worst := carve.Kept
	for e, err := range layer.Extents(m, off, n) {
		if packed, ok := e.Base.(layer.Packed); ok && err == nil {
			if below, err := packed.Packed(); err == nil {
				worst = max(worst, p.trust(below, 0, below.Size()))
				continue
			}
			return carve.Lost
		}
		if err != nil || e.Kind == layer.Unknown {
			return carve.Lost
		}
		if e.Base != layer.Source(p.Carved) {
			continue // a hole, or in the record
		}
		for at := e.BaseOff; at < e.BaseOff+e.Len && worst < carve.Lost; {
			t, n := p.Carved.Trust(at, e.BaseOff+e.Len-at)
			worst, at = max(worst, t), at+n
		}
	}
	return worst
}
