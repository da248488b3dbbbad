package imagefmt

import (
	"context"
	"errors"
	"slices"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

const (
	verifyPiece  = 1 << 20
	verifySector = 512 // where a piece cannot be read
)

// Verify reads the whole disk, computes its hashes, and compares with all that the image keeps to check itself. Of what is
// no evidence it is the disk as Options show it, and there is no hash to compare with. The error is the cause of the end of
// ctx.
func (i *Image) Verify(ctx context.Context, progress layer.Progress) (r format.Result, err error) {
	if i.evidence != nil {
		r, err = i.evidence.Verify(ctx, progress)
	} else {
		r, err = hashed(ctx, i, progress)
	}
	r.Faults = append(slices.DeleteFunc(slices.Clone(i.Faults()), notAcquired), r.Faults...)
	return r, err
}

// notAcquired reports whether a fault is told as what is Unread already.
func notAcquired(fault error) bool {
	unknown, ok := errors.AsType[*layer.UnknownError](fault)
	return ok && unknown.Why == layer.NotAcquired
}

// hashed reads a disk for its hashes alone.
func hashed(ctx context.Context, m layer.Mapper, progress layer.Progress) (r format.Result, err error) {
	sums := format.NewDigest(verifyPiece)
	for e, failed := range layer.Resolve(m, 0, m.Size()) {
		if failed == nil && e.Kind == layer.Unknown {
			failed = &layer.UnknownError{Why: e.Why, Off: e.Off, Len: e.Len}
		}
		switch {
		case failed == nil:
		case e.Why == layer.NotAcquired:
			r.Unread = append(r.Unread, format.Range{Off: e.Off, Len: e.Len, Err: failed})
		default:
			r.AddBad(e.Off, e.Len, failed)
		}
		for done := int64(0); done < e.Len && ctx.Err() == nil; {
			b := sums.Buffer()[:min(verifyPiece, e.Len-done)]
			clear(b)
			if e.Base != nil && failed == nil {
				fill(&r, e, done, b)
			}
			sums.Add(int64(len(b)))
			done += int64(len(b))
			progress.Tell("verifying, MiB", layer.MiB(e.Off+done), layer.MiB(m.Size()))
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.Computed = sums.Sums()
	return r, context.Cause(ctx)
}

// fill reads b from in of an extent of data. Sectors that cannot be read are left as they are, and bad.
func fill(r *format.Result, e layer.Extent, in int64, b []byte) {
	if layer.ReadFull(e.Base, b, e.BaseOff+in) == nil {
		return
	}
	for at := int64(0); at < int64(len(b)); at += verifySector {
		sector := b[at:min(at+verifySector, int64(len(b)))]
		if err := layer.ReadFull(e.Base, sector, e.BaseOff+in+at); err != nil {
			clear(sector)
			r.AddBad(e.Off+in+at, int64(len(sector)), err)
		}
	}
}
