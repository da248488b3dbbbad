package layer

import (
	"context"
	"fmt"
	"io"
)

// MaxHoles is how many bytes of holes are hashed of one source: a hole of 2^62 bytes is a few bytes in an image, and its
// hash would take centuries.
const MaxHoles = 16 << 30

// hashPiece is how much Hash reads at once, and how often it looks at its context.
const hashPiece = 1 << 20

var zeroPiece [64 << 10]byte

// Hash writes all of s to a hash. What is known to be zeros is not read; with more than MaxHoles of them it wraps
// ErrUnsupported at once. Else the error is the cause of the end of ctx, or the reader's. It reads 1 MiB at once.
func Hash(ctx context.Context, h io.Writer, s Source, p Progress) error {
	size, holes := s.Size(), int64(0)
	for e, err := range Resolve(s, 0, size) {
		if err == nil && e.Kind == Zero {
			holes += e.Len
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if holes > MaxHoles {
			return fmt.Errorf("a hash over 0x%x bytes, of which over 0x%x are holes, is not computed: %w", size, int64(MaxHoles), ErrUnsupported)
		}
	}
	buf, done := make([]byte, min(hashPiece, size)), int64(0) // done is hashed
	for e, err := range Resolve(s, 0, size) {
		if err != nil || e.Kind != Zero {
			continue // read with its neighbours
		}
		if err := hashRange(ctx, h, s, buf, &done, e.Off, p); err != nil {
			return err
		}
		for end := e.Off + e.Len; done < end; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n, _ := h.Write(zeroPiece[:min(end-done, int64(len(zeroPiece)))])
			done += int64(n)
			p.Tell("hashing, MiB", MiB(done), MiB(size))
		}
	}
	return hashRange(ctx, h, s, buf, &done, size, p)
}

// hashRange reads from done up to end.
func hashRange(ctx context.Context, h io.Writer, s Source, buf []byte, done *int64, end int64, p Progress) error {
	for *done < end {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(end-*done, int64(len(buf)))]
		if err := ReadFull(s, b, *done); err != nil {
			return err
		}
		if _, err := h.Write(b); err != nil {
			return err
		}
		*done += int64(len(b))
		p.Tell("hashing, MiB", MiB(*done), MiB(s.Size()))
	}
	return nil
}
