package timeline

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/usn"
)

// A Volume is what rows are of. It is immutable.
type Volume struct {
	Name   string // empty where there is only one
	Points []Point
}

// A Point is a point in time. Tree is nil where it could not be opened.
type Point struct {
	Name string
	Time time.Time // zero for the current state
	Tree *ntfs.Tree
}

func (v *Volume) trees() []*ntfs.Tree {
	out := make([]*ntfs.Tree, len(v.Points))
	for i := range v.Points {
		out[i] = v.Points[i].Tree
	}
	return out
}

// RowOptions say what Rows gives; the zero value works.
type RowOptions struct {
	Points   bool // a row for each point, not one for each version
	System   bool // metafiles and the files of VSS too
	USN      bool // the records of the change journals too
	Progress layer.Progress
}

// A Row is a file version under one of its names, or a named stream of it; or with Event, a record of the change journal.
type Row struct {
	Volume      *Volume
	Node        *ntfs.Node // nil for events
	Path        string     // at point Last; as in Segment
	Stream      string
	Orphan      bool
	First, Last int
	Size        int64
	ID          uint16     // of the $DATA attribute
	Data        bool       // there is one
	Name        *ntfs.Name // the $FILE_NAME; nil for streams
	Links       int
	Owner       string // SID
	Version     int    // number of the version, from 1, as compare.Tally counts; 0 where the file cannot be had whole
	Unknown     error  // why it is not known whether that is the version before
	Event       *usn.Record
}

// Rows yields the rows of a volume: versions by record number and time, then events by time. A version of which the last
// access changed, which is none of its own, has a row for each. What could not be read is
// an error beside a nil Row, a *Gap where it was records; the cause of the end of ctx is the last. The Row is overwritten
// by the next one.
func (v *Volume) Rows(ctx context.Context, o RowOptions) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		trees := v.trees()
		part := func(add int64) layer.Progress { // the records are gone over twice
			return func(what string, done, total int64) { o.Progress.Tell(what, add*total+done, 2*total) }
		}
		d := ReadDirs(ctx, trees, part(0).As("reading file records"))
		r := rower{ctx: ctx, v: v, o: o, dirs: d, owners: owners{}, yield: yield, counter: counter{ctx: ctx, points: trees}}
		for x, err := range Versions(ctx, trees, Options{Progress: part(1)}) {
			if err != nil {
				if !yield(nil, err) || ctx.Err() != nil {
					return
				}
				continue
			}
			if err := damage(&x); err != nil && !yield(nil, err) || !r.take(x) {
				return
			}
		}
		if !r.flush() {
			return
		}
		if err := d.Err(); err != nil && !yield(nil, err) || !o.USN {
			return
		}
		r.events()
	}
}

type rower struct {
	ctx    context.Context
	v      *Volume
	o      RowOptions
	dirs   *Dirs
	owners owners
	yield  func(*Row, error) bool

	group   []Version // of the record that is under way
	counter counter
}

// take adds a version to those of its record, whose rows are yielded when another one begins; false when no more are
// wanted.
func (r *rower) take(x Version) bool {
	if x.Node.Ref.Record == recordRoot || !r.o.System && system(&x) {
		return true
	}
	if len(r.group) > 0 && r.group[0].Node.Ref.Record != x.Node.Ref.Record && !r.flush() {
		return false
	}
	r.group = append(r.group, x)
	return true
}

// flush yields the rows of the record that is under way.
func (r *rower) flush() bool {
	parts := r.counter.count(r.group)
	r.group = r.group[:0]
	if r.ctx.Err() != nil {
		r.yield(nil, context.Cause(r.ctx))
		return false
	}
	for len(parts) > 0 {
		x, n := parts[0], 1
		for ; n < len(parts) && x.goesOn(&parts[n]) && sameTimes(&x, &parts[n]); n++ {
			x.Last = parts[n].Last
		}
		if parts = parts[n:]; !r.version(&x) {
			return false
		}
	}
	return true
}

// sameTimes reports whether two parts of a version have all times in common, those of the last access too.
func sameTimes(a, b *Version) bool {
	return a.Node.Times == b.Node.Times && slices.EqualFunc(a.Names, b.Names, func(m, n ntfs.Name) bool { return m == n })
}

// version yields the rows of a version; false when no more are wanted.
func (r *rower) version(x *Version) bool {
	names := links(x)
	if len(names) == 0 {
		names = []ntfs.Name{nameless(x)}
	}
	owner := r.owners.of(x.Node)
	for i := range names {
		at := r.dirs.Paths(names[i], x.First, x.Last)
		if !r.o.Points {
			at = at[len(at)-1:]
			at[0].First = x.First
		}
		for _, s := range at {
			if !r.o.System && belowSystem(s) {
				continue
			}
			row := Row{Volume: r.v, Node: x.Node, Path: s.Path, Orphan: s.Orphan, First: s.First, Last: s.Last, Size: x.Node.Size,
				Name: &names[i], Links: x.Node.Links, Owner: owner, Version: x.Number, Unknown: x.Unknown}
			if x.Names == nil {
				row.Name = nil
			}
			if !r.points(row, x.Streams) {
				return false
			}
		}
	}
	return true
}

// nameless stands for the name of a file whose record has none, as some drivers leave it when they delete it; as fls has it.
func nameless(x *Version) ntfs.Name {
	return ntfs.Name{Name: fmt.Sprintf("OrphanFile-%d", x.Node.Ref.Record), Parent: ntfs.Ref{Record: 1<<48 - 1}}
}

// damage says what of a version could not be read. What a deletion and time have left is not expected to be whole.
func damage(x *Version) error {
	if x.Node.Deleted {
		return nil
	}
	return x.Node.Damage
}

// points yields a row, or one for each of its points, each before those of the named streams.
func (r *rower) points(row Row, streams []ntfs.StreamInfo) bool {
	first, last := row.First, row.Last
	if !r.o.Points {
		last = first
	}
	for p := first; p <= last; p++ {
		one := row
		if r.o.Points {
			one.First, one.Last = p, p
		}
		for _, s := range streams {
			if s.Name == "" {
				one.ID, one.Data = s.ID, true
			}
		}
		if !r.yield(&one, nil) {
			return false
		}
		for _, s := range streams {
			if s.Name == "" {
				continue
			}
			ads := one
			ads.Path, ads.Stream, ads.Size, ads.ID, ads.Data, ads.Name = row.Path+":"+s.Name, s.Name, s.Size, s.ID, true, nil
			if !r.yield(&ads, nil) {
				return false
			}
		}
	}
	return true
}
