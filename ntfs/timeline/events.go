package timeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sort"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/usn"
)

// A journal is what of one change journal was read, at whatever points: runs of records, by the offsets of the first and
// last of each. A record's offset is its number, so that the same one is known at every point.
type journal struct {
	id   uint64
	runs []run // in order, apart
}

type run struct{ first, last int64 }

const (
	usnPage = 4096 // no record crosses a multiple of it
	// maxRuns bounds what is remembered of a journal with much damage.
	maxRuns = 4096
)

// events yields the records of the change journal, each once over all points: an older point has records that were
// dropped since.
func (r *rower) events() {
	j := &journal{}
	for p := range r.v.Points {
		t := r.v.Points[p].Tree
		if t == nil {
			continue
		}
		m, info, err := t.Journal()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && !r.yield(nil, fmt.Errorf("%s: %w", r.v.Points[p].Name, err)) {
			return
		}
		if m == nil {
			continue
		}
		if info.ID != j.id {
			j = &journal{id: info.ID}
		}
		if !r.journal(j, p, m) {
			return
		}
	}
}

// journal yields what is new in the journal m at point p; false when no more are wanted.
func (r *rower) journal(j *journal, p int, m layer.Mapper) bool {
	for _, part := range j.missing(m.Size()) {
		if !r.part(j, p, m, part) {
			return false
		}
	}
	return true
}

// missing gives the parts of a journal of that size that were not read yet, in whole pages.
func (j *journal) missing(size int64) (out []ntfs.Range) {
	at := int64(0)
	for _, x := range append(slices.Clone(j.runs), run{size, size}) {
		if at < x.first {
			out = append(out, ntfs.Range{Off: at, Len: x.first - at})
		}
		at = x.last / usnPage * usnPage
	}
	return out
}

func (j *journal) has(off int64) bool {
	i := sort.Search(len(j.runs), func(i int) bool { return j.runs[i].last >= off })
	return i < len(j.runs) && j.runs[i].first <= off
}

// add notes a run, as one with those that it touches.
func (j *journal) add(x run) {
	if x.last < x.first {
		return
	}
	j.runs = append(j.runs, x)
	slices.SortFunc(j.runs, func(a, b run) int { return cmp.Compare(a.first, b.first) })
	out := j.runs[:1]
	for _, x := range j.runs[1:] {
		if last := &out[len(out)-1]; x.first <= last.last || len(j.runs) > maxRuns {
			last.last = max(last.last, x.last)
		} else {
			out = append(out, x)
		}
	}
	j.runs = out
}

// part yields the records in a part of the journal m at point p; false when no more are wanted.
func (r *rower) part(j *journal, p int, m layer.Mapper, part ntfs.Range) bool {
	s, err := layer.Section(m, part.Off, part.Len)
	if err != nil {
		return r.yield(nil, fmt.Errorf("change journal: %w", err))
	}
	var done []run
	now := run{0, -1}
	for x, err := range usn.Records(r.ctx, s) {
		off := part.Off + x.Offset
		if err != nil {
			done, now = append(done, now), run{0, -1}
			if !r.yield(nil, fmt.Errorf("change journal at %s: %w", r.v.Points[p].Name, err)) {
				return false
			}
			if r.ctx.Err() != nil {
				return false
			}
			continue
		}
		if now.last < 0 {
			now.first = off
		}
		now.last = off
		if !j.has(off) && !r.event(p, x) {
			return false
		}
	}
	for _, x := range append(done, now) {
		j.add(x)
	}
	return true
}

// event yields a record of the journal, as it was found at point p. Its file was in the directory that it names.
func (r *rower) event(p int, x usn.Record) bool {
	row := Row{Volume: r.v, Path: x.Name, Orphan: true, First: p, Last: p, Event: &x}
	if record, seq, ok := x.Parent.Ref(); ok && x.Name != "" {
		s := r.dirs.Paths(ntfs.Name{Name: x.Name, Parent: ntfs.Ref{Record: record, Seq: seq}}, p, p)[0]
		row.Path, row.Orphan = s.Path, s.Orphan
		if !r.o.System && belowSystem(s) {
			return true
		}
	}
	return r.yield(&row, nil)
}
