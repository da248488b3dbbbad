package layer

import (
	"cmp"
	"context"
	"iter"
)

// Pair is a range of two Sources which lies in one place in each.
type Pair struct {
	Off, Len int64
	A, B     Extent // of leaves
	Err      error  // of either, which then covers the range
}

// Pairs resolves two Sources side by side: consecutive Pairs cover [off, off+n), as far as both reach.
func Pairs(a, b Source, off, n int64) iter.Seq[Pair] {
	return func(yield func(Pair) bool) { pairs(a, b, off, n, yield) }
}

func pairs(a, b Source, off, n int64, emit func(Pair) bool) {
	for end := off + min(Clip(a.Size(), off, n), Clip(b.Size(), off, n)); off < end; {
		x, err := Leaf(a, off, end-off)
		y, err2 := Leaf(b, off, x.Len)
		x.Len = y.Len
		if !emit(Pair{Off: off, Len: y.Len, A: x, B: y, Err: cmp.Or(err, err2)}) {
			return
		}
		off += y.Len
	}
}

// Differ yields the ranges of [off, off+n), as offset and length in bytes, of which it is not proven that a and b hold
// the same there: all but those whose bytes lie in the same place of the same leaf, or are holes in both. It reads
// tables, no data. What lies past the end of either is not covered. What is unknown or damaged in either is yielded; so
// is all that is left when ctx ends, of which nothing is proven then.
//
// same, which may be nil, says whether two leaves that are not identical have the same content at equal offsets.
func Differ(ctx context.Context, a, b Source, off, n int64, same func(x, y Source) bool) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		from, end := off, off // of what differs and is not yielded
		more := true
		pairs(a, b, off, n, func(p Pair) bool {
			if ctx.Err() != nil {
				end = off + min(Clip(a.Size(), off, n), Clip(b.Size(), off, n))
				return false
			}
			if p.Err == nil && p.A.samePlace(p.B, same) {
				if from < end {
					more = yield(from, end-from)
				}
				from = p.Off + p.Len
			}
			end = p.Off + p.Len
			return more
		})
		if more && from < end {
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
