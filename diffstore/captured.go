package diffstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// captured are the given files, told apart.
type captured struct {
	catalogs []catalogFile
	stores   []*storeFile // not yet taken by a snapshot
	bad      []badFile
}

// catalogFile is a catalog that was copied out of its volume.
type catalogFile struct {
	catalog
	file   *storeFile
	damage error
}

type badFile struct {
	store wintype.GUID
	err   error
}

func openFiles(ctx context.Context, files []File, warn func(error)) *captured {
	c := &captured{}
	for _, f := range files {
		s, err := newStoreFile(ctx, f)
		switch {
		case err != nil:
			warn(err)
			c.bad = append(c.bad, badFile{s.store, err})
		case s.first.kind == typeCatalog:
			entries, damage := readCatalog(ctx, area{f.Data, s}, s.first.current, warn)
			if damage != nil {
				damage = fmt.Errorf("file %q: %w", f.Name, damage)
				warn(damage)
			}
			c.catalogs = append(c.catalogs, catalogFile{entries, s, damage})
		default:
			c.stores = append(c.stores, s)
		}
	}
	return c
}

func (c *captured) none() bool { return len(c.catalogs)+len(c.stores) == 0 }

// errs returns what was wrong with files, of all stores or of one.
func (c *captured) errs(store wintype.GUID) error {
	var errs []error
	for _, b := range c.bad {
		if store.IsZero() || b.store == store {
			errs = append(errs, b.err)
		}
	}
	return errors.Join(errs...)
}

// take returns and removes the files of a store: those with its GUID in the name, and renamed ones whose store header
// was at the same place of the volume. e is nil when no catalog has the store.
func (c *captured) take(store wintype.GUID, e *storeEntry) (files []*storeFile) {
	c.stores = slices.DeleteFunc(c.stores, func(f *storeFile) bool {
		same := e != nil && e.header != 0 && f.first.kind == typeStore && f.first.current == e.header
		if f.store == store && !store.IsZero() || same && f.store.IsZero() {
			files = append(files, f)
			return true
		}
		return false
	})
	return files
}

// entry returns the store entry that a captured catalog has, and whether the snapshot entry is in the same one, so that
// both are of one volume.
func (c *captured) entry(store wintype.GUID) (e storeEntry, local, ok bool) {
	for _, f := range c.catalogs {
		for _, e := range f.stores {
			if e.store == store {
				return e, f.has(store), true
			}
		}
	}
	return storeEntry{}, false, false
}

// has reports whether c has a snapshot entry.
func (c *catalog) has(store wintype.GUID) bool {
	return slices.ContainsFunc(c.snapshots, func(e snapshotEntry) bool { return e.store == store })
}

// of reports whether f is a catalog of the volume with header h and, as far as can be read, catalog c.
func (f *catalogFile) of(h Header, c catalog) bool {
	if len(c.snapshots) == 0 {
		return h.Catalog == 0 || h.Catalog == f.file.first.current
	}
	return slices.ContainsFunc(f.snapshots, func(e snapshotEntry) bool { return c.has(e.store) })
}

// point is a snapshot to be.
type point struct {
	snapshotEntry
	strange bool         // not in the catalog that the volume has now
	orphan  bool         // no catalog has its snapshot entry
	files   []*storeFile // set when no catalog has it at all
}

// points returns the snapshots of the volume's own catalog and, of captured ones, those that belong below or among
// them, and apart those of captured catalogs that have been deleted since, above or between. Captured catalogs that
// fill what is damaged make whole true.
func (c *captured) points(v *Volume, own catalog) (stack, deleted []point, whole bool) {
	whole = v.damage == nil && len(own.snapshots) > 0
	rules, have := whole, map[wintype.GUID]bool{}
	lowest := ^uint64(0)
	for _, e := range own.snapshots {
		stack = append(stack, point{snapshotEntry: e})
		have[e.store], lowest = true, min(lowest, e.position)
	}
	for _, f := range c.catalogs {
		if !f.of(v.header, own) {
			if f.file.Listed {
				continue // the volume may hold other things of others
			}
			v.warn(fmt.Errorf("file %q: catalog at 0x%x is of another volume; its snapshots are not used", f.file.Name, f.file.first.current))
			continue
		}
		whole = whole || f.damage == nil && len(f.snapshots) > 0
		for _, e := range f.snapshots {
			p := point{snapshotEntry: e, strange: true}
			switch {
			case have[e.store]:
				continue
			case rules && e.position >= lowest:
				deleted = append(deleted, p)
			default:
				stack = append(stack, p)
			}
			have[e.store] = true
		}
	}
	return stack, deleted, whole
}

