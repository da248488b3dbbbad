package diffstore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// maxOrphans bounds how many stores without a snapshot are looked at: Windows makes at most 512 of a volume.
const maxOrphans = 512

// orphans are stores of which no catalog has the snapshot entry: that one was lost, or is of another volume (rule 20).
type orphans struct {
	vol       *Volume
	settle    func(s *Snapshot, p point)
	recognize func(off int64, b []byte) int
	links     map[orphanKey]link
	lost      int // entries of the catalog that are: at least so many
}

type orphanKey struct {
	store  wintype.GUID
	header uint64 // of a renamed file
}

// probe returns a snapshot of p that belongs to no stack, to look at its store.
func (o *orphans) probe(p point) *Snapshot {
	size := max(o.vol.base.Size(), int64(min(p.size, uint64(maxVolume))))
	alone := &Volume{base: o.vol.base, header: o.vol.header, ctx: o.vol.ctx, span: blocks(size), warn: func(error) {}}
	s := &Snapshot{vol: alone, Recovered: true}
	s.describe(p.snapshotEntry)
	_ = s.fixSize() // told of what is used
	o.settle(s, p)
	return s
}

// newOrphans wants how a point of the volume finds its store, of which a look at one takes no files away.
func (v *Volume) newOrphans(files *captured, settle func(c *captured, s *Snapshot, p point), opts Options) *orphans {
	look := func(s *Snapshot, p point) {
		c := *files
		c.stores = slices.Clone(files.stores)
		settle(&c, s, p)
	}
	return &orphans{vol: v, settle: look, recognize: opts.Recognize, links: map[orphanKey]link{}}
}

// complete puts into the stack those of the stores found, and of the files, that prove their place there. Left are those
// of which that is not known, as far as they are of this volume or may be; newer says that one of them may be newer than
// the stack.
func (o *orphans) complete(stack, found []point, files *captured, known func(f *storeFile) bool) (all, left []point, newer bool) {
	found = append(found, files.orphanFiles(o.vol, known)...)
	if len(found) == 0 {
		return stack, nil, false
	}
	if len(stack) > 0 {
		stack, found = o.place(stack, found)
		files.stores = slices.DeleteFunc(files.stores, func(f *storeFile) bool {
			return slices.ContainsFunc(stack, func(p point) bool { return slices.Contains(p.files, f) })
		})
	}
	for _, p := range stack {
		if p.orphan && p.files == nil && p.created == 0 {
			o.lost-- // that one is found
		}
	}
	left, newer = o.ours(stack, found)
	return stack, left, newer
}

// orphanEntries returns the stores that are where a catalog says, of which it has no snapshot, nor has that of another
// volume one.
func (v *Volume) orphanEntries(own catalog, have []point, foreign func() (storage, error), claimed func(wintype.GUID) bool) (found []point) {
	all, in := own, area{src: v.base}
	if !v.header.Local() {
		s, err := foreign()
		if err != nil {
			return nil
		}
		all, in = s.catalog, area{src: s.src}
	}
	mine := func(store wintype.GUID) bool {
		return own.has(store) || all.has(store) || slices.ContainsFunc(have, func(p point) bool { return p.store == store })
	}
	taken := map[uint64]bool{0: true}
	for _, e := range all.stores {
		if mine(e.store) {
			taken[e.header], taken[e.current] = true, true
		}
	}
	for _, e := range all.stores {
		if mine(e.store) || e.store.IsZero() || taken[e.header] || taken[e.current] || !in.has(e) || claimed != nil && claimed(e.store) {
			continue
		}
		taken[e.header], taken[e.current] = true, true
		if found = append(found, own.orphan(e.store)); len(found) == maxOrphans {
			break
		}
	}
	return found
}

// has reports whether the header or the bitmap of a store is where e says.
func (a area) has(e storeEntry) bool {
	for off, kind := range map[uint64]uint32{e.header: typeStore, e.current: typeBitmap} {
		ch := chain{area: a, name: "store", kind: kind, warn: func(error) {}}
		if _, _, err := ch.read(off); err == nil {
			return true
		}
	}
	return false
}

// keptElsewhere reports whether f is of a store that the catalog of the storage volume has, if that is another one.
func (v *Volume) keptElsewhere(f *storeFile, foreign func() (storage, error)) bool {
	if v.header.Local() {
		return false
	}
	s, err := foreign()
	return err == nil && slices.ContainsFunc(s.catalog.stores, f.is)
}

// orphan makes a point of a store without a snapshot entry. What is left of one whose type is damaged is used.
func (c *catalog) orphan(store wintype.GUID) point {
	p := point{snapshotEntry: snapshotEntry{store: store}, orphan: true}
	for _, e := range c.strange {
		if e.store == store && e.created > 0 {
			p.size, p.created, p.flags = e.size, e.created, e.flags
		}
	}
	return p
}

// orphanFiles returns the stores that no catalog has at all, of the files that the file system of the volume lists.
func (c *captured) orphanFiles(v *Volume, known func(f *storeFile) bool) (found []point) {
	for _, f := range c.stores {
		same := func(p point) bool { return p.store == f.store && !f.store.IsZero() }
		if f.Listed && !known(f) && !slices.ContainsFunc(found, same) && v.owns(area{f.Data, f}, f.entry()) == nil && len(found) < maxOrphans {
			found = append(found, point{snapshotEntry: snapshotEntry{store: f.store}, strange: true, orphan: true, files: []*storeFile{f}})
		}
	}
	return found
}

