package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"snapmount/imagefmt/layer"
)

const (
	// piece is how much is read and written at once; of a range that fails, pageSize is.
	piece    = 1 << 20
	pageSize = 4 << 10
	// maxHashed is how many bytes of holes are hashed of one file: a hole of 2^62 bytes is a few bytes in an image.
	maxHashed = 16 << 30
	// maxGaps is how many ranges are told of one file.
	maxGaps = 1000
	// ahead is how many pieces may wait to be hashed.
	ahead = 2
)

// Gap is a range of a file that is not in the image. Where it was restored it is a hole, and reads as zeros.
type Gap struct {
	Off int64  `json:"off"` // bytes
	Len int64  `json:"len"`
	Why string `json:"why"`
}

// A copier copies content from layers to files. It is for one goroutine.
type copier struct {
	ctx     context.Context
	partial bool // go on after what is not in the image
	noHash  bool
	tick    func(int64)       // bytes that were read
	bufs    [ahead + 2][]byte // one is filled, and one is hashed
	next    int
}

// copied is what a copy gave.
type copied struct {
	sum  hash.Hash // nil where it was not computed
	gaps []Gap
}

// sink is what content is copied to: a file, or a stand-in for one.
type sink interface {
	io.WriterAt
	Truncate(size int64) error
}

// content writes all of m to f, which is new. Holes stay holes.
func (c *copier) content(f sink, m layer.Mapper) (copied, error) {
	out := copied{}
	if !c.noHash {
		out.sum = sha256.New()
	}
	size := m.Size()
	if size == 0 {
		return out, nil
	}
	if e, err := layer.Leaf(m, 0, size); err != nil || e.Len < size || e.Kind == layer.Zero {
		if err := f.Truncate(size); err != nil { // at once, so that what the target cannot hold fails before it is full
			return out, err
		}
	}
	h := startHash(c.ctx, &out, size > piece)
	defer h.stop()
	for e, err := range layer.Resolve(m, 0, size) {
		if c.ctx.Err() != nil {
			return out, context.Cause(c.ctx)
		}
		switch {
		case err != nil:
			err = c.gap(&out, h, e.Off, e.Len, err)
		case e.Kind == layer.Zero:
			h.zeros(e.Len)
		default:
			err = c.extent(f, m, &out, h, e.Off, e.Len)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// extent copies [off, off+n) of m.
func (c *copier) extent(f sink, m layer.Source, out *copied, h *hasher, off, n int64) error {
	for end := off + n; off < end; {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		b := c.buffer(c.next, min(end-off, piece)) // it is not being hashed
		err := layer.ReadFull(m, b, off)
		if err != nil && len(b) > pageSize {
			b = b[:pageSize]
			err = layer.ReadFull(m, b, off)
		}
		if err != nil {
			err = c.gap(out, h, off, int64(len(b)), err)
		} else {
			if _, err = f.WriteAt(b, off); err == nil {
				h.bytes(b)
				c.next = (c.next + 1) % len(c.bufs) // b waits to be hashed
			}
		}
		if err != nil {
			return err
		}
		off += int64(len(b))
		c.tick(int64(len(b)))
	}
	return nil
}

// buffer returns a buffer.
func (c *copier) buffer(i int, n int64) []byte {
	if c.bufs[i] == nil {
		c.bufs[i] = make([]byte, piece)
	}
	return c.bufs[i][:n]
}

// gap passes over a range that is not in the image, where that is wanted.
func (c *copier) gap(out *copied, h *hasher, off, n int64, err error) error {
	err = fmt.Errorf("0x%x bytes at 0x%x: %w", n, off, err)
	if !c.partial || !lost(err) {
		return err
	}
	h.zeros(n)
	if last := len(out.gaps) - 1; last >= 0 && out.gaps[last].Off+out.gaps[last].Len == off {
		out.gaps[last].Len += n
		return nil
	}
	if len(out.gaps) == maxGaps {
		return fmt.Errorf("more than %d ranges are not in the image, the last: %w", maxGaps, err)
	}
	out.gaps = append(out.gaps, Gap{off, n, err.Error()})
	return nil
}

// lost reports whether err says that something is not in the image.
func lost(err error) bool {
	return errors.Is(err, layer.ErrCorrupt) || errors.Is(err, layer.ErrUnknown)
}

// A hasher hashes large files beside the reading and writing.
type hasher struct {
	ctx   context.Context
	sum   hash.Hash
	out   *copied
	holes int64
	in    chan []byte // nil to hash at once
	done  chan struct{}
}

func startHash(ctx context.Context, out *copied, beside bool) *hasher {
	h := &hasher{ctx: ctx, sum: out.sum, out: out}
	if beside && h.sum != nil {
		h.in, h.done = make(chan []byte, ahead), make(chan struct{})
		go func() {
			for b := range h.in {
				h.sum.Write(b)
			}
			close(h.done)
		}()
	}
	return h
}

// bytes hashes b, which stays as it is until ahead+1 more calls returned.
func (h *hasher) bytes(b []byte) {
	if h.out.sum == nil {
		return
	}
	if h.in == nil {
		h.sum.Write(b)
		return
	}
	h.in <- b
}

var zeroPage [pageSize]byte

func (h *hasher) zeros(n int64) {
	if h.holes += n; h.sum == nil || h.holes > maxHashed {
		h.out.sum = nil
		return
	}
	for ; n > 0 && h.ctx.Err() == nil; n -= pageSize {
		h.bytes(zeroPage[:min(n, pageSize)])
	}
}

func (h *hasher) stop() {
	if h.in != nil {
		close(h.in)
		<-h.done
	}
}