// recovered returns the stores that are in no catalog, those of other volumes left out.
func (c *captured) recovered(v *Volume, own catalog, o *orphans) (found []point) {
	for len(c.stores) > 0 {
		f := c.stores[0]
		files := c.take(f.store, &storeEntry{header: f.first.current})
		if len(files) == 0 { // renamed, and without header
			files, c.stores = c.stores[:1:1], c.stores[1:]
		}
		if slices.ContainsFunc(own.stores, f.is) {
			continue // the diff area of another volume
		}
		if slices.ContainsFunc(v.Snapshots(), func(s *Snapshot) bool { return f.is(s.entry) }) {
			v.warn(fmt.Errorf("file %q: another file of a store that a catalog has; not used", f.Name))
			continue
		}
		if err := v.owns(area{f.Data, f}, f.entry()); err != nil {
			v.warn(fmt.Errorf("file %q: %w; not used", f.Name, err))
			continue
		}
		p := point{snapshotEntry: snapshotEntry{store: f.store}, strange: true, orphan: true, files: files}
		if o.votes(o.probe(p)) < 0 {
			v.warn(fmt.Errorf("file %q: what it keeps is of another volume; not used", f.Name))
			continue
		}
		found = append(found, p)
	}
	return found
}

// known reports whether f may be of the store of one of the snapshots, or of one that a captured catalog has.
func (c *captured) known(f *storeFile, snapshots []point) bool {
	return slices.ContainsFunc(snapshots, func(p point) bool { return p.store == f.store }) ||
		slices.ContainsFunc(c.catalogs, func(o catalogFile) bool { return slices.ContainsFunc(o.stores, f.is) })
}

// is reports whether f may be of the store of e.
func (f *storeFile) is(e storeEntry) bool {
	return e.store == f.store && !f.store.IsZero() || f.first.kind == typeStore && f.first.current == e.header
}

// settle finds where the store of s is (rules 2 and 3). trust says that the volume may be read for a store that its own
// catalog does not have.
func (c *captured) settle(s *Snapshot, p point, trust bool, local map[wintype.GUID]storeEntry, foreign func() (storage, error)) {
	files := p.files
	if files == nil {
		s.entry, s.storage, s.lost = s.vol.locate(p.store, local, foreign)
		if s.lost != nil {
			c.adopt(s, foreign)
		}
		known := &s.entry
		if s.entry == (storeEntry{}) {
			known = nil
		}
		files = c.take(p.store, known)
	}
	if p.strange && !trust {
		s.storage = nil
	}
	if s.storage != nil {
		volume := area{src: s.storage}
		if volume.valid(s.entry) {
			s.areas = append(s.areas, volume)
		} else {
			_, err := volume.place("block list", s.entry.list)
			s.lost = cmp.Or(err, layer.Corrupt("store entry", 0, "no block list"))
		}
	}
	captured := s.captured(files, p)
	if p.strange {
		s.areas = append(captured, s.areas...)
	} else {
		s.areas = append(s.areas, captured...)
	}
	s.settleLost(c, p)
}

// captured returns the files that have the block list; the first may have to say where it is.
func (s *Snapshot) captured(files []*storeFile, p point) (areas []area) {
	for _, f := range files {
		a := area{f.Data, f}
		if len(s.areas) > 0 || a.valid(s.entry) { // on a volume nothing more is known until it is read
			areas = append(areas, a)
		} else if e := f.entry(); f.store == p.store && a.valid(e) {
			e.file = s.entry.file
			s.entry, areas = e, append(areas, a)
		} else {
			s.lost = errors.Join(s.lost, fmt.Errorf("file %q: no block list", f.Name))
		}
	}
	return areas
}

// adopt takes the store entry of s from a captured catalog.
func (c *captured) adopt(s *Snapshot, foreign func() (storage, error)) {
	e, here, ok := c.entry(s.StoreID)
	if !ok {
		return
	}
	s.entry = e
	if here {
		s.storage, s.lost = s.vol.base, nil
	} else if f, err := foreign(); err == nil {
		s.storage, s.lost = f.src, nil
	}
}

// settleLost says why a store cannot be read, or that it can.
func (s *Snapshot) settleLost(c *captured, p point) {
	if len(s.areas) > 0 {
		if s.lost = nil; p.strange && s.areas[0].file == nil {
			s.Damage = errors.New("only a captured catalog has the snapshot: if it was deleted, what it kept may have been overwritten")
		}
		return
	}
	if s.lost == nil {
		s.lost = errors.New("deleted since its catalog was captured: pass its store file too")
	}
	if !p.store.IsZero() {
		if bad := c.errs(p.store); bad != nil {
			s.lost = errors.Join(s.lost, bad)
		}
	}
}
