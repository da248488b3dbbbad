package layer

import (
	"fmt"
	"io"
	"iter"
)

// Kind tells what is known of an extent's bytes.
type Kind uint8

const (
	// Data is kept at BaseOff of Base.
	Data Kind = iota
	// Zero reads as zeros without touching the image; Base is nil.
	Zero
	// Unknown was not kept. Base (nil for zeros) is what the Windows driver would give in its place.
	Unknown
)

func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Zero:
		return "zero"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Extent is a byte range whose bytes all come from one place.
type Extent struct {
	Off, Len int64 // bytes, in the Source asked
	Kind     Kind
	Base     Source // where the bytes are; nil for zeros
	BaseOff  int64  // bytes, in Base
}

// follows reports whether e continues prev in the same place, so that both are one extent.
func (e Extent) follows(prev Extent) bool {
	return prev.Kind == e.Kind && prev.Base == e.Base && prev.Off+prev.Len == e.Off &&
		(e.Base == nil || prev.BaseOff+prev.Len == e.BaseOff)
}

// Coalesce joins the neighbouring extents of seq that continue in the same place. Source values must be comparable.
func Coalesce(seq iter.Seq2[Extent, error]) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		var held Extent
		for e, err := range seq {
			if err == nil && held.Len > 0 && e.follows(held) {
				held.Len += e.Len
				continue
			}
			if held.Len > 0 && !yield(held, nil) {
				return
			}
			held = e
			if err != nil {
				held = Extent{}
				if !yield(e, err) {
					return
				}
			}
		}
		if held.Len > 0 {
			yield(held, nil)
		}
	}
}

// Resolve flattens [off, off+n) of s through all Mappers below it to extents of leaf Sources, neighbours joined.
// What lies past the end of s is not covered; what lies past the end of a lower Source is an error of that range.
// Errors cover their extent, as in Mapper. Source values must be comparable.
func Resolve(s Source, off, n int64) iter.Seq2[Extent, error] {
	return Coalesce(func(yield func(Extent, error) bool) {
		walk(s, Extent{Off: off, Len: Clip(s.Size(), off, n), BaseOff: off}, yield)
	})
}

// walk emits the leaf extents of s[at.BaseOff:][:at.Len], renumbered to start at at.Off. An Unknown at.Kind sticks.
func walk(s Source, at Extent, emit func(Extent, error) bool) bool {
	if at.Len <= 0 {
		return true
	}
	inside := Clip(s.Size(), at.BaseOff, at.Len)
	if inside > 0 {
		if m, ok := s.(Mapper); ok {
			if !descend(m, at, inside, emit) {
				return false
			}
		} else if !emit(Extent{Off: at.Off, Len: inside, Kind: at.Kind, Base: s, BaseOff: at.BaseOff}, nil) {
			return false
		}
	}
	if inside < at.Len {
		past := Extent{Off: at.Off + inside, Len: at.Len - inside}
		return emit(past, Corrupt("range", at.BaseOff+inside, "%d bytes past the end of what holds it (%d bytes)", past.Len, s.Size()))
	}
	return true
}

// descend is walk for the first n bytes of at in a Mapper. It is apart because its loop costs an allocation, which a
// leaf is not to pay.
func descend(m Mapper, at Extent, n int64, emit func(Extent, error) bool) bool {
	for e, err := range m.Extents(at.BaseOff, n) {
		base, baseOff := e.Base, e.BaseOff
		e.Off += at.Off - at.BaseOff
		if at.Kind == Unknown {
			e.Kind = Unknown
		}
		switch {
		case err != nil || base == nil:
			if !emit(e, err) {
				return false
			}
		case !walk(base, Extent{Off: e.Off, Len: e.Len, Kind: e.Kind, BaseOff: baseOff}, emit):
			return false
		}
	}
	return true
}

// ReadAt fills p from off by resolving m: the ReadAt of every Mapper. Unknown extents read as their Base gives them.
func ReadAt(m Mapper, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	n := Clip(m.Size(), off, int64(len(p)))
	if n > 0 && n == int64(len(p)) { // most reads are of one piece: no sequence for them
		if e, err := Leaf(m, off, n); err == nil && e.Len == n {
			return readExtent(e, p)
		}
	}
	return readPieces(m, p, off, n)
}

// readPieces is ReadAt for what lies in several pieces. It is apart because its loop costs allocations.
func readPieces(m Mapper, p []byte, off, n int64) (int, error) {
	done := 0
	for e, err := range Resolve(m, off, n) {
		if err != nil {
			return done, err
		}
		k, err := readExtent(e, p[e.Off-off:][:e.Len])
		done += k
		if err != nil {
			return done, err
		}
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// readExtent fills b, the bytes of a leaf extent. A Source that ends early is an unexpected end, never an EOF.
func readExtent(e Extent, b []byte) (int, error) {
	if e.Base == nil {
		clear(b)
		return len(b), nil
	}
	n, err := e.Base.ReadAt(b, e.BaseOff)
	if n == len(b) {
		return n, nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ReadFull fills p from off or returns an error; io.ErrUnexpectedEOF when s ends before.
func ReadFull(s Source, p []byte, off int64) error {
	_, err := readExtent(Extent{Base: s, BaseOff: off}, p)
	return err
}