// link tells of the bitmaps of a store, each read once.
func (o *orphans) link(p point) link {
	key := orphanKey{store: p.store}
	if p.files != nil {
		key.header = p.files[0].first.current
	}
	k, ok := o.links[key]
	if !ok {
		k, _ = linkOf(o.probe(p))
		o.links[key] = k
	}
	return k
}

// follows reports whether the bitmaps prove that b is the snapshot right after a.
func (o *orphans) follows(a, b point) bool {
	from, to := o.link(a), o.link(b)
	return to.known && slices.Contains(from.next[:], to.previous)
}

// place puts stores where their bitmaps prove that they belong: behind the newest, before the oldest, or in a gap. The
// rest is left.
func (o *orphans) place(stack, found []point) (placed, left []point) {
	placed, left = slices.Clone(stack), slices.Clone(found)
	slices.SortStableFunc(placed, func(a, b point) int { return cmp.Compare(a.position, b.position) })
	for i := 0; i < len(left); i++ {
		if at, position, ok := o.placeOf(placed, left[i]); ok {
			left[i].position = position
			placed = slices.Insert(placed, at, left[i])
			left = slices.Delete(left, i, i+1)
			i = -1 // it may have made a place for another one
		}
	}
	return placed, left
}

// placeOf returns where in the stack p belongs.
func (o *orphans) placeOf(stack []point, p point) (at int, position uint64, ok bool) {
	for i := range len(stack) + 1 {
		var below, above uint64 = 0, math.MaxUint64
		if i > 0 {
			below = stack[i-1].position
		}
		if i < len(stack) {
			above = stack[i].position
		}
		switch {
		case above <= below || above-below < 2:
		case i > 0 && o.follows(stack[i-1], p):
			return i, below + 1, true
		case i < len(stack) && o.follows(p, stack[i]):
			return i, above - 1, true
		}
	}
	return 0, 0, false
}

// orphaned says of a snapshot without catalog entry what is known of it, and how.
func (s *Snapshot) orphaned(p point, how string) {
	s.Recovered = true
	if p.created == 0 {
		s.Created = s.fileTime()
	}
	when := "its time is that of the file, " + s.Created.UTC().Format(time.DateTime)
	switch {
	case p.created > 0:
		when = "its time is what is left of the entry"
	case s.Created.IsZero():
		when = "its time is not known"
	}
	size := "the volume size is taken as that of now"
	if p.size > 0 {
		size = "and so is the volume size"
	}
	if p.files != nil {
		s.Damage = fmt.Errorf("store of file %q is in no catalog: %s; %s; %s", p.files[0].Name, how, when, size)
		return
	}
	s.Damage = fmt.Errorf("catalog: store %v has an entry, and its snapshot has none: %s; %s; %s", p.store, how, when, size)
}

// fileTime returns when the store file was made, as far as known.
func (s *Snapshot) fileTime() time.Time {
	for _, a := range s.areas {
		if a.file != nil && !a.file.Created.IsZero() {
			return a.file.Created
		}
	}
	return time.Time{}
}

var errNoCopies = errors.New("no catalog tells that copies were made to the end: what changed on the volume since is not known")

// markOrphans tells of entries that the catalog has lost: those of stores which may be of the volume, and whose place in
// the stack is not known, and those that were in slots now empty, which Windows never leaves behind. newer says that a store
// may be of a snapshot newer than all others.
func (v *Volume) markOrphans(left []point, newer bool, own catalog) {
	var lost error
	for _, p := range left {
		lost = errors.Join(lost, fmt.Errorf("catalog: store %v is there, and no entry of its snapshot: %w", p.store, layer.ErrCorrupt))
	}
	if n := v.unexplained(own); n > 0 {
		lost = errors.Join(lost, fmt.Errorf("catalog: %d slots before others in use are empty, of which the entries are lost: %w", n, layer.ErrCorrupt))
		newer = newer || n > 2*v.absent()
	}
	last := v.snapshots[len(v.snapshots)-1]
	switch {
	case last.orphan && last.strange:
		last.end(errNoCopies)
	case newer && last.gap == nil:
		last.gap = fmt.Errorf("a snapshot newer than all others may be lost: %w", lost)
	}
	if lost != nil {
		v.damage = errors.Join(v.damage, lost)
		v.warn(lost)
	}
}

// unexplained counts the empty slots of the catalog that had other entries than those known to be lost.
func (v *Volume) unexplained(own catalog) int {
	n := own.holes
	for _, s := range v.snapshots {
		if !own.has(s.StoreID) {
			n--
		}
		if v.header.Local() && !slices.ContainsFunc(own.stores, func(e storeEntry) bool { return e.store == s.StoreID }) {
			n--
		}
	}
	return n
}

// absent counts the stack positions that no snapshot has, up to that of the newest.
func (v *Volume) absent() (n int) {
	below := uint64(0)
	for _, s := range v.snapshots {
		if s.Position > below {
			n = int(min(uint64(n)+s.Position-below-1, maxStores))
		}
		below = s.Position
	}
	return n
}
