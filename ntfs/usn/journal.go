package usn

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"snapmount/imagefmt/layer"
)

const (
	// pageSize is what no record crosses, whatever the cluster size.
	pageSize = 4096
	// window is how much is read at once.
	window = 1 << 20
)

// Records yields the records of a journal, oldest first. Holes are passed over by the journal's extents, so the part
// that was given back, often terabytes, costs nothing. A damaged range is one error, beside a Record of which only Offset
// is set; decoding goes on with the next bytes that are a record in every field. The cause of the end of ctx is the last.
func Records(ctx context.Context, m layer.Mapper) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s := scanner{yield: yield}
		for w, err := range layer.Scan(m, m.Size(), pageSize, window) {
			if ctx.Err() != nil {
				yield(Record{Offset: w.Off}, context.Cause(ctx))
				return
			}
			if err != nil {
				if !s.flush(s.end) || !yield(Record{Offset: w.Off}, fmt.Errorf("USN records at 0x%x: 0x%x bytes: %w", w.Off, w.Len, err)) {
					return
				}
				continue
			}
			for at := int64(0); at < w.Len; at += pageSize {
				if !s.page(w.Data[at:min(at+pageSize, w.Len)], w.Off+at) {
					return
				}
			}
		}
		s.flush(s.end)
	}
}

// A scanner decodes pages in sequence.
type scanner struct {
	yield func(Record, error) bool
	bad   error // why the range that ends at end is damaged; nil when it is not
	first int64 // where that range starts
	end   int64 // where the last page ended
}

// page yields the records of a page; false when no more are wanted.
func (s *scanner) page(b []byte, off int64) bool {
	if off != s.end && !s.flush(s.end) {
		return false
	}
	s.end = off + int64(len(b))
	used := align(len(bytes.TrimRight(b, "\x00")))
	for at := 0; at < used; {
		r, n, err := decode(b[at:], off+int64(at))
		if err != nil {
			if s.bad == nil {
				s.bad, s.first = err, off+int64(at)
			}
			at += 8
			continue
		}
		if !s.flush(r.Offset) || !s.yield(r, nil) {
			return false
		}
		at += n
	}
	return used >= len(b) || s.flush(off+int64(used))
}

// flush yields the damaged range, if there is one, which ends at off.
func (s *scanner) flush(off int64) bool {
	if s.bad == nil {
		return true
	}
	err := fmt.Errorf("0x%x bytes are no records: %w", off-s.first, s.bad)
	s.bad = nil
	return s.yield(Record{Offset: s.first}, err)
}
