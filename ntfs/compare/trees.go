package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Kind is what happened to a file, or to one of its names.
type Kind uint8

const (
	Created  Kind = iota // the name is new: of a new file, or a hard link of an old one
	Deleted              // the name is gone, with its file or without
	Renamed              // another name, or another directory
	Content              // of the unnamed stream
	Metadata             // see Change.Fields
	Streams              // named streams were added, removed, or have other content
)

var kindWords = [...]string{"created", "deleted", "renamed", "content", "metadata", "streams"}

func (k Kind) String() string { return kindWords[k] }

// Kinds are all of them, in their order.
func Kinds() []Kind { return []Kind{Created, Deleted, Renamed, Content, Metadata, Streams} }

// A Change is one difference between two trees. Paths are as ntfs.Paths gives them; what lies in no known directory has
// OrphanDir before it. Of a file with several names, all but the changes of names are told once, at its first path.
type Change struct {
	Kind    Kind
	Path    string // in the second tree; of what was deleted, in the first
	OldPath string // of Renamed, in the first tree
	Ref     ntfs.Ref
	Type    ntfs.Kind
	// Fields names what changed. Of Metadata: created, modified, changed, accessed (the times), attributes, owner,
	// permissions, ea, efs, reparse, object_id, short_name, name_times (those of names that stayed, where the time of the
	// record's change is the same: some drivers copy the file's own there), and with Options.System usn and quota. Of Streams: the streams'
	// names. Of Created and Deleted: link, where the file has, or had, other names.
	Fields           []string
	OldSize, NewSize int64 // bytes of the unnamed stream; -1 where there is none, or where it is not the matter
	By               By    // what told: the record, the extents that changed blocks lie in, or the bytes
	InPlace          bool  // the file's record is the same: what wrote went past the file system, or mapped the file in memory
}

// OrphanDir stands before the paths of what lies in no known directory.
const OrphanDir = "$OrphanFiles"

// Options of Trees; the zero value works.
type Options struct {
	Paths    []string // only what is at or below one of them in either tree; none for all
	System   bool     // metafiles such as $MFT too, and the files that VSS keeps its stores in
	Paranoid bool     // nothing is equal by proof: all records are parsed, all content is read
	Progress layer.Progress
}

// Trees tells what differs between two trees of one volume, ordered by path, name by name, then by Kind. What cannot be
// compared is an error beside a Change that has no more than its Path and Ref, as far as they are known; the cause of the
// end of ctx is the last. Trees itself fails when the volumes have another geometry, and wraps fs.ErrNotExist when neither
// tree has a path of Options.Paths.
//
// Records that lie in the same place in both are equal by proof, and so are the ranges of streams: neither is read. All
// others are compared by their bytes. File times are compared as any other field, and prove nothing. Where a sequence
// number differs, a record has a new file: one was deleted, one created. Data that changed while its record did not is
// found by the changed blocks of the volume that no changed record accounts for.
func Trees(ctx context.Context, a, b *ntfs.Tree, opts Options) (iter.Seq2[Change, error], error) {
	if _, err := newDiffer(ctx, a, b, opts); err != nil {
		return nil, err
	}
	return func(yield func(Change, error) bool) {
		d, err := newDiffer(ctx, a, b, opts) // each iteration has its own
		if err != nil {
			yield(Change{}, err)
			return
		}
		d.find()
		d.tell(yield)
	}, nil
}

// A differ compares two trees: first it finds the files that may have changed, then it compares them, in order.
type differ struct {
	ctx         context.Context
	a, b        side
	opts        Options
	candidates  []uint64 // records that may have changed, and those of their base, in order
	items       []item
	explained   []ntfs.Range // of the volume: what is compared as part of a changed file, or does not count
	parents     map[ntfs.Ref]bool
	rows        []row // about the place that is told of
	failures    int
	lost        []error // what has no place
	lostRecords []*recordsError
}

// maxFailures is how many things that cannot be compared are told one by one.
const maxFailures = 10000

