package ntfs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"snapmount/imagefmt/layer"
)

// An entry that was taken out of a sound index leaves no trace there: only the record of its file still names the
// directory. To ask all records is to read all of $MFT, so it is done once, and what they say is kept as a number for each
// directory. One whose index adds up to another number is compared with the records themselves.

// quickRecords is how many file records are read for the sake of one directory: 64 MiB where they have 1 KiB.
const quickRecords = 1 << 16

// A census is what all file records in use say of directories.
type census struct {
	taking  sync.Mutex
	sums    atomic.Pointer[map[uint64]uint64] // by record of the directory: of the records of the names in it, see nameSum
	reached func() *reach                     // what entries lead to
}

// nameSum is what a name of the file of that base record adds to the sum of its directory.
func nameSum(record uint64) uint64 { return Ref{Record: record}.mix() }

// TakeCensus reads all file records, once for a Tree. From then on directories are listed and searched with those files in
// use that name them as a parent and that no entry of any directory leads to by that name, each of which is a warning: their entries
// were taken out of a sound index. It takes some 16 bytes for each directory, and for one of which that is so 24 bytes for
// each name on the volume.
func (t *Tree) TakeCensus(ctx context.Context) error {
	t.count.taking.Lock()
	defer t.count.taking.Unlock()
	if t.count.sums.Load() != nil {
		return nil
	}
	sums := map[uint64]uint64{}
	for w := range t.windows((*window).census) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, s := range w.sums {
			sums[s.of] += s.record
		}
	}
	t.count.sums.Store(&sums)
	return nil
}

// QuickCensus is TakeCensus for one directory: it does nothing where $MFT is large.
func (t *Tree) QuickCensus(ctx context.Context) error {
	if t.records > quickRecords {
		return nil
	}
	return t.TakeCensus(ctx)
}

// census adds up the names in the records of the window: of neighbours in one directory at once.
func (w *window) census() {
	w.sums = w.sums[:0]
	w.inUse(func(r *fileRecord) {
		owner := r.owner()
		for c := r.cursor(); c.next() && c.typ <= typeFileName; {
			if c.typ != typeFileName {
				continue
			}
			f, ok := decodeFileName(c.value)
			if !ok || owner == recordRoot && string(f.name) == ".\x00" {
				continue
			}
			if k := len(w.sums) - 1; k < 0 || w.sums[k].of != f.parent.Record {
				w.sums = append(w.sums, relation{of: f.parent.Record})
			}
			w.sums[len(w.sums)-1].record += nameSum(owner)
		}
	})
}

// owner is the number of the base record.
func (r *fileRecord) owner() uint64 {
	if r.base != (Ref{}) {
		return r.base.Record
	}
	return r.ref.Record
}

// lacks reports whether the census knows of other files in the directory than its index, the sum of whose nodes is given.
func (d *directory) lacks(sum func() uint64) bool {
	sums := d.t.count.sums.Load()
	return sums != nil && sum() != (*sums)[d.ref.Record]
}

// sum adds up all sound nodes of the index.
func (d *directory) sum() uint64 {
	d.summed.Do(func() {
		d.total = d.root.names().sum
		for _, x := range d.blocks() {
			d.total += x.names().sum
		}
	})
	return d.total
}

// left reports whether a user's file, in use by $MFT:$BITMAP too, has more names than entries of directories lead to it.
func (n *Node) left() bool {
	used, err := n.tree.allocated(n.Ref.Record)
	return n.Ref.Record >= firstUser && (err != nil || used) && int(n.tree.count.reached().links[n.Ref.Record]) < n.Links
}

// readReached follows the entries of all directories.
func (t *Tree) readReached() *reach {
	r := &reach{t: t, ctx: context.Background(), seen: make([]uint64, t.records/64+1), links: make([]uint8, t.records)}
	r.from(Ref{Record: recordRoot})
	r.from(Ref{Record: recordExtend})
	return r
}

// recount gives the files that the index, with which nothing is wrong, does not have: each once for a name.
func (l *listing) recount() {
	if l.done || !l.d.lacks(l.sum) {
		return
	}
	names, spare := map[string]bool{}, map[uint64]int{} // long ones, and how many entries of a record no name of it needs
	for _, x := range l.nodes {
		eachEntry(x, func(e *indexEntry) bool {
			if e.key[65] != NamespaceDOS {
				names[string(e.name())] = true
				spare[e.ref.Record]++
			}
			return true
		})
	}
	var found []claim
	l.d.claims(l.d.t.roll().in(l.d.ref.Record), func(c claim) bool {
		if c.namespace != NamespaceDOS {
			spare[c.node.Ref.Record]--
			if !names[string(c.name)] {
				found = append(found, c)
			}
		}
		return true
	})
	for _, c := range found {
		if spare[c.node.Ref.Record] < 0 && c.node.left() && !l.done {
			l.d.warnLeft(c)
			l.giveClaim(c)
		}
	}
}

// sum adds up the nodes that were listed.
func (l *listing) sum() (sum uint64) {
	for _, x := range l.nodes {
		sum += x.names().sum
	}
	return sum
}

// recount searches the files that the index, with which nothing is wrong, does not have.
func (s *search) recount() {
	if s.rank > 0 || s.err != nil || !s.d.lacks(s.d.sum) {
		return
	}
	s.d.claims(s.d.t.roll().as(s.d.ref.Record, s.key.table.key(bytesUTF16(s.key.exact))), func(c claim) bool {
		if s.key.compare(c.name) == 0 && c.node.left() {
			s.d.warnLeft(c)
			s.takeName(&c.fileName, c.node.Ref)
		}
		return s.rank < rankSame
	})
}

var errNoEntry = errors.New("no entry of it, though nothing else is wrong with the index")

func (d *directory) warnLeft(c claim) {
	d.t.warn(fmt.Errorf("directory %v: %v, which names it as its parent: %w: %w", d.ref, c.node.Ref, errNoEntry, layer.ErrCorrupt))
}
