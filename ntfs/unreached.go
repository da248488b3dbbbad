package ntfs

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"slices"

	"snapmount/imagefmt/wintype"

	"snapmount/ntfs/layout"
)

// A Stray is a file in use that no directory leads to.
type Stray struct {
	Node *Node
	Name string // the best that is known, as WTF-8; "" for none
}

// Unreached gives the files and directories in use that no directory leads to from the root on, by record number. What is
// in a directory that is one of them is reached through it, and is not given. System files are not either. With an error,
// which says what could not be read, there may be more.
//
// It reads all indexes and file records once.
func (t *Tree) Unreached(ctx context.Context) ([]Stray, error) {
	r := reach{t: t, ctx: ctx, seen: make([]uint64, t.records/64+1)}
	r.from(Ref{Record: recordRoot})
	r.from(Ref{Record: recordExtend})
	var left []uint64
	for n, err := range t.Nodes() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if number := n.Ref.Record; err != nil {
			r.gaps.add(number, number+1, err)
		} else if !r.has(number) && number >= firstUser && !n.Metafile() {
			left = append(left, number)
		}
	}
	var out []Stray
	for _, number := range r.tops(left) {
		if r.has(number) {
			continue // by one that was given before
		}
		n, err := t.Node(Ref{Record: number})
		if err != nil {
			r.gaps.add(number, number+1, err)
			continue
		}
		out = append(out, Stray{n, n.bestName()})
		if r.mark(number); n.dir {
			r.from(n.Ref)
		}
	}
	slices.SortFunc(out, func(a, b Stray) int { return cmp.Compare(a.Node.Ref.Record, b.Node.Ref.Record) })
	return out, cmp.Or(ctx.Err(), r.err())
}

// bestName is the first long name, or an 8.3 name where there is no other.
func (n *Node) bestName() string {
	list, _ := n.attributes() // of what is damaged, what is left
	best, found := fileName{}, false
	for i := range list {
		if list[i].typ != typeFileName || list[i].err != nil {
			continue
		}
		if f, ok := decodeFileName(list[i].value); ok && (!found || best.namespace == NamespaceDOS) {
			best, found = f, true
		}
	}
	return wintype.DecodeUTF16(best.name)
}

// A reach knows the records that directories lead to.
type reach struct {
	t      *Tree
	ctx    context.Context
	seen   []uint64 // a bit for each record
	links  []uint8  // of each record, how many entries lead to it: counted, by what indexes have alone, unless it is nil
	gaps   gapList
	failed error // the first directory that may have more
}

func (r *reach) has(number uint64) bool { return r.seen[number/64]>>(number%64)&1 != 0 }
func (r *reach) mark(number uint64)     { r.seen[number/64] |= 1 << (number % 64) }

func (r *reach) err() error { return cmp.Or(r.failed, r.gaps.err()) }

// from marks what a directory leads to, directly or through others.
func (r *reach) from(ref Ref) {
	r.mark(ref.Record)
	for todo := []Ref{ref}; len(todo) > 0 && r.ctx.Err() == nil; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, err := r.t.Node(dir)
		if err != nil {
			continue // it is a gap itself, or stale
		}
		d, err := n.directory()
		if err != nil {
			continue
		}
		for e, err := range d.list(r.links != nil) {
			if err != nil {
				r.failed = cmp.Or(r.failed, err)
				break
			}
			if e.Ref.Record >= r.t.records || r.links == nil && r.has(e.Ref.Record) {
				continue
			}
			child, err := e.Node() // a stale entry leads nowhere
			if err != nil {
				continue
			}
			if r.links != nil {
				r.links[child.Ref.Record] = max(r.links[child.Ref.Record], r.links[child.Ref.Record]+1)
			}
			if r.has(child.Ref.Record) {
				continue
			}
			if r.mark(child.Ref.Record); child.dir {
				todo = append(todo, child.Ref)
			}
		}
	}
}

// tops orders records so that what is in none of the directories among them comes first.
func (r *reach) tops(left []uint64) []uint64 {
	inside := func(number uint64) bool {
		n, err := r.t.Node(Ref{Record: number})
		if err != nil {
			return false
		}
		names, _ := n.Names()
		return slices.ContainsFunc(names, func(x Name) bool {
			_, among := slices.BinarySearch(left, x.Parent.Record)
			up, err := r.t.Node(x.Parent)
			return among && err == nil && up.dir
		})
	}
	var first, rest []uint64
	for _, number := range left {
		if inside(number) {
			rest = append(rest, number)
		} else {
			first = append(first, number)
		}
	}
	return append(first, rest...)
}

// NodeByNumber returns the node of a base record in use, by its number alone. It wraps layer.ErrCorrupt when the record is
// lost, and fs.ErrNotExist when it is not in use; an extension record is one of the file that it belongs to.
func (t *Tree) NodeByNumber(number uint64) (*Node, error) {
	r, err := t.record(number)
	if err == nil && r.base != (Ref{}) && r.flags&layout.RecordInUse != 0 {
		return t.Node(r.base)
	}
	state, why := t.RecordState(number, nil)
	switch {
	case state == RecordFree:
		return nil, fmt.Errorf("file record %d of %d is not in use (find --deleted tells what is left of a deleted file's): %w", number, t.records, fs.ErrNotExist)
	case state != RecordInUse:
		return nil, why
	}
	return t.newNode(&r), nil
}
