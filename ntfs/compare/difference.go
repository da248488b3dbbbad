package compare

import (
	"bytes"
	"context"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A Difference is what WriteDiff writes, as values: Hunks where both streams are text, else Rows. Neither is there where
// nothing differs.
type Difference struct {
	Text  bool
	Hunks []Hunk
	Rows  []HexRow
	More  bool // there are more Rows
}

// A Hunk is lines that differ, and some around them.
type Hunk struct {
	OldLine, NewLine int // of the first line, from 1
	Lines            []DiffLine
}

// A DiffLine is a line without its end; NoEnd says that it had none. Op is '-' for one of the old text, '+' of the new one,
// and ' ' of both.
type DiffLine struct {
	Op    byte
	Text  string
	NoEnd bool
}

// A HexRow is up to 16 bytes at an offset of both streams, of which one may end before. With Err some are not known, and
// nothing is said of them.
type HexRow struct {
	Off  int64
	A, B []byte
	Err  error
}

// maxHexRows is how many rows that differ are given.
const maxHexRows = 256

// Differing tells how b differs from a, with the limits of WriteDiff. What cannot be read is told in rows: the rest is
// compared all the same.
func Differing(ctx context.Context, a, b layer.Mapper) (Difference, error) {
	before, ok, err := readText(ctx, a)
	after, ok2, err2 := readText(ctx, b)
	if ctx.Err() != nil {
		return Difference{}, context.Cause(ctx)
	}
	if ok && ok2 && err == nil && err2 == nil {
		if hunks, err := hunksOf(ctx, before, after); len(hunks) > 0 || err != nil {
			return Difference{Text: true, Hunks: hunks}, err
		} // the same text may be other bytes
	}
	rows := &hexRows{ctx: ctx, a: a, b: b}
	for off, n := range ntfs.Differ(ctx, a, b) {
		if !rows.span(off-off%hexLine, off+n) {
			break
		}
	}
	if common := min(a.Size(), b.Size()); a.Size() != b.Size() && !rows.more {
		rows.span(common-common%hexLine, max(a.Size(), b.Size()))
	}
	return Difference{Rows: rows.rows, More: rows.more}, context.Cause(ctx)
}

// hunksOf compares two texts. It knows no context: where that ends, it goes on by itself for some seconds at most.
func hunksOf(ctx context.Context, before, after string) (out []Hunk, err error) {
	done := make(chan struct{})
	var diff udiff.UnifiedDiff
	var failed error
	go func() {
		defer close(done)
		diff, failed = udiff.ToUnifiedDiff("", "", before, udiff.Lines(before, after), udiff.DefaultContextLines)
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-done:
	}
	for _, h := range diff.Hunks {
		one := Hunk{OldLine: h.FromLine, NewLine: h.ToLine}
		for _, l := range h.Lines {
			op := byte(' ')
			switch l.Kind {
			case udiff.Delete:
				op = '-'
			case udiff.Insert:
				op = '+'
			}
			text, ended := strings.CutSuffix(l.Content, "\n")
			one.Lines = append(one.Lines, DiffLine{op, text, !ended})
		}
		out = append(out, one)
	}
	return out, failed
}

// hexRows collects rows that differ.
type hexRows struct {
	ctx  context.Context
	a, b layer.Source
	rows []HexRow
	more bool
	next int64
}

// span compares from off, which a row begins at, to end. It reports whether there is room for more.
func (d *hexRows) span(off, end int64) bool {
	p, q := make([]byte, hexWindow), make([]byte, hexWindow)
	for off = max(off, d.next); off < end && !d.more && d.ctx.Err() == nil; off += hexWindow {
		n := min((end-off+hexLine-1)/hexLine*hexLine, hexWindow)
		x, y := p[:layer.Clip(d.a.Size(), off, n)], q[:layer.Clip(d.b.Size(), off, n)]
		if layer.ReadFull(d.a, x, off) != nil || layer.ReadFull(d.b, y, off) != nil {
			d.slowly(off, n)
		} else if !bytes.Equal(x, y) {
			for at := int64(0); at < n; at += hexLine {
				d.row(off+at, part(x, at), part(y, at), nil)
			}
		}
		d.next = off + n
	}
	return !d.more && d.ctx.Err() == nil
}

// slowly compares row by row what cannot be read as a whole.
func (d *hexRows) slowly(off, n int64) {
	for end := off + n; off < end && !d.more; off += hexLine {
		x, err := d.read(d.a, off)
		y, err2 := d.read(d.b, off)
		if err == nil {
			err = err2
		}
		d.row(off, x, y, err)
	}
}

// read reads a row; of what is not known it gives nothing.
func (d *hexRows) read(from layer.Source, off int64) ([]byte, error) {
	b := make([]byte, layer.Clip(from.Size(), off, hexLine))
	if err := layer.ReadFull(from, b, off); err != nil {
		return nil, err
	}
	return b, nil
}

func (d *hexRows) row(off int64, x, y []byte, err error) {
	if err == nil && bytes.Equal(x, y) {
		return
	}
	if d.more = len(d.rows) == maxHexRows; !d.more {
		d.rows = append(d.rows, HexRow{off, bytes.Clone(x), bytes.Clone(y), err})
	}
}
