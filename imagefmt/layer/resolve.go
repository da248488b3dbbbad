package layer

import (
	"cmp"
	"fmt"
	"iter"
)

// Extents yields consecutive extents of m that cover [off, off+n), neighbours joined; what lies past Size is not covered.
// An error covers just the Off and Len of the extent beside it: the sequence goes on after it. Source values must be
// comparable.
func Extents(m Mapper, off, n int64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) { joined(m, off, n, false, yield) }
}

// Resolve flattens [off, off+n) of s through all Mappers below it to extents of leaf Sources, neighbours joined.
// What lies past the end of s is not covered; what lies past the end of a lower Source is Unknown, as Missing: that was
// cut. Errors cover their extent, as in Extents. Source values must be comparable.
func Resolve(s Source, off, n int64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) { joined(s, off, n, true, yield) }
}

// Leaf returns the first extent of Resolve, but for neighbours that could be joined: where the byte of s at off is, and as
// many of the n bytes after it as lie in the same place. It does not allocate. The range must start within s.
func Leaf(s Source, off, n int64) (e Extent, err error) {
	walk(s, Extent{Off: off, Len: n, BaseOff: off}, true, func(first Extent, failed error) bool {
		e, err = first, failed
		return false
	})
	if e.Len == 0 {
		return Extent{Off: off}, Corrupt("range", off, "%d bytes are no range", n)
	}
	return e, err
}

// Holes tells how many of the n bytes of s at off are holes before the first that is none. It does not allocate. The
// range must lie within s.
func Holes(s Source, off, n int64) (holes int64) {
	walk(s, Extent{Off: off, Len: n, BaseOff: off}, true, func(e Extent, err error) bool {
		if err != nil || e.Kind != Zero {
			return false
		}
		holes += e.Len
		return true
	})
	return holes
}

// joined gives emit the extents of [off, off+n) of s, of its own or of the leaves below, until it has enough. Neighbours
// that continue in the same place are one.
func joined(s Source, off, n int64, deep bool, emit func(Extent, error) bool) {
	var held Extent
	more := walk(s, Extent{Off: off, Len: Clip(s.Size(), off, n), BaseOff: off}, deep, func(e Extent, err error) bool {
		if err == nil && held.Len > 0 && e.follows(held) {
			held.Len += e.Len
			return true
		}
		if held.Len > 0 && !emit(held, nil) {
			return false
		}
		held = e
		if err != nil {
			held = Extent{}
			return emit(e, err)
		}
		return true
	})
	if more && held.Len > 0 {
		emit(held, nil)
	}
}

// walk gives emit the extents of s[at.BaseOff:][:at.Len], of its own or, deep, of the leaves below, renumbered to start at
// at.Off, until it has enough; it reports whether it had not. An Unknown at.Kind sticks, with the larger of the reasons.
// No closure that is given as emit escapes, so that all of this costs no allocation.
func walk(s Source, at Extent, deep bool, emit func(Extent, error) bool) bool {
	if at.Len <= 0 {
		return true
	}
	inside := Clip(s.Size(), at.BaseOff, at.Len)
	past := Extent{Off: at.Off + inside, Len: at.Len - inside, Kind: Unknown, Why: max(at.Why, Missing)}
	if m, ok := s.(Mapper); ok {
		if !descend(m, at, inside, deep, emit) {
			return false
		}
	} else if at.Base, at.Len = s, inside; inside > 0 && !emit(at, nil) {
		return false
	}
	return past.Len == 0 || emit(past, nil)
}

// descend is walk for the first n bytes of at in a Mapper.
func descend(m Mapper, at Extent, n int64, deep bool, emit func(Extent, error) bool) bool {
	for off, end := at.BaseOff, at.BaseOff+n; off < end; {
		e, err := m.At(off, end-off)
		if e.Off != off || e.Len <= 0 || e.Len > end-off {
			err = cmp.Or(err, fmt.Errorf("0x%x bytes at 0x%x: a layer told of 0x%x at 0x%x instead", end-off, off, e.Len, e.Off))
			e.Len = end - off
		}
		e.Off = off + at.Off - at.BaseOff
		off += e.Len
		if at.Kind == Unknown {
			e.Kind, e.Why = Unknown, max(e.Why, at.Why)
		}
		more := false
		switch {
		case err != nil:
			more = emit(Extent{Off: e.Off, Len: e.Len}, err)
		case deep && e.Base != nil:
			more = walk(e.Base, e, deep, emit)
		default:
			more = emit(e, nil)
		}
		if !more {
			return false
		}
	}
	return true
}
