package layer

import (
	"errors"
	"fmt"
)

// The kinds of bad news that every layer shares. Test for them with errors.Is.
var (
	// ErrFormat says that the input is not of the format asked for: a probe miss, not damage.
	ErrFormat = errors.New("not this format")
	// ErrCorrupt matches every *CorruptError.
	ErrCorrupt = errors.New("damaged")
	// ErrUnsupported says that the input is understood well enough to know that it cannot be read here.
	ErrUnsupported = errors.New("unsupported")
	// ErrUnknown matches every *UnknownError: nothing in the image keeps these bytes, although they once had a value.
	ErrUnknown = errors.New("content is unknown")
)

// CorruptError reports a structure that breaks its format.
type CorruptError struct {
	Struct string // the format document's noun, "block list"
	Off    int64  // bytes from the start of the Source that holds it
	Err    error  // what was found, and what was wanted
}

func (e *CorruptError) Error() string { return fmt.Sprintf("%s at 0x%x: %v", e.Struct, e.Off, e.Err) }

// Unwrap gives the cause, so that a failing disk is not mistaken for damage only.
func (e *CorruptError) Unwrap() error { return e.Err }

// Is makes every CorruptError match ErrCorrupt.
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Corrupt returns a *CorruptError whose cause is formatted as by fmt.Errorf.
func Corrupt(structure string, off int64, format string, args ...any) error {
	return &CorruptError{Struct: structure, Off: off, Err: fmt.Errorf(format, args...)}
}

// UnknownError reports a range that a layer says is Unknown.
type UnknownError struct {
	Why      Reason
	Off, Len int64 // bytes, in the Source that was read
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("0x%x bytes at 0x%x: %v: %v", e.Len, e.Off, ErrUnknown, e.Why)
}

// MissingPart adds to err, which is why a layer cannot tell of e, that e is in a missing part of the image.
func MissingPart(e Extent, err error) error {
	return fmt.Errorf("%w: %w", err, &UnknownError{Why: Missing, Off: e.Off, Len: e.Len})
}

// IsMissing reports whether an error says that a part of the image is missing.
func IsMissing(err error) bool {
	unknown, ok := errors.AsType[*UnknownError](err)
	return ok && unknown.Why == Missing
}

// Cut is the error of a structure of n bytes at an offset of a file that ends before, at size.
func Cut(structure string, off, n, size int64) error {
	return fmt.Errorf("%s at 0x%x: the file is cut at 0x%x: %w", structure, off, size, &UnknownError{Why: Missing, Off: off, Len: n})
}

// Is makes every UnknownError match ErrUnknown.
func (e *UnknownError) Is(target error) bool { return target == ErrUnknown }

// SameReason reports whether two errors, of which neither is nil, are of one kind: unknown for the same reason, damaged, or
// the very same.
func SameReason(a, b error) bool {
	var x, y *UnknownError
	if unknown := errors.As(a, &x); unknown || errors.As(b, &y) {
		return unknown && errors.As(b, &y) && x.Why == y.Why
	}
	if damaged := errors.Is(a, ErrCorrupt); damaged || errors.Is(b, ErrCorrupt) {
		return damaged == errors.Is(b, ErrCorrupt)
	}
	return a.Error() == b.Error()
}
