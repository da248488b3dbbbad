package attack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
	"snapmount/ntfs/usn"
)

// A Span is when files were changed, as one witness has it.
type Span struct {
	First, Last wintype.Filetime
	// From and To hold nine in ten of them, without those at either end: what was touched once more later is no part of it.
	From, To wintype.Filetime
	Files    int // of which the witness tells; 0 where it tells nothing
	Outside  int // whose time is not between the two points: a clock, or the time itself, was set
}

// A mark is when the record of a file was changed.
type mark struct {
	changed wintype.Filetime
	lsn     uint64
}

// A LogSpan is where in the log of the file system the records of files were changed, which no clock can set. What
// changes together has numbers that lie together.
type LogSpan struct {
	First, Last uint64 // log sequence numbers; 0 where the driver kept none
	Files       int    // that have one
	Others      int    // files that were changed between the two and are not among them
}

// log finds the span of what was spoiled in a step.
func (s *sweep) log(st *Step) (out LogSpan) {
	out.First = math.MaxUint64
	for _, m := range st.touched {
		if m.lsn != 0 {
			out.First, out.Last = min(out.First, m.lsn), max(out.Last, m.lsn)
			out.Files++
		}
	}
	if out.Files == 0 {
		return LogSpan{}
	}
	for _, l := range s.lives {
		i := l.at(st.To)
		if _, ok := st.touched[l.ref]; !ok && i >= 0 && l.versions[i].First == st.To && out.First <= l.versions[i].LSN && l.versions[i].LSN <= out.Last {
			out.Others++
		}
	}
	return out
}

// touched are the reasons for a record of the change journal that an attack on a file has.
const touched = usn.DataOverwrite | usn.DataExtend | usn.DataTruncation | usn.FileCreate | usn.FileDelete | usn.RenameOldName | usn.RenameNewName

// between reports whether a time lies between two points; the current state has none.
func between(at wintype.Filetime, from, to timeline.Point) bool {
	t := at.Time()
	return (from.Time.IsZero() || !t.Before(from.Time.Truncate(time.Second))) && (to.Time.IsZero() || !t.After(to.Time.Add(time.Second)))
}

// spanOf makes a span of times between two points.
func spanOf(times []wintype.Filetime, from, to timeline.Point) Span {
	var s Span
	times = slices.DeleteFunc(times, func(t wintype.Filetime) bool {
		out := !between(t, from, to)
		if out {
			s.Outside++
		}
		return out
	})
	if s.Files = len(times); s.Files == 0 {
		return s
	}
	slices.Sort(times)
	cut := len(times) / 20
	s.First, s.Last, s.From, s.To = times[0], times[len(times)-1], times[cut], times[len(times)-1-cut]
	return s
}

// journal finds when the change journal has files changed between two points, by what of it the later one keeps. Without
// a journal the span is empty. With an error it is of what could be read.
func journal(ctx context.Context, files map[ntfs.Ref]mark, from, to timeline.Point) (Span, error) {
	m, _, err := to.Tree.Journal()
	if errors.Is(err, fs.ErrNotExist) {
		return Span{}, nil
	}
	if m == nil {
		return Span{}, err
	}
	s, err2 := changes(ctx, m, files, from, to)
	return s, cmp.Or(err2, err)
}

// changes is journal for the content of one.
func changes(ctx context.Context, m layer.Mapper, files map[ntfs.Ref]mark, from, to timeline.Point) (_ Span, err error) {
	var times []wintype.Filetime
	seen := map[ntfs.Ref]bool{}
	for r, err2 := range usn.Records(ctx, m) {
		if ctx.Err() != nil {
			return Span{}, context.Cause(ctx)
		}
		if err2 != nil {
			err = fmt.Errorf("change journal: %w", err2)
			continue
		}
		record, seq, ok := r.File.Ref()
		if ref := (ntfs.Ref{Record: record, Seq: seq}); ok && r.Reason&touched != 0 && r.Time != 0 && between(r.Time, from, to) {
			if _, ok := files[ref]; !ok {
				continue
			}
			times = append(times, r.Time)
			seen[ref] = true
		}
	}
	s := spanOf(times, from, to)
	s.Files = len(seen)
	return s, err
}