// An item is a place where the file of a record has, or had, a name, and may have changed.
type item struct {
	at      place
	number  uint64
	inPlace bool
	err     error // why one of the records cannot be had, or is not to be believed: asked once, told at each place
}

// A row is a Change, or why there may be one, whose paths are made when it is told.
type row struct {
	Change
	at, from place
	err      error
}

func compareRows(x, y row) int {
	return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Ref.Record, y.Ref.Record), cmp.Compare(x.Ref.Seq, y.Ref.Seq))
}

func newDiffer(ctx context.Context, a, b *ntfs.Tree, opts Options) (*differ, error) {
	if a.RecordSize() != b.RecordSize() || a.ClusterSize() != b.ClusterSize() {
		return nil, fmt.Errorf("records of %d and %d bytes, clusters of %d and %d: not one volume: %w",
			a.RecordSize(), b.RecordSize(), a.ClusterSize(), b.ClusterSize(), layer.ErrUnsupported)
	}
	names := newInterner()
	d := &differ{ctx: ctx, a: newSide(a, names), b: newSide(b, names), opts: opts, parents: map[ntfs.Ref]bool{}}
	for _, path := range opts.Paths {
		err, err2 := d.a.limit(path), d.b.limit(path)
		if err != nil && err2 != nil { // unless file records say otherwise
			if err := cmp.Or(a.TakeCensus(ctx), b.TakeCensus(ctx)); err != nil {
				return nil, err
			}
			err, err2 = d.a.limit(path), d.b.limit(path)
		}
		if err != nil && err2 != nil {
			return nil, errors.Join(err, err2)
		}
	}
	return d, nil
}

// find collects the items, in order, as long as ctx lasts.
func (d *differ) find() {
	d.findRecords()
	d.items = make([]item, 0, len(d.candidates))
	for _, p := range ahead(d.candidates, func(number uint64) *pair { return d.ask(number, false) }) {
		if d.ctx.Err() != nil {
			return
		}
		d.collect(p)
	}
	if !d.opts.Paranoid {
		d.findInPlace()
	}
	d.candidates, d.explained, d.parents = nil, nil, nil
	slices.SortFunc(d.items, func(x, y item) int { return cmp.Or(x.at.compare(y.at), cmp.Compare(x.number, y.number)) })
}

// collect adds the items of a record.
func (d *differ) collect(p *pair) {
	number, inPlace := p.number, p.inPlace
	p.link()
	if !inPlace {
		d.explain(p.old, p.oldLinks)
		d.explain(p.now, p.nowLinks)
	}
	if !d.opts.System && (isSystem(p.old, p.oldLinks) || isSystem(p.now, p.nowLinks)) || !p.choosePlace() {
		return
	}
	if p.old != nil || p.now != nil || p.err != nil {
		d.items = append(d.items, item{p.at, number, inPlace, p.err})
	}
	gone, came := p.oldLinks, p.nowLinks
	if p.old != nil && p.now != nil && p.old.Ref == p.now.Ref {
		gone, came = without(gone, came), without(came, gone)
	}
	seen := []place{p.at}
	for _, l := range slices.Concat(gone, came) {
		if !slices.Contains(seen, l.place) {
			seen = append(seen, l.place)
			d.items = append(d.items, item{l.place, number, inPlace, p.err})
		}
	}
}

// open gets what both trees have in a record. It may be called concurrently.
func (d *differ) open(number uint64, inPlace bool) *pair {
	p := &pair{differ: d, number: number, inPlace: inPlace}
	var err, err2 error
	p.old, p.oldNames, err = d.a.node(number)
	p.now, p.nowNames, err2 = d.b.node(number)
	p.err = sideErr(err, err2)
	return p
}

// link finds the places of both.
func (p *pair) link() {
	p.oldLinks, p.nowLinks = p.a.links(p.old, p.oldNames), p.b.links(p.now, p.nowNames)
}

