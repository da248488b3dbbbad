// Package timeline tells what the files of one NTFS volume were over all its points in time: every state of every file
// record once, with the points that have it, and the paths that led there. From that it finds files and writes
// timelines. Which states are one version of a file is counted as compare.Tally does, for what is found and written alone.
//
// A record that lies in the same place of the image at two points is the same by proof; it is neither read nor decoded
// again. One that lies elsewhere is compared. File times prove nothing. What a point does not keep is told as a *Gap, and
// ends the versions that could not be seen to go on.
package timeline

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A Version is a file record as it was from point First to point Last, both of them and all between. Several may be one
// version of the file in the sense of compare.Tally, whose Number they have then, and one may be several where content was
// changed in place: Versions does not number them, Find and Rows do.
type Version struct {
	Node        *ntfs.Node // at point First
	First, Last int
	Names       []ntfs.Name
	Streams     []ntfs.StreamInfo
	Number      int   // of the version, from 1; 0 where the file cannot be had
	Unknown     error // why it is not known whether it is the version before
}

// A Gap is an error that says of which records nothing is known, and where.
type Gap struct {
	From, To    uint64 // records, To not included
	First, Last int    // points, both included
	Err         error
}

func (g *Gap) Error() string {
	if g.To-g.From == 1 {
		return fmt.Sprintf("file record %d: %v", g.From, g.Err)
	}
	return fmt.Sprintf("file records %d to %d: %v", g.From, g.To-1, g.Err)
}

func (g *Gap) Unwrap() error { return g.Err }

// Options of Versions; the zero value works.
type Options struct {
	Directories bool           // nothing else is decoded
	Progress    layer.Progress // is told how many of the file records were looked at
}

const (
	// windowBytes is how much of the $MFT is looked at at once.
	windowBytes = 512 << 10
	// windowVersions bounds what one window can yield, whatever the number of points.
	windowVersions = 64 << 10
)

// Versions yields the versions of all base records, those of deleted files too, by record number and then by time.
// points are the volume at its points in time, oldest first; a point that could not be opened is nil, and no version is
// known to last over it. What cannot be read is a *Gap beside a Version that is empty but for First and Last. Where ctx
// ends, its cause is the last error, and no version beside it or missing after it is known.
//
// It takes memory for a few windows of the $MFT, and all processors. It is safe for concurrent use.
func Versions(ctx context.Context, points []*ntfs.Tree, o Options) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		s := newSweep(points, o)
		if s.size == 0 {
			return
		}
		var coming []chan *window // oldest first
		start := func() {
			if w := s.next(); w != nil {
				done := make(chan *window, 1)
				coming = append(coming, done)
				go func() {
					w.run(ctx)
					done <- w
				}()
			}
		}
		for range runtime.GOMAXPROCS(0) + 1 {
			start()
		}
		out, more := &joiner{yield: yield}, true
		for more && len(coming) > 0 {
			w := <-coming[0]
			coming = coming[1:]
			if ctx.Err() != nil { // then w is not whole
				out.give(Version{}, context.Cause(ctx))
				break
			}
			s.opts.Progress.Tell("reading file records", int64(w.first+w.records), int64(s.records))
			if more = w.yield(out.give); more {
				start()
			}
		}
		for _, c := range coming { // nothing is to be read after the end
			<-c
		}
		if more {
			out.flush()
		}
	}
}

// A joiner gives a gap that goes on in the next window as one, however many windows it is of: what is lost elsewhere
// must not drown in it.
type joiner struct {
	yield func(Version, error) bool
	held  *Gap
}

func (j *joiner) give(v Version, err error) bool {
	gap, isGap := err.(*Gap)
	if h := j.held; isGap && h != nil && h.First == gap.First && h.Last == gap.Last && h.To == gap.From && sameReason(h, gap) {
		h.To = gap.To
		return true
	}
	if !j.flush() {
		return false
	}
	if isGap {
		j.held = gap
		return true
	}
	return j.yield(v, err)
}

// flush gives the gap that is held.
func (j *joiner) flush() bool {
	h := j.held
	j.held = nil
	return h == nil || j.yield(Version{First: h.First, Last: h.Last}, h)
}

// A sweep goes over the record numbers of all points once.
type sweep struct {
	points  []*ntfs.Tree
	opts    Options
	size    int64 // bytes of a record
	records uint64
	window  uint64 // records
	at      uint64
}

func newSweep(points []*ntfs.Tree, o Options) *sweep {
	s := &sweep{points: points, opts: o}
	for _, t := range points {
		if t != nil {
			s.records = max(s.records, t.Records())
			s.size = int64(t.RecordSize()) // of the newest: see comparable
		}
	}
	if s.size > 0 {
		s.window = uint64(max(min(windowBytes/s.size, int64(windowVersions/len(points))), 16))
	}
	return s
}

// readable reports whether the records of a point count: those of a volume that was formatted anew with another size
// of record have nothing to do with these.
func (s *sweep) readable(t *ntfs.Tree) bool { return t != nil && int64(t.RecordSize()) == s.size }

// next returns the next window, nil at the end. What is a hole at all points was made to be huge, and is passed over;
// what cannot be had at any is one Gap.
func (s *sweep) next() *window {
	if s.at >= s.records {
		return nil
	}
	w := &window{s: s, first: s.at}
	skip := s.records - s.at
	for p, t := range s.points {
		if !s.readable(t) || s.at >= t.Records() {
			continue
		}
		off := int64(s.at) * s.size
		e, err := layer.Leaf(t.MFT(), off, int64(t.Records())*s.size-off)
		if skip = min(skip, uint64(e.Len/s.size)); err == nil && e.Kind != layer.Zero || skip <= s.window {
			skip = 0
			break
		}
		if err != nil {
			w.items = append(w.items, item{gap: &Gap{From: s.at, First: p, Last: p, Err: err}})
		}
	}
	w.records = min(s.window, s.records-s.at)
	if skip > 0 {
		w.records, w.skip = skip, true
		for i := range w.items {
			w.items[i].gap.To = s.at + skip
		}
	} else {
		w.items = nil
	}
	s.at += w.records
	return w
}

// An item is what a window yields: a version or a gap.
type item struct {
	v   Version
	gap *Gap
}

func (i *item) from() uint64 {
	if i.gap != nil {
		return i.gap.From
	}
	return i.v.Node.Ref.Record
}

func (i *item) first() int {
	if i.gap != nil {
		return i.gap.First
	}
	return i.v.First
}

// yield gives what was found, in order.
func (w *window) yield(yield func(Version, error) bool) bool {
	slices.SortStableFunc(w.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.from(), b.from()), cmp.Compare(a.first(), b.first()))
	})
	for i := range w.items {
		x := &w.items[i]
		if x.gap != nil {
			if !yield(Version{First: x.gap.First, Last: x.gap.Last}, x.gap) {
				return false
			}
		} else if !yield(x.v, nil) {
			return false
		}
	}
	return true
}
