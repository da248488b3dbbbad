package compare

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// findRecords collects the records that differ, or whose equality is not proven, and those of the base records that
// their extension records belong to.
func (d *differ) findRecords() {
	size := int64(d.a.t.RecordSize())
	x, y := make([]byte, window), make([]byte, window)
	for off, n := range d.differingRecords(size) {
		for end := off + n; off < end; off += window {
			if d.ctx.Err() != nil {
				return
			}
			part := min(end-off, window)
			d.opts.Progress.Tell("comparing file records", off/size, int64(max(d.a.t.Records(), d.b.t.Records())))
			whole := d.a.readRecords(x[:part], off) && d.b.readRecords(y[:part], off)
			if whole && !d.opts.Paranoid && bytes.Equal(x[:part], y[:part]) {
				continue
			}
			for at := int64(0); at < part; at += size {
				d.candidate(x[at:][:size], y[at:][:size], off+at, whole)
			}
		}
	}
	slices.Sort(d.candidates)
	d.candidates = slices.Compact(d.candidates)
}

// differingRecords yields ranges of whole records, all but those that are equal by proof.
func (d *differ) differingRecords(size int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		end := int64(max(d.a.t.Records(), d.b.t.Records())) * size
		from, to := int64(0), int64(0) // of what is not yielded yet
		for off, n := range d.unproven() {
			if off >= end {
				break
			}
			if start := off - off%size; start > to {
				if from < to && !yield(from, to-from) {
					return
				}
				from = start
			}
			to = min((off+n+size-1)/size*size, end)
		}
		if from < to {
			yield(from, to-from)
		}
	}
}

// unproven yields the ranges of the $MFT whose equality is not proven, and what one has more than the other.
func (d *differ) unproven() iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		x, y := d.a.t.MFT(), d.b.t.MFT()
		ranges, longer := ntfs.Differ(d.ctx, x, y), x
		if y.Size() > x.Size() {
			longer = y
		}
		if d.opts.Paranoid {
			ranges = written(d.ctx, x, y)
		}
		for off, n := range ranges {
			if !yield(off, n) {
				return
			}
		}
		for e, err := range layer.Resolve(longer, min(x.Size(), y.Size()), longer.Size()) {
			if (err != nil || e.Kind != layer.Zero) && !yield(e.Off, e.Len) {
				return
			}
		}
	}
}

// readRecords reads raw records, zeros for those that the $MFT has not, and reports whether it could.
func (s *side) readRecords(b []byte, off int64) bool {
	n := layer.Clip(int64(s.t.Records())*int64(s.t.RecordSize()), off, int64(len(b)))
	clear(b[n:])
	return (n == int64(len(b)) || s.reaches(off+n)) && layer.ReadFull(s.t.MFT(), b[:n], off) == nil
}

// candidate notes the record at off, which the trees have as x and y if whole, unless both are the same.
func (d *differ) candidate(x, y []byte, off int64, whole bool) {
	readable := whole || d.a.readRecords(x, off) && d.b.readRecords(y, off)
	if readable && !d.opts.Paranoid && bytes.Equal(x, y) {
		return
	}
	number := uint64(off) / uint64(len(x))
	if !readable {
		d.candidates = append(d.candidates, number)
		return
	}
	for _, b := range [][]byte{x, y} {
		if base, ok := baseOf(b, number); ok {
			d.candidates = append(d.candidates, base)
		}
	}
}

// baseOf returns the number of the file that a raw record is of, and whether it is in use, or too damaged to tell. The
// words that fixups protect are not looked at.
func baseOf(b []byte, number uint64) (uint64, bool) {
	le := binary.LittleEndian
	switch {
	case string(b[:4]) != "FILE": // zeros too: never used, or lost
		return number, true
	case le.Uint16(b[22:])&1 == 0:
		return 0, false
	}
	if base := le.Uint64(b[32:]) & (1<<48 - 1); base != 0 {
		return base, true
	}
	return number, true
}
