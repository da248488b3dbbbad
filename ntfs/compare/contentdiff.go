package compare

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

const (
	// maxTextDiff is the most bytes of a text that is compared line by line; longer ones are as binary ones.
	maxTextDiff = 4 << 20
	// maxHexLines is how many lines of 16 bytes are shown of each side.
	maxHexLines = 64
	hexWindow   = 64 << 10
	hexLine     = 16
)

// Side is a stream at two times; where it was not there it is empty.
type Side struct {
	Stream string
	A, B   layer.Mapper
}

// Sides yields the streams that a change of content or of streams is of, without reading them. With an error there is
// the name alone.
func Sides(a, b *ntfs.Tree, c Change) iter.Seq2[Side, error] {
	return func(yield func(Side, error) bool) {
		streams := c.Fields
		switch c.Kind {
		case Content:
			streams = []string{""}
		case Streams:
		default:
			return
		}
		for _, s := range streams {
			x, err := sideOf(a, c.Ref, s)
			y, err2 := sideOf(b, c.Ref, s)
			if !yield(Side{s, x, y}, errors.Join(err, err2)) {
				return
			}
		}
	}
}

// sideOf opens a stream of a file.
func sideOf(t *ntfs.Tree, ref ntfs.Ref, stream string) (layer.Mapper, error) {
	n, err := t.Node(ref)
	if err != nil {
		return nil, err
	}
	m, err := n.Stored(stream)
	if errors.Is(err, fs.ErrNotExist) {
		return layer.Section(strings.NewReader(""), 0, 0)
	}
	return m, err
}

// WriteDiff writes how b differs from a: as a unified diff where both are text (UTF-8, or UTF-16 with a mark) of up to
// 4 MiB, else as lines of hex, of which there are only so many. It takes the same memory for streams of any size, and does
// not read what is equal by proof.
func WriteDiff(ctx context.Context, w io.Writer, oldName, newName string, a, b layer.Mapper) error {
	before, ok, err := readText(ctx, a)
	if err != nil {
		return fmt.Errorf("%s: %w", oldName, err)
	}
	after, ok2, err := readText(ctx, b)
	if err != nil {
		return fmt.Errorf("%s: %w", newName, err)
	}
	if !ok || !ok2 {
		return writeHexDiff(ctx, w, oldName, newName, a, b)
	}
	text, err := unified(ctx, oldName, newName, before, after)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// unified is the diff of two texts. Its making knows no context: where that ends, it goes on by itself for what is left of
// a few seconds at most.
func unified(ctx context.Context, oldName, newName, before, after string) (text string, err error) {
	done := make(chan struct{})
	var out string
	var failed error
	go func() {
		defer close(done)
		out, failed = udiff.ToUnified(oldName, newName, before, udiff.Lines(before, after), udiff.DefaultContextLines)
	}()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-done:
		return out, failed
	}
}

// readText returns a stream as UTF-8, if it is text and short.
func readText(ctx context.Context, m layer.Mapper) (string, bool, error) {
	if m.Size() > maxTextDiff {
		return "", false, nil
	}
	b := make([]byte, m.Size())
	for off := 0; off < len(b); off += window {
		if ctx.Err() != nil {
			return "", false, context.Cause(ctx)
		}
		if err := layer.ReadFull(m, b[off:min(off+window, len(b))], int64(off)); err != nil {
			return "", false, err
		}
	}
	if order := byteOrder(b); order != nil && len(b)%2 == 0 {
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = order.Uint16(b[2*i:])
		}
		b = []byte(string(utf16.Decode(units[1:])))
	}
	return string(b), utf8.Valid(b) && bytes.IndexByte(b, 0) < 0, nil
}

// byteOrder is that of UTF-16, nil when b does not begin with its mark.
func byteOrder(b []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return binary.BigEndian
	}
	return nil
}

// A hexDiff writes lines of hex that differ.
type hexDiff struct {
	ctx   context.Context
	w     io.Writer
	a, b  layer.Source
	p, q  [hexWindow]byte
	lines int
	more  bool // there are more than are shown
	next  int64
}

// writeHexDiff compares what is at equal offsets.
func writeHexDiff(ctx context.Context, w io.Writer, oldName, newName string, a, b layer.Mapper) error {
	if _, err := fmt.Fprintf(w, "--- %s (%d bytes)\n+++ %s (%d bytes)\n", oldName, a.Size(), newName, b.Size()); err != nil {
		return err
	}
	d := &hexDiff{ctx: ctx, w: w, a: a, b: b}
	for off, n := range ntfs.Differ(ctx, a, b) {
		if err := d.span(off-off%hexLine, off+n); err != nil {
			return err
		}
	}
	if common := min(a.Size(), b.Size()); a.Size() != b.Size() {
		if err := d.span(common-common%hexLine, max(a.Size(), b.Size())); err != nil {
			return err
		}
	}
	if d.more {
		_, err := fmt.Fprintln(w, "... and more")
		return err
	}
	return nil
}

// span shows the lines that differ from off, which a line begins at, to end.
func (d *hexDiff) span(off, end int64) error {
	for off = max(off, d.next); off < end && !d.more; off += hexWindow {
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		n := min((end-off+hexLine-1)/hexLine*hexLine, hexWindow)
		p, q := d.p[:layer.Clip(d.a.Size(), off, n)], d.q[:layer.Clip(d.b.Size(), off, n)]
		if err := layer.ReadFull(d.a, p, off); err != nil {
			return err
		}
		if err := layer.ReadFull(d.b, q, off); err != nil {
			return err
		}
		for at := int64(0); at < n && !d.more; at += hexLine {
			if err := d.line(off+at, part(p, at), part(q, at)); err != nil {
				return err
			}
		}
		d.next = off + n
	}
	return nil
}

// part is the line at at of b, which may end before.
func part(b []byte, at int64) []byte {
	b = b[min(at, int64(len(b))):]
	return b[:min(len(b), hexLine)]
}

func (d *hexDiff) line(off int64, x, y []byte) error {
	if bytes.Equal(x, y) {
		return nil
	}
	if d.lines++; d.lines > maxHexLines {
		d.more = true
		return nil
	}
	for _, side := range []struct {
		mark  string
		bytes []byte
	}{{"-", x}, {"+", y}} {
		if len(side.bytes) == 0 {
			continue
		}
		dump := strings.TrimRight(hex.Dump(side.bytes), "\n")
		if _, err := fmt.Fprintf(d.w, "%s%08x%s\n", side.mark, off, dump[8:]); err != nil {
			return err
		}
	}
	return nil
}
