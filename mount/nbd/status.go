package nbd

import (
	"context"

	"snapmount/imagefmt/layer"
)

const (
	isHole = 1 | 2 // flags of an extent: it takes no space, and reads as zeros

	// What one request for block status may cost; an answer may be about less than was asked for.
	maxExtents = 4096
	maxSteps   = 1 << 16
)

// An extent is a range in an answer, from where the one before ends.
type extent struct {
	n     int64
	flags uint32
}

// extents are what is known of a range.
type extents []extent

// add adds n bytes, which are joined to those before if they are alike, and reports whether there is room for more.
func (x *extents) add(n int64, flags uint32) bool {
	if k := len(*x); k > 0 && (*x)[k-1].flags == flags {
		(*x)[k-1].n += n
		return true
	}
	*x = append(*x, extent{n, flags})
	return len(*x) < maxExtents
}

// holes looks for the holes of the n bytes of src at off: those of the image's format, and those of its file. What cannot
// be read counts as data, so that readers meet its error.
func holes(ctx context.Context, src layer.Source, off, n int64) (all extents) {
	steps := 0
	for e, err := range layer.Resolve(src, off, n) {
		steps++
		more := false
		switch leaf, ok := e.Base.(layer.Holed); {
		case err == nil && e.Kind == layer.Zero:
			more = all.add(e.Len, isHole)
		case err == nil && ok && (e.Kind == layer.Data || e.Kind == layer.Unknown && e.Why == layer.Unprotected): // then it is live
			more = all.inFile(leaf, e, &steps)
		default:
			more = all.add(e.Len, 0)
		}
		if !more || steps >= maxSteps || ctx.Err() != nil {
			break
		}
	}
	return all
}

// inFile is add for a range that lies in a file which may have holes.
func (x *extents) inFile(leaf layer.Holed, e layer.Extent, steps *int) bool {
	for at, end := e.BaseOff, e.BaseOff+e.Len; at < end; *steps++ {
		hole, n, err := leaf.NextHole(at)
		if err != nil || n == 0 || hole >= end || hole < at || *steps >= maxSteps {
			return x.add(end-at, 0)
		}
		if hole > at && !x.add(hole-at, 0) {
			return false
		}
		past := min(hole+n, end)
		if !x.add(past-hole, isHole) {
			return false
		}
		at = past
	}
	return true
}

// status answers with the extents of a range: u32 context, then u32 length and u32 flags of each.
func (s *session) status(ctx context.Context, r request) error {
	all := holes(ctx, s.export.src, int64(r.off), int64(r.n))
	if r.flags&flagOne != 0 {
		all = all[:min(len(all), 1)]
	}
	if len(all) == 0 {
		all.add(int64(r.n), 0)
	}
	b := appendStructured(nil, chunkStatus, r.cookie, uint32(4+8*len(all)))
	b = be.AppendUint32(b, contextID)
	for _, e := range all {
		b = be.AppendUint32(be.AppendUint32(b, uint32(e.n)), e.flags)
	}
	return s.send(b)
}
