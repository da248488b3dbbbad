package layer

import "iter"

// Differ yields the ranges of [off, off+n), as offset and length in bytes, of which it is not proven that a and b hold
// the same there: all but those whose bytes lie in the same place of the same leaf, or are holes in both. It reads
// tables, no data. What lies past the end of either is not covered. What is unknown or damaged in either is yielded.
//
// same, which may be nil, says whether two leaves that are not identical have the same content at equal offsets.
func Differ(a, b Source, off, n int64, same func(x, y Source) bool) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		end := off + min(Clip(a.Size(), off, n), Clip(b.Size(), off, n))
		from := off // of what differs and is not yielded
		for off < end {
			x, err := Leaf(a, off, end-off)
			y, err2 := Leaf(b, off, max(x.Len, 1))
			part := y.Len
			if err == nil && err2 == nil && x.samePlace(y, same) {
				if from < off && !yield(from, off-from) {
					return
				}
				from = off + part
			}
			off += part
		}
		if from < end {
			yield(from, end-from)
		}
	}
}

// samePlace reports whether both have the same bytes for sure.
func (e Extent) samePlace(o Extent, same func(x, y Source) bool) bool {
	switch {
	case e.Kind != o.Kind || e.Kind == Unknown:
		return false
	case e.Kind == Zero:
		return true
	case e.BaseOff != o.BaseOff:
		return false
	}
	return e.Base == o.Base || same != nil && same(e.Base, o.Base)
}
