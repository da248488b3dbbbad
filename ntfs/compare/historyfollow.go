package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"snapmount/ntfs"
)

// state is a file at one moment.
type state struct {
	node    *ntfs.Node
	same    bool       // its records are proven to be those of the state before
	links   []hardLink // sorted
	shown   hardLink
	path    string
	streams []ntfs.StreamInfo // that count
}

// A follower tells the versions of one file, moment by moment.
type follower struct {
	h    *history
	f    *file
	rows []Version
	last *state // at the latest moment of which it is known; nil when it was not there
	own  int    // versions so far
	gone bool   // it is known of a moment before that the file was not there
}

// follow tells the versions of a file, at as many moments as ctx leaves.
func (h *history) follow(f *file) []Version {
	w := &follower{h: h, f: f}
	for i, m := range h.moments {
		if h.ctx.Err() != nil {
			break
		}
		t, err := m.Tree()
		if err != nil {
			if f.main { // else the versions of the directory tell
				w.unknown(i, err)
			}
			continue
		}
		if w.unchanged(i, t) {
			w.join(i, w.last, ByExtents)
			continue
		}
		s, err := h.stateAt(i, t, f, w.last)
		switch {
		case err != nil:
			w.unknown(i, err)
		case s != nil:
			w.present(i, s)
		default:
			w.absent(i)
		}
	}
	return w.rows
}

// unchanged reports whether the places of all that the file is made of prove it to be as before: most files at most
// moments, for which nothing is decoded then.
func (w *follower) unchanged(i int, t *ntfs.Tree) bool {
	if w.last == nil || w.f.main && len(w.last.links) != 1 {
		return false
	}
	return w.last.node.SameContentIn(t) && (!w.f.main || w.h.path(i, w.last.shown) == w.last.path)
}

// add appends a row for one moment.
func (w *follower) add(v Version) {
	v.Ref, v.Stream, v.Last, v.file = w.f.ref, w.h.stream, v.First, w.f
	w.rows = append(w.rows, v)
}

// extend makes moment i part of the row before, if that ends just there and is like it.
func (w *follower) extend(i int, like func(v *Version) bool) bool {
	k := len(w.rows) - 1
	if k < 0 || w.h.opts.Every || w.rows[k].Last != i-1 || !like(&w.rows[k]) {
		return false
	}
	w.rows[k].Last = i
	return true
}

// path is the last one known.
func (w *follower) path() string {
	switch k := len(w.rows) - 1; {
	case k >= 0:
		return w.rows[k].Path
	case w.f.main:
		return w.h.location()
	}
	return ""
}

func (w *follower) unknown(i int, err error) {
	if !w.extend(i, func(v *Version) bool { return v.own == 0 && v.Err != nil && v.Err.Error() == err.Error() }) {
		w.add(Version{First: i, Path: w.path(), Events: []Event{EventUnknown}, Err: err})
	}
}

func (w *follower) absent(i int) {
	w.gone = true
	if w.own == 0 {
		return
	}
	if !w.extend(i, func(v *Version) bool { return v.own == 0 && v.Err == nil }) {
		w.add(Version{First: i, Path: w.path(), Events: []Event{EventDeleted}})
	}
	w.last = nil
}

func (w *follower) present(i int, s *state) {
	c := stateChange{file: true}
	switch {
	case w.last != nil:
		if c = w.compare(w.last, s); c.same() {
			w.join(i, s, c.by)
			w.last = s
			return
		}
	case w.own > 0:
		c.add(EventReappeared)
	case w.gone:
		c.add(EventCreated)
	}
	if w.last == nil && s.node.Damage != nil {
		c.add(EventUnknown)
		c.err = s.node.Damage
	}
	replaces, reappeared := w.h.arrival(i, w.f)
	if replaces != (ntfs.Ref{}) {
		c.add(EventReplaced)
	}
	if reappeared {
		c.add(EventReappeared)
	}
	slices.Sort(c.events)
	if c.events = slices.Compact(c.events); len(c.events) > 1 && c.events[0] == EventCreated && c.events[1] <= EventReappeared {
		c.events = c.events[1:] // the other says it
	}
	if c.file {
		w.own++
	}
	v := w.row(i, s)
	v.Replaces, v.Events, v.Fields, v.OldPath, v.Err = replaces, c.events, c.fields, c.oldPath, c.err
	w.add(v)
	w.last = s
}

