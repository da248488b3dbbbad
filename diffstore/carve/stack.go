package carve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// maxStores bounds how many stores are looked at; Windows makes at most 512 of a volume.
const maxStores = 512

// Options adjust Open.
type Options struct {
	// Volume is what the stores may be of, as it is now, and Witness tells of its files at a time: of the Volume itself, or
	// of a carved snapshot. The first is asked at once, the others when an answer depends on them.
	Volume  layer.Mapper
	Witness func(layer.Mapper) (*Witness, error)
	// Places are the volumes that may hold its stores; the Volume is among them if it may.
	Places []*Place
	// Live are the snapshots that its catalog has, the oldest first, of a stack that is whole if Whole.
	Live  []*diffstore.Snapshot
	Whole bool
	// First is a number that snapshots have already: those that are found get higher ones.
	First int
	// Taken reports whether a store is of another volume, by its catalog.
	Taken func(diffstore.Store) bool
	// Recognize tells whether what a store keeps of the block at an offset is of the Volume: see diffstore.Options.
	Recognize func(off int64, b []byte) int
	// Show is the last class that is given as bytes; 0 is Agreed.
	Show Trust

	Warn     func(error)
	Progress layer.Progress
	Context  context.Context
}

// Stack is deleted snapshots of a volume, and those that were not, in order.
type Stack struct {
	opts    Options
	now     *Witness
	stores  []*found // by ordinal
	vss     *diffstore.Volume
	ends    []until // of copying into the store, if copies may have ended before the next one was made
	damaged []error
	bare    func(i int) (*diffstore.View, error)
	ordinal map[int]int // by Snapshot.Index
	next    []int       // the first barrier at or after a store; len(stores) for none
	last    []int       // the last barrier before or at a store; -1 for none
	views   []*View
	ordered bool

	witnesses []func() (*Witness, error) // by ordinal: of the files then
	blocks    blockStates
}

// Open finds the stores that no catalog has, of which it returns the stacks: one of those whose order is known, and one of
// each other. They are none where nothing was found.
func Open(opts Options) (stacks []*Stack, err error) {
	if opts.Show == 0 {
		opts.Show = Agreed
	}
	if opts.Warn == nil {
		opts.Warn = func(error) {}
	}
	if opts.Context == nil {
		opts.Context = context.Background()
	}
	deleted := opts.find()
	if len(deleted) == 0 || opts.Context.Err() != nil {
		return nil, context.Cause(opts.Context)
	}
	now, err := opts.Witness(opts.Volume)
	if err != nil {
		return nil, fmt.Errorf("what was written since: %w", err)
	}
	o := opener{Options: opts, now: now, runs: now.records()}
	all := o.live()
	for _, f := range deleted {
		if f.whole(); o.look(f) {
			all = append(all, f)
		}
	}
	share(all)
	for _, f := range all {
		o.age(f)
	}
	return o.stacks(all)
}

// find returns the stores of the places that no catalog has.
func (o *Options) find() (out []*found) {
	seen := map[wintype.GUID]bool{}
	for _, p := range o.Places {
		for _, f := range p.stores(o.Context, o.Volume.Size()) {
			live := slices.ContainsFunc(o.Live, func(s *diffstore.Snapshot) bool { return s.Keeps(f.Store) })
			if live || o.Taken != nil && o.Taken(f.Store) {
				continue
			}
			if len(out) == maxStores {
				o.Warn(fmt.Errorf("more than %d deleted stores: %w", maxStores, layer.ErrUnsupported))
				return out
			}
			if seen[f.ID] && !f.ID.IsZero() {
				continue
			}
			seen[f.ID] = true
			out = append(out, f)
		}
	}
	return out
}

// stacks puts stores in order, and makes a stack of those that have one, and of each other deleted one.
func (o *opener) stacks(all []*found) (list []*Stack, err error) {
	chain, alone := o.sorted(all)
	groups := [][]*found{chain}
	for _, f := range alone {
		groups = append(groups, []*found{f})
	}
	number := o.First
	for _, s := range o.Live {
		number = max(number, s.Index)
	}
	for _, g := range groups {
		if !slices.ContainsFunc(g, func(f *found) bool { return f.Live == nil }) {
			continue
		}
		for _, f := range g {
			if f.Live == nil {
				number++
				f.Index = number
			}
		}
		s, err := o.stack(g)
		if err != nil {
			return nil, err
		}
		s.ordered = len(g) > 1 || len(all) == 1
		list = append(list, s)
	}
	return list, nil
}

// sorted puts stores in order, the oldest first, those apart whose place is not known.
func (o *opener) sorted(all []*found) (chain, alone []*found) {
	for _, f := range all { // a bitmap that follows two stores orders none
		n := 0
		for _, b := range all {
			if f != b && f.link.Follows(b.link) {
				n++
			}
		}
		f.unique = n == 1
	}
	in := sortBy(len(all), func(e Evidence, a, b int) int {
		c := o.before(all[a], all[b], e)
		if e == ByBitmaps && (c < 0 && !all[b].unique || c > 0 && !all[a].unique) {
			return 0
		}
		return c
	}, func(i int) string { return all[i].name() })
	for _, odd := range in.odd {
		o.Warn(errors.New(odd))
	}
	for i, n := range in.chain {
		all[n].by = in.by[i]
		chain = append(chain, all[n])
	}
	for _, n := range in.alone {
		alone = append(alone, all[n])
	}
	return chain, alone
}

