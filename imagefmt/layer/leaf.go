package layer

// Locator is a Mapper that gives single extents without the cost of a sequence.
//
// At returns the first extent of Extents(off, n), not joined with what follows; n is within Size.
type Locator interface {
	Mapper
	At(off, n int64) (Extent, error)
}

// Leaf returns where the byte of s at off is, and as many of the n bytes after it as lie in the same place: the first
// extent of Resolve, but for neighbours that could be joined. It does not allocate where all layers are Locators. An
// error covers the Off and Len beside it. The range must start within s.
func Leaf(s Source, off, n int64) (Extent, error) {
	e := Extent{Off: off, Len: Clip(s.Size(), off, n), Base: s, BaseOff: off}
	for {
		if inside := Clip(e.Base.Size(), e.BaseOff, e.Len); inside > 0 {
			e.Len = inside
		} else {
			return Extent{Off: off, Len: e.Len}, Corrupt("range", e.BaseOff, "past the end of what holds it (%d bytes)", e.Base.Size())
		}
		next, err := first(e.Base, e.BaseOff, e.Len)
		e.Len = next.Len
		if err != nil {
			return Extent{Off: off, Len: e.Len}, err
		}
		if next.Base == e.Base {
			return e, nil
		}
		if e.Kind != Unknown {
			e.Kind = next.Kind
		}
		if e.Base, e.BaseOff = next.Base, next.BaseOff; e.Base == nil {
			return e, nil
		}
	}
}

// first returns the first extent of a Mapper, and a leaf as an extent of itself.
func first(s Source, off, n int64) (Extent, error) {
	switch m := s.(type) {
	case Locator:
		return m.At(off, n)
	case Mapper:
		return firstOf(m, off, n)
	}
	return Extent{Off: off, Len: n, Base: s, BaseOff: off}, nil
}

// firstOf is apart because its loop costs allocations, which a Locator and a leaf are not to pay.
func firstOf(m Mapper, off, n int64) (Extent, error) {
	for e, err := range m.Extents(off, n) {
		return e, err
	}
	return Extent{Off: off, Len: n}, Corrupt("range", off, "not described by the layer that holds it")
}
