package restore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"snapmount/imagefmt/layer"
)

// copyChunk is how much Copy and CopySparse read at once, in bytes, and how often they look at their context.
const copyChunk = 1 << 20

// ErrNoSeek says that an output does not go where it is told to, as one that is opened for appending.
var ErrNoSeek = errors.New("the output cannot seek")

// Copy writes all of src, as far as it can be read. The error is the cause of the end of ctx, the reader's or the writer's.
func Copy(ctx context.Context, w io.Writer, src layer.Source) error {
	buf := make([]byte, min(copyChunk, src.Size()))
	for off := int64(0); off < src.Size(); off += copyChunk {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := buf[:layer.Clip(src.Size(), off, copyChunk)]
		n, err := src.ReadAt(b, off)
		if n == len(b) {
			err = nil
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if _, err2 := w.Write(b[:n]); err2 != nil {
			return err2
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// CopySparse is Copy into an empty file, with holes for what is known to be zero.
func CopySparse(ctx context.Context, f *os.File, src layer.Source) error {
	buf := make([]byte, copyChunk)
	for e, err := range layer.Resolve(src, 0, src.Size()) {
		if err != nil {
			return err
		}
		if e.Base == nil {
			continue
		}
		if err := copyExtent(ctx, f, src, e, buf); err != nil {
			return err
		}
	}
	return f.Truncate(src.Size())
}

// copyExtent writes the bytes of an extent to where they are in src.
func copyExtent(ctx context.Context, f *os.File, src layer.Source, e layer.Extent, buf []byte) error {
	if _, err := f.Seek(e.Off, io.SeekStart); err != nil {
		return err
	}
	for done := int64(0); done < e.Len; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(e.Len-done, copyChunk)]
		if err := layer.ReadFull(src, b, e.Off+done); err != nil {
			return err
		}
		if _, err := f.Write(b); err != nil {
			return err
		}
		done += int64(len(b))
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && at != e.Off+e.Len {
		err = ErrNoSeek
	}
	return err
}

// SHA256 is the hash of all of src, in hexadecimal, as layer.Hash computes it.
func SHA256(ctx context.Context, src layer.Source, progress layer.Progress) (string, error) {
	sum := sha256.New()
	if err := layer.Hash(ctx, sum, src, progress); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
