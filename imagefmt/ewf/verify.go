package ewf

import (
	"context"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const verifyBytes = 1 << 20

// Verify reads the whole disk, whatever format.Env.ZeroBad says, and computes its hashes, with what follows the last whole
// sector. The error is the cause of the end of ctx.
func (d *Disk) Verify(ctx context.Context, progress layer.Progress) (format.Result, error) {
	r := format.Result{Stored: d.stored, Unread: d.unread, Hidden: d.hidden && (d.stored.MD5 == "" || d.stored.SHA1 == "")}
	per := max(1, verifyBytes/d.chunkSize)
	chunks := (d.size + d.chunkSize - 1) / d.chunkSize
	sums := format.NewDigest(per * d.chunkSize)
	for c := int64(0); c < chunks && ctx.Err() == nil; {
		last := min(c+per, chunks) - 1
		n := min((last+1)*d.chunkSize, d.size) - c*d.chunkSize
		d.chunks.Follow(c, last)
		for b := sums.Buffer()[:n]; c <= last; c++ {
			k := d.chunkLen(c)
			if err := d.check(c, b[:k]); err != nil {
				clear(b[:k])
				r.AddBad(c*d.chunkSize, k, err)
			}
			b = b[k:]
		}
		sums.Add(n)
		progress.Tell("verifying, MiB", layer.MiB(min(c*d.chunkSize, d.size)), layer.MiB(d.size))
	}
	tail, err := d.tail()
	if err != nil && d.size%d.chunkSize == 0 { // else it was met already
		r.Faults = append(r.Faults, err)
	}
	if r.Tail = int64(len(tail)); r.Tail > 0 {
		sums.Add(int64(copy(sums.Buffer(), tail)))
	}
	r.Computed = sums.Sums()
	for _, check := range d.later {
		if err := check(); err != nil && ctx.Err() == nil {
			r.Faults = append(r.Faults, err)
		}
	}
	return r, context.Cause(ctx)
}

// check reads chunk c.
func (d *Disk) check(c int64, b []byte) error {
	if !d.isThere(c) {
		return &layer.UnknownError{Why: layer.Missing, Off: c * d.chunkSize, Len: int64(len(b))}
	}
	return d.read(c, b, 0)
}