// ask is open, and asks all other witnesses whether the file may not have come, gone or been renamed, although its records
// say so: one was lost, or the directories say otherwise.
func (d *differ) ask(number uint64, inPlace bool) *pair {
	p := d.open(number, inPlace)
	if p.err != nil {
		return p
	}
	var err, err2 error
	switch {
	case p.old != nil && p.now == nil:
		err2 = d.b.lost(number, p.oldNames)
	case p.old == nil && p.now != nil:
		err = d.a.lost(number, p.nowNames)
	case p.old != nil && p.old.Ref == p.now.Ref && slices.EqualFunc(p.oldNames, p.nowNames, sameName):
		return p
	}
	if err == nil && err2 == nil && !inPlace {
		err, err2 = d.a.confirm(p.old), d.b.confirm(p.now)
	}
	p.err = sideErr(err, err2)
	return p
}

// sameName reports whether two names are the same, in the same directory.
func sameName(x, y ntfs.Name) bool { return x.Parent == y.Parent && x.Name == y.Name }

// tell compares what the items name, place by place.
func (d *differ) tell(yield func(Change, error) bool) {
	none := Change{OldSize: -1, NewSize: -1}
	for i, p := range ahead(d.items, func(x item) *pair { return d.open(x.number, x.inPlace) }) {
		d.opts.Progress.Tell("comparing files", int64(i), int64(len(d.items)))
		x := d.items[i]
		p.err = x.err
		p.link()
		p.choosePlace()
		p.tell(x.at)
		if d.ctx.Err() != nil {
			break
		}
		if p.old == nil && p.now == nil { // these have no place, and are the last
			d.lostRecord(x.number, p.err)
			continue
		}
		if i+1 < len(d.items) && d.items[i+1].at == x.at {
			continue
		}
		slices.SortStableFunc(d.rows, compareRows)
		for _, r := range d.rows {
			r.Path, r.OldPath = r.at.String(), r.from.String()
			if r.err != nil && !d.told() {
				continue
			}
			if !yield(r.Change, r.err) {
				return
			}
		}
		d.rows = d.rows[:0]
	}
	if d.ctx.Err() != nil {
		yield(none, context.Cause(d.ctx))
		return
	}
	for _, r := range d.lostRecords {
		none.Ref.Record = r.from
		if d.told() && !yield(none, r) {
			return
		}
	}
	none.Ref = ntfs.Ref{}
	for _, err := range d.lost {
		if d.told() && !yield(none, err) {
			return
		}
	}
	if more := d.failures - maxFailures; more > 0 {
		yield(none, fmt.Errorf("and %d more that cannot be compared", more))
	}
}

// A recordsError says why nothing is known of file records from one to another in either tree.
type recordsError struct {
	from, to uint64 // both included
	err      error  // of the first
}

func (e *recordsError) Error() string {
	if e.from == e.to {
		return fmt.Sprintf("%v: file record: %v", ntfs.Ref{Record: e.from}, e.err)
	}
	return fmt.Sprintf("file records %d to %d: %v", e.from, e.to, e.err)
}

func (e *recordsError) Unwrap() error { return e.err }

// lostRecord notes a record of which no tree has a file, though one may: those in a row, for one reason, together.
func (d *differ) lostRecord(number uint64, err error) {
	if err == nil {
		return
	}
	if k := len(d.lostRecords) - 1; k >= 0 && d.lostRecords[k].to+1 == number && layer.SameReason(d.lostRecords[k].err, err) {
		d.lostRecords[k].to = number
		return
	}
	d.lostRecords = append(d.lostRecords, &recordsError{number, number, err})
}

// told counts what cannot be compared, and reports whether one more is to be told.
func (d *differ) told() bool {
	d.failures++
	return d.failures <= maxFailures
}

// sideErr says which of the two trees an error is of.
func sideErr(first, second error) error {
	if first != nil {
		first = fmt.Errorf("first: %w", first)
	}
	if second != nil {
		second = fmt.Errorf("second: %w", second)
	}
	return errors.Join(first, second)
}
