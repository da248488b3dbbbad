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
	// permissions, ea, efs, reparse, object_id, short_name, and with Options.System usn and quota. Of Streams: the streams'
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
	ctx        context.Context
	a, b       side
	opts       Options
	candidates []uint64 // records that may have changed, and those of their base, in order
	items      []item
	explained  []ntfs.Range // of the volume: what is compared as part of a changed file, or does not count
	parents    map[ntfs.Ref]bool
	rows       []row // about the place that is told of
	failures   int
	lost       []error // what has no place
}

// maxFailures is how many things that cannot be compared are told one by one.
const maxFailures = 10000

// An item is a place where the file of a record has, or had, a name, and may have changed.
type item struct {
	at      place
	number  uint64
	inPlace bool
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
	for _, number := range d.candidates {
		if d.ctx.Err() != nil {
			return
		}
		d.collect(number, false)
	}
	if !d.opts.Paranoid {
		d.findInPlace()
	}
	d.candidates, d.explained, d.parents = nil, nil, nil
	slices.SortFunc(d.items, func(x, y item) int { return cmp.Or(x.at.compare(y.at), cmp.Compare(x.number, y.number)) })
}

// collect adds the items of a record.
func (d *differ) collect(number uint64, inPlace bool) {
	p := d.open(number, inPlace)
	if !inPlace {
		d.explain(p.old, p.oldLinks)
		d.explain(p.now, p.nowLinks)
	}
	if !d.opts.System && (isSystem(p.old, p.oldLinks) || isSystem(p.now, p.nowLinks)) || !p.choosePlace() {
		return
	}
	if p.old != nil || p.now != nil || p.err != nil {
		d.items = append(d.items, item{p.at, number, inPlace})
	}
	gone, came := p.oldLinks, p.nowLinks
	if p.old != nil && p.now != nil && p.old.Ref == p.now.Ref {
		gone, came = without(gone, came), without(came, gone)
	}
	seen := []place{p.at}
	for _, l := range slices.Concat(gone, came) {
		if !slices.Contains(seen, l.place) {
			seen = append(seen, l.place)
			d.items = append(d.items, item{l.place, number, inPlace})
		}
	}
}

// open gets what both trees have in a record.
func (d *differ) open(number uint64, inPlace bool) *pair {
	p := &pair{differ: d, number: number, inPlace: inPlace}
	var err, err2 error
	p.old, err = d.a.node(number)
	p.now, err2 = d.b.node(number)
	switch {
	case p.old != nil && p.now == nil && err2 == nil:
		err2 = d.b.lost(p.old)
	case p.old == nil && p.now != nil && err == nil:
		err = d.a.lost(p.now)
	}
	if err == nil && err2 == nil && !inPlace {
		err, err2 = d.contradicted(p)
	}
	p.err = sideErr(err, err2)
	p.oldLinks, p.nowLinks = d.a.links(p.old), d.b.links(p.now)
	return p
}

// contradicted is why a file may not have come, gone or been renamed, although its records say so: the directories do not.
func (d *differ) contradicted(p *pair) (first, second error) {
	if p.old != nil && p.now != nil && p.old.Ref == p.now.Ref && sameNames(p.old, p.now) {
		return nil, nil
	}
	return d.a.confirm(p.old), d.b.confirm(p.now)
}

// sameNames reports whether two nodes have the same names in the same directories.
func sameNames(a, b *ntfs.Node) bool {
	x, _ := a.Names()
	y, _ := b.Names()
	return slices.EqualFunc(x, y, func(m, n ntfs.Name) bool { return m.Parent == n.Parent && m.Name == n.Name })
}

// tell compares what the items name, place by place.
func (d *differ) tell(yield func(Change, error) bool) {
	none := Change{OldSize: -1, NewSize: -1}
	for i, x := range d.items {
		p := d.open(x.number, x.inPlace)
		p.choosePlace()
		p.tell(x.at)
		if d.ctx.Err() != nil {
			break
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
	for _, err := range d.lost {
		if d.told() && !yield(none, err) {
			return
		}
	}
	if more := d.failures - maxFailures; more > 0 {
		yield(none, fmt.Errorf("and %d more that cannot be compared", more))
	}
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
