package ntfs

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"snapmount/imagefmt/wintype"
)

// An Entry is a name in a directory. Attr, Size and Times are the index's copies, which Windows brings up to date
// for one name of a file only, and late: hints. Kind is right where the index is.
type Entry struct {
	Name  string // WTF-8
	Ref   Ref
	Attr  FileAttr
	Kind  Kind
	meta  bool
	Size  int64
	Times Times
	Err   error // why Node cannot work, where that is known already
	// FromRecord says that the index has no such entry, because it is damaged: the file record names the directory.
	FromRecord bool
	tree       *Tree
	dir        Ref
}

// Node returns the node that the entry names.
func (e Entry) Node() (*Node, error) {
	if e.Err != nil {
		return nil, fmt.Errorf("%q: %w", e.Name, e.Err)
	}
	return e.tree.NodeIn(e.dir, e.Name, e.Ref)
}

// Metafile reports whether the entry is of a system file, such as $MFT, or is in $Extend.
func (e Entry) Metafile() bool { return e.meta }

// Children lists a directory in the order of its index. What damage of the index hides is found by the file records that
// name the directory. With an error, which says what may be missing all the same, what could be read is there too. See Entries for what is left out.
func (n *Node) Children() ([]Entry, error) {
	d, err := n.directory()
	if err != nil {
		return nil, err
	}
	var out []Entry
	if blocks := d.limit; blocks > 0 { // about 30 names fill a block
		out = make([]Entry, 0, min(blocks*d.blockSize/128, 1<<17))
	}
	completed := false
	for e, err2 := range d.list(false) {
		if err2 != nil {
			err = err2
			break
		}
		out = append(out, *e)
		completed = completed || e.FromRecord
	}
	if err != nil || completed { // those that damage had hidden came last
		d.t.sort(out)
	}
	return out, err
}

// Entries yields the entries of a directory, in the order of its index as long as that is sound. 8.3 names that stand
// beside a long name and the root's name for itself are left out. What damage of the index hides is found by the file
// records that name the directory. An error, which says what may be missing all the same, comes last. The
// Entry is overwritten by the next one: copy it to keep it.
func (n *Node) Entries() iter.Seq2[*Entry, error] {
	d, err := n.directory()
	if err != nil {
		return func(yield func(*Entry, error) bool) { yield(nil, err) }
	}
	return d.list(false)
}

// list yields the entries; plain are those of long names that the index has, whatever the census says.
func (d *directory) list(plain bool) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		l := &listing{d: d, yield: yield, seen: make([]uint64, d.limit/64+1)}
		l.note(d.damage)
		l.walk(d.root, 0)
		if l.problems == 0 {
			l.note(l.unreached())
		}
		if l.problems > 0 {
			l.sweep()
			l.complete()
		} else if !plain {
			l.recount()
		}
		if l.paired != 0 && l.short && !plain {
			l.unpaired()
		}
		if more := l.problems - len(l.errs); more > 0 {
			l.errs = append(l.errs, fmt.Errorf("and %d more", more))
		}
		if l.problems > 0 && !l.done {
			yield(nil, fmt.Errorf("directory %v: entries may be missing: %w", d.ref, errors.Join(l.errs...)))
		}
	}
}

// sort puts entries in the order that an index has.
func (t *Tree) sort(list []Entry) {
	type names struct{ upper, exact []uint16 }
	table := t.upcase()
	keys := make(map[string]names, len(list))
	for _, e := range list {
		n := names{exact: wintype.EncodeUTF16(e.Name)}
		for _, c := range n.exact {
			n.upper = append(n.upper, table[c])
		}
		keys[e.Name] = n
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		x, y := keys[a.Name], keys[b.Name]
		return cmp.Or(slices.Compare(x.upper, y.upper), slices.Compare(x.exact, y.exact))
	})
}
