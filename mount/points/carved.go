package points

import (
	"fmt"
	"sync"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// Carve says how deleted snapshots are looked for.
type Carve uint8

const (
	CarveOff      Carve = iota
	CarveRemnants       // by what file systems still have of their store files: fast
	CarveScan           // and by one pass over the volumes
)

// findCarved adds the snapshots that were deleted, of which stores are found on the volume or where its diff area is.
func (v *Volume) findCarved(s *Set) error {
	if s.opts.Carve == CarveOff || v.Filesystem != "ntfs" || v.Locked() != nil {
		return nil
	}
	o := carve.Options{
		Volume:    v.Block,
		Witness:   v.witnessAt,
		Recognize: v.recognize,
		Show:      s.opts.CarveShow,
		Whole:     v.Damage == nil,
		Warn:      func(err error) { s.warn(fmt.Errorf("%s: %w", v.Name, err)) },
		Progress:  s.opts.Progress.Of(v.Name),
		Context:   s.ctx,
		Taken:     func(x diffstore.Store) bool { return v.taken(s, x) },
	}
	for _, c := range s.holders(v) {
		o.Places = append(o.Places, c.place())
	}
	for _, p := range v.Snapshots() {
		if !p.Snapshot.Recovered {
			o.Live = append(o.Live, p.Snapshot)
		}
	}
	stacks, err := carve.Open(o)
	if err != nil {
		return err
	}
	v.addCarved(s, stacks)
	return nil
}

// holders are the volumes that may hold stores of v.
func (s *Set) holders(v *Volume) []*Volume {
	if c := s.storageOf(v); c != nil {
		return []*Volume{v, c}
	}
	return []*Volume{v}
}

// place tells what a volume has of deleted stores.
func (v *Volume) place() *carve.Place {
	p := &carve.Place{Volume: v.Block, Remnants: v.remnants(), Witness: v.witness}
	if v.set.opts.Carve == CarveScan {
		p.Hits = v.hits()
	}
	return p
}

// scanOnce gives the metadata blocks of VSS on the volume.
func (v *Volume) scanOnce() []carve.Hit {
	hits, copies, err := carve.Scan(v.set.ctx, v.Block, v.set.opts.Progress.Of(v.Name))
	if err != nil {
		v.set.warn(fmt.Errorf("%s: looking for deleted snapshots: %w; what was found until then is used", v.Name, err))
	}
	if copies > 0 {
		v.set.warn(fmt.Errorf("%s: %d blocks of shadow copies belong elsewhere: they are copies, and not used", v.Name, copies))
	}
	return hits
}

// witnessAt tells what the file system of the volume says of its clusters in one of its states.
func (v *Volume) witnessAt(at layer.Mapper) (*carve.Witness, error) {
	if at == v.Block {
		return v.witness()
	}
	t, err := ntfs.Open(at, ntfs.Options{Cache: v.set.cache})
	if err != nil {
		return nil, err
	}
	return witnessOf(t)
}

// taken reports whether a store is of another volume by a catalog.
func (v *Volume) taken(s *Set, x diffstore.Store) bool {
	for _, o := range s.Volumes {
		if o == v || o.header == nil {
			continue
		}
		for _, p := range o.Snapshots() {
			if p.Snapshot.Keeps(x) {
				return true
			}
		}
	}
	return x.ID != wintype.GUID{} && s.claimed(v, x.ID)
}

// addCarved puts the deleted snapshots where they belong among the others, the oldest first. What was recovered of the same
// stores without knowing when copying ended is left out.
func (v *Volume) addCarved(s *Set, stacks []*carve.Stack) {
	for _, stack := range stacks {
		for _, c := range stack.Points() {
			s.addCarvedPoint(v, c)
		}
	}
}

func (s *Set) addCarvedPoint(v *Volume, c *carve.View) {
	snap := c.Snapshot()
	name := snap.Created.UTC().Format("2006-01-02T150405Z") + "-carved"
	p := s.addPoint(v, name, snap)
	p.Carved = c
	p.Blocks = sync.OnceValues(func() (layer.Mapper, error) { return c, nil })
}
