package content

import (
	"context"
	"errors"
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
)

// A Version is the content of a file at one point in time.
type Version struct {
	R    io.ReaderAt // must allow concurrent reads when the caller judges concurrently
	Size int64       // bytes; what R can read
	// Unknown reports whether any of n bytes from off is not known; nil when all are known. A read error that matches
	// layer.ErrUnknown means the same for what was read.
	Unknown func(off, n int64) bool
	// Beside returns the file in the same folder, at the same point, whose name is this one's with a suffix: "-wal",
	// ".LOG1". With it, a database that needs its log is Recoverable. nil when nobody can tell.
	Beside func(suffix string) (Version, bool)
}

// known reports whether all of n bytes from off are known.
func (v Version) known(off, n int64) bool { return v.Unknown == nil || n <= 0 || !v.Unknown(off, n) }

// A file is a version as the checks read it. The first read error stays, so that a check needs to look at bytes only: what
// cannot be read looks like the end of the file to it, and whoever runs the check asks for err first.
type file struct {
	ctx  context.Context
	v    Version
	size int64
	err  error
	work int64 // bytes that unpacking has produced
}

func newFile(ctx context.Context, v Version) *file {
	return &file{ctx: ctx, v: v, size: max(v.Size, 0)}
}

// ReadAt reads within the file; it keeps the first error but io.EOF.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if f.err == nil {
		f.err = context.Cause(f.ctx)
	}
	if f.err != nil {
		return 0, f.err
	}
	want := layer.Clip(f.size, off, int64(len(p)))
	n, err := f.v.R.ReadAt(p[:want], off)
	if int64(n) < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		f.err = fmt.Errorf("read 0x%x bytes at 0x%x: %w", want, off, err)
		return n, f.err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// bytes returns n bytes from off; nil when the file ends before or cannot be read. The caller bounds n.
func (f *file) bytes(off, n int64) []byte {
	if n < 0 || off < 0 || layer.Clip(f.size, off, n) < n {
		return nil
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil && err != io.EOF {
		return nil
	}
	return b
}

// upTo returns n bytes from off, or as many as there are.
func (f *file) upTo(off, n int64) []byte { return f.bytes(off, layer.Clip(f.size, off, n)) }

// section reads n bytes from off in sequence, or as many as there are.
func (f *file) section(off, n int64) *io.SectionReader {
	return io.NewSectionReader(f, off, layer.Clip(f.size, off, n))
}

// failed returns what a read error means: a verdict when bytes are unknown, else the error.
func (f *file) failed() (Verdict, error) {
	if errors.Is(f.err, layer.ErrUnknown) {
		return verdict(Unknown, RuleUnknown, "part of the content is not known"), nil
	}
	return Verdict{}, f.err
}
