package ntfs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"snapmount/ntfs/layout"
)

// A survey is what all file records say of each other. It takes 24 bytes for each name.
type survey struct {
	names      []relation // of a directory's record to those that name it as their parent
	extensions []relation // of a base record to its extension records
	gap        error      // why there may be more: records that cannot be read
}

// A relation is what one record says of another.
type relation struct{ of, record uint64 }

func compareRelations(a, b relation) int {
	return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.record, b.record))
}

// related returns what list, in order, has of a record.
func related(list []relation, record uint64) []relation {
	from := sort.Search(len(list), func(i int) bool { return list[i].of >= record })
	to := sort.Search(len(list), func(i int) bool { return list[i].of > record })
	return list[from:to]
}

// named returns the numbers of the base records that name a directory as a parent; its sequence number is not looked at.
func (s *survey) named(dir uint64) []uint64 { return recordsOf(related(s.names, dir)) }

// extensionsOf returns the numbers of the records that name a base record; its sequence number is not looked at.
func (s *survey) extensionsOf(base uint64) []uint64 { return recordsOf(related(s.extensions, base)) }

func recordsOf(list []relation) []uint64 {
	out := make([]uint64, len(list))
	for i, r := range list {
		out[i] = r.record
	}
	return slices.Compact(out)
}

// survey reads all file records, once: only damage needs what it finds.
func (t *Tree) survey() *survey {
	t.surveyed.Do(func() {
		s := &t.found
		var gaps gapList
		for w := range t.windows((*window).survey) {
			s.names, s.extensions = append(s.names, w.names...), append(s.extensions, w.extensions...)
			for _, g := range w.gaps {
				gaps.add(g.of, g.record, w.errs[g.of])
			}
		}
		slices.SortFunc(s.names, compareRelations)
		slices.SortFunc(s.extensions, compareRelations)
		s.gap = gaps.err()
	})
	return &t.found
}

// survey notes what the records of the window say of others.
func (w *window) survey() {
	w.names, w.extensions, w.gaps = w.names[:0], w.extensions[:0], w.gaps[:0]
	for at := range uint64(len(w.data)) / uint64(w.t.geo.record) {
		number := w.first + at
		r, err := w.record(w.t, number, at)
		if err != nil && isZero(w.raw(at)) {
			if err = w.t.zeroRecord(number); err == nil {
				continue
			}
		}
		if err != nil {
			w.gap(number, err)
			continue
		}
		if r.flags&layout.RecordInUse != 0 {
			w.relate(&r)
		}
	}
}

// gap notes that a record cannot be read.
func (w *window) gap(number uint64, err error) {
	if k := len(w.gaps) - 1; k >= 0 && w.gaps[k].record == number {
		w.gaps[k].record++
		return
	}
	if w.errs == nil {
		w.errs = map[uint64]error{}
	}
	w.errs[number], w.gaps = err, append(w.gaps, relation{number, number + 1})
}

// relate notes the parents that a record names, and its base.
func (w *window) relate(r *fileRecord) {
	owner := r.ref.Record
	if r.base != (Ref{}) {
		owner = r.base.Record
		w.extensions = append(w.extensions, relation{owner, r.ref.Record})
	}
	for c := r.cursor(); c.next() && c.typ <= typeFileName; {
		if c.typ == typeFileName && len(c.value) >= fileNameLen {
			w.names = append(w.names, relation{decodeRef(binary.LittleEndian.Uint64(c.value)).Record, owner})
		}
	}
}

// isZero reports whether b holds nothing but zeros.
func isZero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
	}
	return !slices.ContainsFunc(b, func(c byte) bool { return c != 0 })
}

// A gapList makes one error of the ranges of records that cannot be read.
type gapList struct {
	errs    []error
	from    uint64
	to      uint64
	reason  error
	records uint64
}

// maxGaps is how many ranges are told one by one.
const maxGaps = 4

// add notes that records from one number to another, not included, cannot be read; ranges come in order.
func (l *gapList) add(from, to uint64, reason error) {
	l.records += to - from
	if l.to == from && l.reason != nil {
		l.to = to
		return
	}
	l.flush()
	l.from, l.to, l.reason = from, to, reason
}

func (l *gapList) flush() {
	if l.reason == nil || len(l.errs) >= maxGaps {
		return
	}
	what := fmt.Sprintf("file record %d", l.from)
	if l.to-l.from > 1 {
		what = fmt.Sprintf("file records %d to %d", l.from, l.to-1)
	}
	l.errs = append(l.errs, fmt.Errorf("%s: %w", what, l.reason))
}

func (l *gapList) err() error {
	if l.flush(); l.records == 0 {
		return nil
	}
	return fmt.Errorf("%d file records cannot be read: %w", l.records, errors.Join(l.errs...))
}