// name tells of a store in words.
func (f *found) name() string {
	switch {
	case f.Live != nil:
		return fmt.Sprintf("vss%d", f.Index)
	case !f.ID.IsZero():
		return fmt.Sprintf("store {%v}", f.ID)
	}
	return fmt.Sprintf("the store at 0x%x", firstOf(f.Header, f.List, f.Current))
}

var (
	errMissing = errors.New("nothing proves that no other snapshot was between this one and the next")
	errDeleted = errors.New("it was deleted, and nothing was copied after that")
)

// stack makes a stack of stores in order.
func (o *opener) stack(stores []*found) (*Stack, error) {
	s := &Stack{opts: o.Options, now: o.now, stores: stores, ordinal: map[int]int{}}
	list := make([]diffstore.Store, len(stores))
	for i, f := range stores {
		s.ordinal[f.Index] = i
		f.Gap = o.gap(stores, i)
		list[i] = f.Store
	}
	vss, err := diffstore.OpenStack(o.Volume, list, diffstore.Options{Warn: o.Warn, Progress: o.Progress, Context: o.Context})
	if err != nil {
		return nil, err
	}
	if of := vss.ImageOf(); of != nil {
		return nil, fmt.Errorf("the volume is the block image of snapshot %d: deleted ones cannot be told from it: %w", of.Index, layer.ErrUnsupported)
	}
	s.vss = vss
	bare := make([]func() (*diffstore.View, error), len(stores))
	for i := range stores {
		bare[i] = sync.OnceValues(vss.Snapshots()[i].Bare)
	}
	s.bare = func(i int) (*diffstore.View, error) { return bare[i]() }
	s.barriers(o.runs)
	for i := range stores {
		s.views = append(s.views, &View{stack: s, at: i, show: o.Show})
		s.witnesses = append(s.witnesses, sync.OnceValues(func() (*Witness, error) { return o.Witness(&View{stack: s, at: i, show: min(o.Show, Agreed)}) }))
	}
	return s, nil
}

// gap says why copies may have ended before the next store was made, nil when they did not.
func (o *opener) gap(stores []*found, i int) error {
	f := stores[i]
	if i == len(stores)-1 {
		if f.Live != nil && f.Live.Gap() == nil && o.Whole {
			return nil
		}
		return errDeleted
	}
	next := stores[i+1]
	switch {
	case f.Live != nil && next.Live != nil && o.Whole && next.Live.Position == f.Live.Position+1:
		return nil
	case next.unique && next.link.Follows(f.link):
		return nil
	}
	return errMissing
}

// barriers finds where copies are missing, and how far those that there are reach.
func (s *Stack) barriers(runs []recordRun) {
	n := len(s.stores)
	s.ends, s.damaged = make([]until, n), make([]error, n)
	s.next, s.last = make([]int, n+1), make([]int, n+1)
	made := until{from: "the records that stores keep"}
	usable := false // else the log has started anew
	for _, f := range s.stores {
		usable = usable || f.made > 0 && f.made < s.now.Newest && !s.now.Anew
	}
	for i, f := range s.stores {
		if usable {
			made.lsn = max(made.lsn, f.made)
			made.agreed = made.lsn
		}
		made.time = f.Created
		s.damaged[i] = cmp.Or(f.torn, s.vss.Snapshots()[i].ListDamage())
		s.ends[i] = made
		if f.Gap != nil && s.damaged[i] == nil && i == n-1 && usable {
			s.deleted(i, runs)
		}
	}
	s.next[n] = n
	for i := n - 1; i >= 0; i-- {
		s.next[i] = s.next[i+1]
		if s.stores[i].Gap != nil || s.damaged[i] != nil {
			s.next[i] = i
		}
	}
	for i, before := 0, -1; i <= n; i++ {
		if i < n && s.next[i] == i {
			before = i
		}
		s.last[i] = before
	}
}

// deleted takes the deletion of the newest store for the end of copying, if nothing shows that it was before: no record that
// the store needed and did not copy has changed between.
func (s *Stack) deleted(i int, runs []recordRun) {
	f := s.stores[i]
	if f.remnant == nil || f.remnant.InUse || f.On != layer.Source(s.opts.Volume) || f.remnant.LSN <= s.ends[i].agreed || s.opts.unfound() {
		return
	}
	v, err := s.bare(i)
	if err != nil {
		return
	}
	made, end := f.made, f.remnant.LSN
	violated := false
	for _, r := range runs {
		for x := range v.Explain(r.Off, r.Len) {
			if x.Err != nil || x.Kind != layer.Data || x.Store == f.Index {
				continue
			}
			eachRecord(x.Extent, r, func(_ []byte, lsn uint64) { violated = violated || lsn > made && lsn < end })
		}
	}
	if !violated && made > 0 {
		s.ends[i].lsn, s.ends[i].agreed, s.ends[i].from = made, end, fmt.Sprintf("record %d", f.remnant.File&(1<<48-1))
	}
}

// unfound reports whether a file of a store is known of which nothing else was found: it may have been the newest one.
func (o *Options) unfound() bool {
	for _, p := range o.Places {
		for i := range p.Remnants {
			if r := &p.Remnants[i]; !r.InUse && !r.found {
				return true
			}
		}
	}
	return false
}

// Points returns the deleted snapshots, the oldest first.
func (s *Stack) Points() (list []*View) {
	for i, f := range s.stores {
		if f.Live == nil {
			list = append(list, s.views[i])
		}
	}
	return list
}
