package restore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"snapmount/imagefmt/layer"
)

// A body is the content of a member of an archive: in spans of it, the rest are zeros.
type body struct {
	layer.Source
	spans []span
	data  int64  // bytes of all spans
	sum   string // of the content, where it is known
}

// span is a range of bytes.
type span struct{ off, len int64 }

// send writes a member, and returns the hash of its content, holes included.
func (a *archiver) send(p string, m *Meta, b body) (string, error) {
	if err := a.pack.fits(b); err != nil {
		return "", err
	}
	w, err := a.pack.file(p, m, b)
	if err != nil {
		return "", a.ended(err)
	}
	sum, err := a.copier.send(w, b)
	if c, ok := w.(io.Closer); ok && err == nil { // else what is missing is not to be made up
		err = c.Close()
	}
	return sum, a.ended(err)
}

// send writes the spans of b to w.
func (c *copier) send(w io.Writer, b body) (string, error) {
	var out copied
	if b.sum == "" {
		out.sum = sha256.New()
	}
	h := startHash(c.ctx, &out, b.Size() > piece)
	err := c.sendSpans(w, b, h)
	h.stop()
	return cmp.Or(b.sum, hexOf(out.sum)), err
}

// hexOf is the hash in hexadecimal; "" where none was computed.
func hexOf(sum hash.Hash) string {
	if sum == nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (c *copier) sendSpans(w io.Writer, b body, h *hasher) error {
	at := int64(0)
	for _, s := range b.spans {
		h.zeros(s.off - at)
		for at = s.off; at < s.off+s.len; {
			if c.ctx.Err() != nil {
				return context.Cause(c.ctx)
			}
			buf := c.buffer(c.next, min(s.off+s.len-at, piece))
			if err := layer.ReadFull(b, buf, at); err != nil {
				return fmt.Errorf("0x%x bytes at 0x%x, in the midst of a member: %w", len(buf), at, err)
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			h.bytes(buf)
			c.next = (c.next + 1) % len(c.bufs)
			at += int64(len(buf))
			c.tick(int64(len(buf)))
		}
	}
	h.zeros(b.Size() - at)
	return nil
}

// whole is a body of bytes at hand.
func whole(b []byte) body {
	return body{Source: bytes.NewReader(b), spans: []span{{0, int64(len(b))}}, data: int64(len(b))}
}

// look finds out what of content can be had, before a header promises it.
func (a *archiver) look(content layer.Mapper) (body, []Gap, error) {
	size := content.Size()
	if size <= piece {
		small := memory(make([]byte, size))
		out, err := a.reader.content(small, content)
		b := whole(small)
		b.sum = hexOf(out.sum)
		return b, out.gaps, err
	}
	var gaps []Gap
	var err error
	if a.opts.Verify {
		var out copied
		out, err = a.reader.content(nowhere{}, content)
		gaps = out.gaps
	} else {
		gaps, err = a.told(content)
	}
	if err != nil {
		return body{}, nil, err
	}
	b := body{Source: content}
	if b.spans, err = dataSpans(content, gaps); err != nil {
		return body{}, nil, err
	}
	for _, s := range b.spans {
		b.data += s.len
	}
	return b, gaps, nil
}

// told gives the ranges that the tables say are not in the image.
func (a *archiver) told(content layer.Mapper) ([]Gap, error) {
	var gaps []Gap
	var probe [1]byte
	for e, err := range layer.Unkept(content) {
		if layer.ReadFull(content, probe[:], e.Off) == nil {
			continue // something is shown in its place, as was asked for
		}
		if err := a.copier.noteGap(&gaps, e.Off, e.Len, err); err != nil {
			return nil, err
		}
	}
	return gaps, nil
}

// memory and nowhere stand in for files.
type (
	memory  []byte
	nowhere struct{}
)

// WriteAt writes what is there room for.
func (m memory) WriteAt(b []byte, off int64) (int, error) { return copy(m[off:], b), nil }

// Truncate does nothing: the size is right.
func (memory) Truncate(int64) error { return nil }

// WriteAt drops b.
func (nowhere) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

// Truncate does nothing.
func (nowhere) Truncate(int64) error { return nil }

// maxSpans is how many ranges of one file are told apart.
const maxSpans = 1 << 16

// dataSpans gives the ranges of content that are neither holes nor gaps. Where those are many, small holes count as data.
func dataSpans(content layer.Mapper, gaps []Gap) ([]span, error) {
	for least := int64(pageSize); least <= 1<<28; least *= 16 {
		if spans, ok := spansOf(content, gaps, least); ok {
			return spans, nil
		}
	}
	return nil, fmt.Errorf("more than %d large holes: %w", maxSpans, layer.ErrUnsupported)
}

// spansOf is dataSpans with holes of at least so many bytes. Gaps are holes whatever their size.
func spansOf(content layer.Mapper, gaps []Gap, least int64) (spans []span, ok bool) {
	add := func(off, end int64) {
		if k := len(spans) - 1; k >= 0 && spans[k].off+spans[k].len == off {
			spans[k].len = end - spans[k].off
		} else if end > off {
			spans = append(spans, span{off, end - off})
		}
	}
	at, next := int64(0), 0 // the end of what is a hole or in spans; the first gap that is not behind it
	data := func(end int64) {
		for ; next < len(gaps) && gaps[next].Off < end; next++ {
			add(at, max(at, gaps[next].Off))
			if at = max(at, gaps[next].Off+gaps[next].Len); at > end {
				return
			}
		}
		add(at, max(at, end))
		at = max(at, end)
	}
	for e, err := range layer.Resolve(content, 0, content.Size()) {
		if err == nil && e.Kind == layer.Zero && e.Len >= least {
			at = max(at, e.Off+e.Len)
			continue
		}
		if data(e.Off + e.Len); len(spans) > maxSpans {
			return nil, false
		}
	}
	return spans, true
}
