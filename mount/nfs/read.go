package nfs

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
)

const (
	maxRead  = 1 << 20
	maxWrite = 64 << 10 // which is refused
)

// read takes u64 offset and u32 count, and gives no attributes, u32 count, whether the file ends there, and the bytes. What
// is before damage is given; who asks for the rest is told.
func read(r *request) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	if r.server.guard != nil {
		n, err := r.server.tree.Node(id)
		if err == nil {
			err = r.permit(n)
		}
		if err != nil {
			return r.aboutID(id, err)
		}
	}
	off, count := r.args.u64(), r.args.u32()
	src, err := r.server.tree.Content(id)
	if err != nil {
		return r.aboutID(id, err)
	}
	want, end := 0, off >= uint64(src.Size())
	if !end {
		want = int(layer.Clip(src.Size(), int64(off), int64(min(count, maxRead))))
	}
	at := len(r.out.b)
	r.out.b = slices.Grow(r.out.b, 16+want+3)[:at+16+want]
	n, err := 0, error(nil)
	if want > 0 { // nothing may lie beyond what an offset of a Source can be
		n, err = src.ReadAt(r.out.b[at+16:], int64(off))
	}
	if n == 0 && want > 0 {
		return r.aboutID(id, fmt.Errorf("read at 0x%x: %w", off, err))
	}
	head := encoder{r.out.b[:at]}
	head.bool(false)
	head.u32(uint32(n))
	head.bool(end || int64(off) > math.MaxInt64-int64(n) || int64(off)+int64(n) == src.Size())
	head.u32(uint32(n))
	r.out.b = r.out.b[:at+16+n]
	r.out.pad(n)
	return nil
}

// aboutID wraps an error of a node with what the node is.
func (r *request) aboutID(id uint64, err error) error {
	n, err2 := r.server.tree.Node(id)
	switch {
	case errors.Is(err2, tree.ErrStale):
		return fmt.Errorf("%w: %w", errStale, err2)
	case err2 != nil:
		return err
	}
	return about(n, err)
}

func about(n tree.Node, err error) error { return fmt.Errorf("%s: %w", n, err) }
