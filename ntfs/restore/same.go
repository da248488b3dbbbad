package restore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// sameBytes hashes a file of the size of content, and reports whether it holds the same. Holes of both are passed over; the
// sum is "" when they are large.
func sameBytes(c *copier, f *os.File, content layer.Mapper) (sum string, same bool, err error) {
	out := copied{sum: sha256.New()}
	h := startHash(c.ctx, &out, false)
	for e, err := range layer.Resolve(content, 0, content.Size()) {
		if err == nil && e.Kind == layer.Zero {
			h.zeros(e.Len)
			same, err = sameHole(c, f, e.Off, e.Len)
		} else if err == nil {
			same, err = sameData(c, f, content, h, e.Off, e.Len)
		}
		if err != nil || !same {
			return "", false, err
		}
	}
	if out.sum == nil {
		return "", true, nil
	}
	return hex.EncodeToString(out.sum.Sum(nil)), true, nil
}

func sameData(c *copier, f *os.File, content layer.Source, h *hasher, off, n int64) (bool, error) {
	a, b := c.buffer(0, min(piece, n)), c.buffer(1, min(piece, n))
	for end := off + n; off < end; off += int64(len(a)) {
		if c.ctx.Err() != nil {
			return false, context.Cause(c.ctx)
		}
		a, b = a[:min(int64(len(a)), end-off)], b[:min(int64(len(b)), end-off)]
		if err := layer.ReadFull(content, a, off); err != nil {
			return false, err
		}
		if k, err := f.ReadAt(b, off); k < len(b) {
			return false, err
		}
		if !bytes.Equal(a, b) {
			return false, nil
		}
		h.bytes(b)
	}
	return true, nil
}

// sameHole reports whether a range of f is zeros. Where the system does not tell holes, it is read, up to a limit.
func sameHole(c *copier, f *os.File, off, n int64) (bool, error) {
	read := int64(0)
	for end := off + n; off < end; {
		if off = nextData(f, off, end); off >= end {
			break
		}
		if read += piece; read > maxHashed {
			return false, fmt.Errorf("more than 0x%x bytes at 0x%x to compare with a hole: %w", int64(maxHashed), off, layer.ErrUnsupported)
		}
		if c.ctx.Err() != nil {
			return false, context.Cause(c.ctx)
		}
		b := c.buffer(0, min(piece, end-off))
		if k, err := f.ReadAt(b, off); k < len(b) {
			return false, err
		}
		for at := 0; at < len(b); at += pageSize {
			if page := b[at:min(at+pageSize, len(b))]; !bytes.Equal(page, zeroPage[:len(page)]) {
				return false, nil
			}
		}
		off += int64(len(b))
	}
	return true, nil
}

// interix begins a file that is a symbolic link of Interix, which ntfs-3g shows as one; the target follows, in UTF-16.
const interix = "IntxLNK\x01"

// isInterix reports whether a link is what ntfs-3g shows of a file of that content.
func isInterix(dir *os.Root, name string, content layer.Mapper) (bool, error) {
	const most = len(interix) + 2*mostLong
	if content.Size() > int64(most) {
		return false, nil
	}
	b := make([]byte, content.Size())
	if err := layer.ReadFull(content, b, 0); err != nil {
		return false, err
	}
	text, err := dir.Readlink(name)
	target, ok := bytes.CutPrefix(b, []byte(interix))
	return err == nil && ok && wintype.DecodeUTF16(target) == text, err
}

// sameFiles reports whether the first n bytes of two files are the same.
func sameFiles(f, g io.ReaderAt, n int64) (bool, error) {
	a, b := make([]byte, min(piece, n)), make([]byte, min(piece, n))
	for off := int64(0); off < n; off += piece {
		k := min(piece, n-off)
		if _, err := f.ReadAt(a[:k], off); err != nil && err != io.EOF {
			return false, err
		}
		if _, err := g.ReadAt(b[:k], off); err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(a[:k], b[:k]) {
			return false, nil
		}
	}
	return true, nil
}
