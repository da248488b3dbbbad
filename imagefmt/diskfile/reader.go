package diskfile

import (
	"context"

	"snapmount/imagefmt/layer"
)

const (
	piece = 1 << 20 // bytes that are read at once
	unit  = 512     // bytes that are lost together where something cannot be read
)

// A reader reads a disk piece by piece.
type reader struct {
	ctx     context.Context
	disk    layer.Mapper
	partial bool
	buf     []byte
	result  Result
}

// read reads n bytes, piece at most, zeros behind the end of the disk. They are good until the next call.
func (r *reader) read(off, n int64) ([]byte, error) {
	if r.ctx.Err() != nil {
		return nil, context.Cause(r.ctx)
	}
	if r.buf == nil {
		r.buf = make([]byte, piece)
	}
	b := r.buf[:n]
	in := layer.Clip(r.disk.Size(), off, n)
	clear(b[in:])
	err := layer.ReadFull(r.disk, b[:in], off)
	if err == nil || !r.partial {
		return b, err
	}
	for at := int64(0); at < in; at += unit {
		part := b[at:min(at+unit, in)]
		if err := layer.ReadFull(r.disk, part, off+at); err != nil {
			clear(part)
			r.unknown(off+at, int64(len(part)), err)
		}
	}
	return b, nil
}

// unknown adds to what was written as zeros.
func (r *reader) unknown(off, n int64, err error) {
	if k := len(r.result.Unknown); k > 0 {
		if last := &r.result.Unknown[k-1]; last.Off+last.Len == off && layer.SameReason(last.Err, err) {
			last.Len += n
			return
		}
	}
	r.result.Unknown = append(r.result.Unknown, Range{off, n, err})
}
