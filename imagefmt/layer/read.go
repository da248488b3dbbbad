package layer

import (
	"fmt"
	"io"
)

// Policy says what reading gives where a layer says Unknown.
type Policy uint8

const (
	Fail        Policy = iota // an *UnknownError
	Zeros                     // zeros
	Live                      // what the Windows driver would give, the live content mostly; where it would not, an *UnknownError
	LiveOrZeros               // the same, with zeros where it would give nothing
)

// gives reports whether there are bytes for what is Unknown for a reason.
func (p Policy) gives(why Reason) bool {
	return p == Zeros || p == LiveOrZeros || p == Live && why.replaced() || why == Zeroed
}

// Read fills p from off by resolving s: the ReadAt of every Mapper. It follows io.ReaderAt as a Source does, whatever the
// layers below do. A read that lies in one piece does not allocate.
func Read(s Source, p []byte, off int64, unknown Policy) (int, error) {
	if off < 0 {
		return 0, errNegative(off)
	}
	r := reader{p: p, off: off, unknown: unknown}
	joined(s, off, int64(len(p)), true, r.piece)
	if r.err == nil && r.done < len(p) {
		r.err = io.EOF
	}
	return r.done, r.err
}

// A reader fills p, of which done bytes are there, with consecutive leaf extents from off on.
type reader struct {
	p       []byte
	off     int64
	unknown Policy
	done    int
	err     error
}

func (r *reader) piece(e Extent, err error) bool {
	b := r.p[e.Off-r.off:][:e.Len]
	switch {
	case err != nil:
	case e.Kind == Unknown && !r.unknown.gives(e.Why):
		err = &UnknownError{Why: e.Why, Off: e.Off, Len: e.Len}
	case e.Base == nil || e.Kind == Unknown && (r.unknown == Zeros || !e.Why.replaced()):
		clear(b)
		r.done += len(b)
	default:
		var n int
		n, err = readFull(e.Base, b, e.BaseOff)
		r.done += n
	}
	r.err = err
	return err == nil
}

// ReadFull fills p from off or returns an error; io.ErrUnexpectedEOF when s ends before.
func ReadFull(s Source, p []byte, off int64) error {
	_, err := readFull(s, p, off)
	return err
}

// readFull takes a Source that ends early for an unexpected end, never an EOF.
func readFull(s Source, p []byte, off int64) (int, error) {
	n, err := s.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == io.EOF || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ReadLeaf is the ReadAt of a leaf of size bytes. It gives read only what lies within the leaf, and not nothing; where
// read gives less, that is an error, io.ErrUnexpectedEOF when it has none of its own. io.EOF is of the leaf's end alone.
func ReadLeaf(p []byte, off, size int64, read func(p []byte, off int64) (int, error)) (n int, err error) {
	if off < 0 {
		return 0, errNegative(off)
	}
	want := Clip(size, off, int64(len(p)))
	if want > 0 {
		n, err = read(p[:want], off)
	}
	switch {
	case int64(n) < want && (err == nil || err == io.EOF):
		return n, io.ErrUnexpectedEOF
	case int64(n) < want:
		return n, err
	case n < len(p):
		return n, io.EOF
	}
	return n, nil
}

func errNegative(off int64) error { return fmt.Errorf("read at negative offset %d", off) }
