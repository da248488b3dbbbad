package ntfs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"snapmount/ntfs/layout"
)

// A survey is what all file records say of the records that belong to them.
type survey struct {
	extensions []relation // of a base record to its extension records
	gap        error      // why there may be more: records that cannot be read
}

// A relation is what one record says of another.
type relation struct{ of, record uint64 }

// extensionsOf returns the numbers of the records that name a base record, in order; its sequence number is not looked at.
func (s *survey) extensionsOf(base uint64) []uint64 {
	from := sort.Search(len(s.extensions), func(i int) bool { return s.extensions[i].of >= base })
	to := sort.Search(len(s.extensions), func(i int) bool { return s.extensions[i].of > base })
	var out []uint64
	for _, r := range s.extensions[from:to] {
		out = append(out, r.record)
	}
	return out
}

// survey reads all file records, once: only damage needs what it finds.
func (t *Tree) survey() *survey {
	t.surveyed.Do(func() {
		s := &t.found
		var gaps gapList
		for w := range t.windows((*window).survey) {
			s.extensions = append(s.extensions, w.extensions...)
			w.addGaps(&gaps)
		}
		slices.SortFunc(s.extensions, func(a, b relation) int { return cmp.Or(cmp.Compare(a.of, b.of), cmp.Compare(a.record, b.record)) })
		s.gap = gaps.err()
	})
	return &t.found
}

// A roll is all names that file records give themselves. It takes 24 bytes for each.
type roll struct {
	names []rollName
	gap   error // why there may be more: records that cannot be read
}

// A rollName is one name of a file.
type rollName struct {
	dir    uint64 // record of the directory that it is in
	record uint64 // base record of the file
	key    uint32 // of the name, by upcase.key
}

func compareRoll(a, b rollName) int {
	return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.key, b.key), cmp.Compare(a.record, b.record))
}

// in returns the numbers of the base records that name a directory as a parent, in order; its sequence number is not
// looked at.
func (l *roll) in(dir uint64) []uint64 {
	return l.between(rollName{dir: dir}, rollName{dir: dir + 1})
}

// as is in for the records that may have a name of that key there.
func (l *roll) as(dir uint64, key uint32) []uint64 {
	return l.between(rollName{dir: dir, key: key}, rollName{dir: dir, key: key, record: math.MaxUint64})
}

func (l *roll) between(from, to rollName) []uint64 {
	i, _ := slices.BinarySearchFunc(l.names, from, compareRoll)
	j, _ := slices.BinarySearchFunc(l.names, to, compareRoll)
	var out []uint64
	for _, n := range l.names[i:j] {
		out = append(out, n.record)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// roll reads all file records once more than survey does: that is asked for where $UpCase itself is read.
func (t *Tree) roll() *roll {
	t.rolled.Do(func() {
		t.upcase()
		l := &t.all
		var gaps gapList
		for w := range t.windows((*window).roll) {
			l.names = append(l.names, w.names...)
			w.addGaps(&gaps)
		}
		slices.SortFunc(l.names, compareRoll)
		l.gap = gaps.err()
	})
	return &t.all
}

// survey notes what the records of the window say of others.
func (w *window) survey() {
	w.extensions = w.extensions[:0]
	w.inUse(func(r *fileRecord) {
		if r.base != (Ref{}) {
			w.extensions = append(w.extensions, relation{r.base.Record, r.ref.Record})
		}
	})
}

// roll notes the names in the records of the window.
func (w *window) roll() {
	w.names = w.names[:0]
	table := w.t.upcase()
	w.inUse(func(r *fileRecord) {
		owner := r.owner()
		for c := r.cursor(); c.next() && c.typ <= typeFileName; {
			if f, ok := decodeFileName(c.value); ok && c.typ == typeFileName {
				w.names = append(w.names, rollName{f.parent.Record, owner, table.key(f.name)})
			}
		}
	})
}

// inUse gives f the records in use, and notes those that cannot be read.
func (w *window) inUse(f func(*fileRecord)) {
	w.gaps = w.gaps[:0]
	var r fileRecord
	for at := range uint64(len(w.data)) / uint64(w.t.geo.record) {
		number := w.first + at
		err := w.record(w.t, number, at, &r)
		if err != nil && isZero(w.raw(at)) {
			if err = w.t.zeroRecord(number); err == nil {
				continue
			}
		}
		if err != nil {
			w.gap(number, err)
		} else if r.flags&layout.RecordInUse != 0 {
			f(&r)
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

func (w *window) addGaps(to *gapList) {
	for _, g := range w.gaps {
		to.add(g.of, g.record, w.errs[g.of])
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
