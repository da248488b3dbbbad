// Package compare tells what differs between two trees, which are one NTFS volume at two times, and which versions a
// file has over many. Where the bytes of both lie in the same place they are equal by proof, without being read; all
// else is read and compared. File times prove nothing and are never relied on.
package compare

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// By says how equality, or a difference, was found.
type By uint8

const (
	ByRecord  By = iota // in the file record
	ByExtents           // the bytes lie in the same places
	ByBytes             // the bytes were compared
)

func (b By) String() string { return [...]string{"record", "extents", "bytes"}[b] }

// window is how much of two streams is read at once.
const window = 256 << 10

// SameContent tells whether a and b hold the same bytes, and how that was found. Only what places do not prove is read.
// An error says that a range which counts cannot be read, or is the cause of the end of ctx; then nothing is known.
func SameContent(ctx context.Context, a, b layer.Mapper) (bool, By, error) {
	return same(ctx, a, b, ntfs.Differ(ctx, a, b))
}

// same is SameContent where ranges are what is to be read.
func same(ctx context.Context, a, b layer.Mapper, ranges iter.Seq2[int64, int64]) (bool, By, error) {
	if a.Size() != b.Size() {
		return false, ByRecord, nil
	}
	by := ByExtents
	var p, q []byte
	for off, n := range ranges {
		by = ByBytes
		if p == nil {
			p, q = make([]byte, min(window, a.Size())), make([]byte, min(window, a.Size()))
		}
		for end := off + n; off < end; {
			if ctx.Err() != nil {
				return false, ByBytes, context.Cause(ctx)
			}
			part := min(end-off, window)
			same, err := sameAt(a, b, off, p[:part], q[:part])
			if !same || err != nil {
				return false, ByBytes, err
			}
			off += part
		}
	}
	return true, by, nil
}

func sameAt(a, b layer.Source, off int64, p, q []byte) (bool, error) {
	if err := layer.ReadFull(a, p, off); err != nil {
		return false, fmt.Errorf("first: %w", err)
	}
	if err := layer.ReadFull(b, q, off); err != nil {
		return false, fmt.Errorf("second: %w", err)
	}
	return bytes.Equal(p, q), nil
}