// row is the version of s, for one moment.
func (w *follower) row(i int, s *state) Version {
	v := Version{First: i, Path: s.path, Node: s.node, Size: s.size(w.h.stream), own: w.own, parent: s.shown.parent}
	if s == w.last && s.shown.name != "" { // as of another moment
		v.Path = w.h.path(i, s.shown)
	}
	return v
}

// join adds moment i to the version before.
func (w *follower) join(i int, s *state, by By) {
	if !w.extend(i, func(before *Version) bool {
		if before.own != w.own {
			return false
		}
		before.Joined, before.SameBy = true, max(before.SameBy, by)
		return true
	}) {
		v := w.row(i, s)
		v.Joined, v.SameBy = true, by
		w.add(v)
	}
}

// stateAt returns what the file is at a moment, nil when it is not there.
func (h *history) stateAt(i int, t *ntfs.Tree, f *file, last *state) (*state, error) {
	n, err := fileAt(t, f.ref, last.names())
	if n == nil {
		return nil, err
	}
	s, err := stateOf(n, h.stream, last)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	h.show(i, f, s, last)
	return s, nil
}

// fileAt returns the file with that reference, nil when it is not there; names are those that it had.
func fileAt(t *ntfs.Tree, ref ntfs.Ref, names []ntfs.Name) (*ntfs.Node, error) {
	n, err := t.Node(ref)
	switch {
	case err == nil && n.Ref != ref:
		return nil, nil
	case err != nil: // or the part of the $MFT that the record is in cannot be found
		return nil, gone(t, ref, names, err)
	}
	return n, nil
}

// stateOf tells what a node is, or one stream of it, which wraps fs.ErrNotExist when it is not there. last is the state
// before, or nil.
func stateOf(n *ntfs.Node, only string, last *state) (*state, error) {
	s := &state{node: n, same: last != nil && last.node.SameIn(n.Tree())}
	if err := s.setStreams(only); err != nil {
		return nil, err
	}
	return s, s.setLinks(last)
}

// gone is why it is not known that a file with these names is not there, which err says: its record may be lost, or
// directories may contradict the record of the file that has it now.
func gone(t *ntfs.Tree, ref ntfs.Ref, names []ntfs.Name, err error) error {
	state, err2 := t.RecordState(ref.Record, names)
	switch {
	case state == ntfs.RecordFree:
		return nil
	case state == ntfs.RecordInUse && errors.Is(err, ntfs.ErrStale):
		successor, err := t.NodeByNumber(ref.Record)
		if err == nil {
			err = successor.Confirm()
		}
		return err
	}
	return fmt.Errorf("%v: %w", ref, cmp.Or(err2, err))
}

// names are those that the file has in the state, which may be nil.
func (s *state) names() (out []ntfs.Name) {
	if s != nil {
		for _, l := range s.links {
			out = append(out, ntfs.Name{Parent: l.parent, Name: l.name})
		}
	}
	return out
}

// setStreams lists what streams count: all, or one, which must be there.
func (s *state) setStreams(only string) error {
	all, err := s.node.Streams()
	if err != nil {
		return fmt.Errorf("streams: %w", err)
	}
	s.streams = all
	if only != "" {
		s.streams = slices.DeleteFunc(all, func(x ntfs.StreamInfo) bool { return x.Name != only })
		if len(s.streams) == 0 {
			return fs.ErrNotExist
		}
	}
	return nil
}

func (s *state) size(stream string) int64 {
	if stream != "" {
		return s.streams[0].Size
	}
	return s.node.Size
}
