package restore

import (
	"cmp"
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
	// maxHashed is how many bytes of holes are hashed of one file.
	maxHashed = layer.MaxHoles
	// maxGaps is how many ranges are told of one file.
	maxGaps = 1000
	// ahead is how many pieces may wait to be written, and as many to be hashed.
	ahead = 2
)

// Gap is a range of a file that is not in the image. Where it was restored it is a hole, and reads as zeros.
type Gap struct {
	Off int64  `json:"off"` // bytes, in the content
	Len int64  `json:"len"` // bytes
	Why string `json:"why"` // in a line

	Reason layer.Reason `json:"reason,omitempty"` // it is unknown; 0 when it is damaged
}

// A copier copies content from layers to files. It is for one goroutine.
type copier struct {
	ctx     context.Context
	partial bool // go on after what is not in the image
	noHash  bool
	tick    func(int64)         // bytes that were read
	bufs    [2*ahead + 3][]byte // one is filled, one written, and one hashed
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
func (c *copier) content(f sink, m layer.Mapper) (out copied, err error) {
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
	o := startOutput(c.ctx, f, &out, size > piece)
	defer func() { err = cmp.Or(o.stop(), err) }()
	for e, err := range layer.Resolve(m, 0, size) {
		if c.ctx.Err() != nil {
			err = context.Cause(c.ctx)
		} else if err != nil {
			err = c.gap(o, e.Off, e.Len, err)
		} else if e.Kind == layer.Zero {
			err = o.put(chunk{zeros: e.Len})
		} else {
			err = c.extent(o, m, e.Off, e.Len)
		}
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// extent copies [off, off+n) of m.
func (c *copier) extent(o *output, m layer.Source, off, n int64) error {
	for end := off + n; off < end; {
		if c.ctx.Err() != nil {
			return context.Cause(c.ctx)
		}
		b := c.buffer(c.next, min(end-off, piece)) // nobody has it any more
		err := layer.ReadFull(m, b, off)
		if err != nil && len(b) > pageSize {
			b = b[:pageSize]
			err = layer.ReadFull(m, b, off)
		}
		if err != nil {
			err = c.gap(o, off, int64(len(b)), err)
		} else {
			err = o.put(chunk{off: off, b: b})
			c.next = (c.next + 1) % len(c.bufs)
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
func (c *copier) gap(o *output, off, n int64, err error) error {
	if err = c.noteGap(o.gaps, off, n, err); err == nil {
		err = o.put(chunk{zeros: n})
	}
	return err
}

// noteGap adds a range to those that are not in the image, where that is wanted; else it is an error.
func (c *copier) noteGap(gaps *[]Gap, off, n int64, err error) error {
	var unknown *layer.UnknownError
	if !errors.As(err, &unknown) { // which says where
		unknown = &layer.UnknownError{}
		err = fmt.Errorf("0x%x bytes at 0x%x: %w", n, off, err)
	}
	if !c.partial || !lost(err) {
		return err
	}
	if last := len(*gaps) - 1; last >= 0 && (*gaps)[last].Off+(*gaps)[last].Len == off && (*gaps)[last].Reason == unknown.Why {
		(*gaps)[last].Len += n
		return nil
	}
	if len(*gaps) == maxGaps {
		return fmt.Errorf("more than %d ranges are not in the image, the last: %w", maxGaps, err)
	}
	*gaps = append(*gaps, Gap{off, n, err.Error(), unknown.Why})
	return nil
}

// lost reports whether err says that something is not in the image.
func lost(err error) bool {
	return errors.Is(err, layer.ErrCorrupt) || errors.Is(err, layer.ErrUnknown)
}

// An output writes and hashes content in the order in which it comes; that of large files beside the reading.
type output struct {
	f      sink
	h      *hasher
	gaps   *[]Gap
	in     chan chunk // nil to do it at once
	failed chan struct{}
	done   chan struct{}
	err    error // why failed is closed
}

// A chunk is bytes of a file, or zeros that need not be written.
type chunk struct {
	off   int64
	b     []byte
	zeros int64
}

func startOutput(ctx context.Context, f sink, out *copied, beside bool) *output {
	o := &output{f: f, h: startHash(ctx, out, beside), gaps: &out.gaps}
	if beside {
		o.in, o.failed, o.done = make(chan chunk, ahead), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(o.done)
			for x := range o.in {
				if o.err = o.do(x); o.err != nil {
					close(o.failed)
					return
				}
			}
		}()
	}
	return o
}

// put takes a chunk, whose bytes stay as they are until 2*ahead+2 more were taken.
func (o *output) put(x chunk) error {
	if o.in == nil {
		return o.do(x)
	}
	select {
	case o.in <- x:
		return nil
	case <-o.failed:
		return o.err
	}
}

func (o *output) do(x chunk) error {
	if x.b == nil {
		o.h.zeros(x.zeros)
		return nil
	}
	_, err := o.f.WriteAt(x.b, x.off)
	if err == nil {
		o.h.bytes(x.b)
	}
	return err
}

// stop waits for what is under way, and gives the error of that.
func (o *output) stop() error {
	if o.in != nil {
		close(o.in)
		<-o.done
	}
	o.h.stop()
	return o.err
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
