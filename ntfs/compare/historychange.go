package compare

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A stateChange is what differs between two states of a file.
type stateChange struct {
	by      By // how content was found to be the same
	events  []Event
	fields  []string
	oldPath string
	err     error // why something is not known
	brief   bool  // that something of the file differs is enough
	file    bool  // the file itself is another version, as Tally has it
}

func (c *stateChange) add(e Event) { c.events = append(c.events, e) }

func (c *stateChange) same() bool { return len(c.events) == 0 && c.err == nil }

// compare tells what differs between two states of the file. That a directory above the entries of one was renamed is
// told of that one alone.
func (w *follower) compare(a, b *state) stateChange {
	c := stateChange{by: ByExtents}
	moved := a.path != b.path && (w.f.main || a.shown != b.shown)
	if moved || !slices.Equal(a.links, b.links) {
		c.err = placed(a, b)
	}
	switch {
	case c.err != nil:
	case moved:
		c.renamed(a, b)
	case !slices.Equal(a.links, b.links):
		c.add(EventLinks)
	}
	c.file = !c.compareFile(w.h.ctx, a, b, w.h.stream) || !slices.Equal(a.links, b.links)
	if c.err != nil {
		c.add(EventUnknown)
	}
	return c
}

// compareFile adds what differs of a file but for its names, or only if one stream of it counts, of that. It reports
// whether nothing does, for sure.
func (c *stateChange) compareFile(ctx context.Context, a, b *state, only string) bool {
	if b.same && a.node.SameContentIn(b.node.Tree()) {
		return true
	}
	var err error
	if only == "" && !b.same {
		c.fields, err = changedFields(a.node, b.node)
		err = errors.Join(err, a.node.Damage, b.node.Damage)
	}
	streams, same := true, len(c.fields) == 0 && err == nil
	if same || !c.brief {
		streams = c.compareStreams(ctx, a, b)
	}
	c.err = errors.Join(c.err, err)
	if slices.ContainsFunc(c.fields, c.unexplained) {
		c.add(EventMetadata)
	}
	return same && streams
}

// placed is why other names of a file prove nothing: a directory above it is not known, or has other names.
func placed(a, b *state) error {
	for _, s := range []*state{a, b} {
		if strings.HasPrefix(s.path, unknownDir) {
			return fmt.Errorf("%v: directory %v above it cannot be had: %w", s.node.Ref, s.shown.parent, layer.ErrCorrupt)
		}
		if err := s.node.Confirm(); err != nil {
			return err
		}
	}
	return nil
}

// renamed tells how another path came about.
func (c *stateChange) renamed(a, b *state) {
	switch {
	case a.shown == b.shown:
		c.add(EventMoved)
	case slices.Contains(b.links, a.shown) || slices.Contains(a.links, b.shown): // one of both is a name in both
		c.add(EventLinks)
		return
	case a.shown.parent == b.shown.parent:
		c.add(EventRenamed)
	default:
		c.add(EventMoved)
	}
	c.oldPath = a.path
	if len(a.links) != len(b.links) {
		c.add(EventLinks)
	}
}

// unexplained reports whether no other event changes that field by itself: names that of the record's change, content
// that of its own change too.
func (c *stateChange) unexplained(field string) bool {
	switch field {
	case "changed":
		return len(c.events) == 0
	case "name_times", "short_name":
		return !slices.ContainsFunc(c.events, func(e Event) bool { return e == EventRenamed || e == EventMoved || e == EventLinks })
	case "modified":
		return !slices.Contains(c.events, EventContent) && !slices.Contains(c.events, EventStreams)
	}
	return true
}

// compareStreams compares all streams that count, by name, and reports whether they are the same.
func (c *stateChange) compareStreams(ctx context.Context, a, b *state) bool {
	all := true
	names := map[string]bool{}
	for _, s := range slices.Concat(a.streams, b.streams) {
		if names[s.Name] {
			continue
		}
		names[s.Name] = true
		same, by, err := sameStream(ctx, a, b, s.Name)
		all = all && same && err == nil
		switch {
		case err != nil:
			c.err = errors.Join(c.err, err)
		case same:
			c.by = max(c.by, by)
		case s.Name == "":
			c.add(EventContent)
		default:
			c.add(EventStreams)
		}
	}
	slices.Sort(c.events)
	c.events = slices.Compact(c.events)
	return all
}

// sameStream is SameContent of a stream of two states, each of which may lack it.
func sameStream(ctx context.Context, a, b *state, name string) (bool, By, error) {
	has := func(s *state) bool {
		return slices.ContainsFunc(s.streams, func(x ntfs.StreamInfo) bool { return x.Name == name })
	}
	if !has(a) || !has(b) {
		return false, ByRecord, nil
	}
	x, err := a.node.Stream(name)
	y, err2 := b.node.Stream(name)
	if name == "" && errors.Is(err, layer.ErrUnsupported) && errors.Is(err2, layer.ErrUnsupported) {
		// Encrypted, or left to another program: what the volume keeps may still be equal.
		x, err = a.node.Clusters()
		y, err2 = b.node.Clusters()
	}
	if err != nil || err2 != nil {
		return false, ByRecord, cmp.Or(err, err2)
	}
	return SameContent(ctx, x, y)
}

// changedFields names what of the metadata differs, but for the time of the last access and what the system counts by
// itself: USN and quota. Of names it tells those of 8.3, and the times of those
// that both have where the file itself tells of no change: some drivers copy its times there.
func changedFields(a, b *ntfs.Node) ([]string, error) {
	x, _ := a.Names() // damage is told with the node
	y, _ := b.Names()
	var out []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"kind", a.Kind == b.Kind},
		{"created", a.Times.Created == b.Times.Created},
		{"modified", a.Times.Modified == b.Times.Modified},
		{"changed", a.Times.Changed == b.Times.Changed},
		{"attributes", a.Attr == b.Attr},
		{"short_name", slices.Equal(shortNames(x), shortNames(y))},
		{"name_times", a.Times.Changed != b.Times.Changed || sameNameTimes(x, y)},
	} {
		if !f.same {
			out = append(out, f.name)
		}
	}
	var damage error
	for _, f := range []struct {
		name string
		same bool
		read func(n *ntfs.Node) ([]byte, error)
	}{
		{"permissions", a.SecurityID != 0 && a.SecurityID == b.SecurityID, (*ntfs.Node).Security},
		{"reparse", a.ReparseTag == 0 && b.ReparseTag == 0, (*ntfs.Node).RawReparse},
		{"ea", false, (*ntfs.Node).RawEA},
		{"object_id", false, rawObjectID},
		{"efs", false, (*ntfs.Node).EFS},
	} {
		if f.same {
			continue
		}
		same, err := sameValue(a, b, f.read)
		if damage = errors.Join(damage, err); err == nil && !same {
			out = append(out, f.name)
		}
	}
	return out, damage
}

func rawObjectID(n *ntfs.Node) ([]byte, error) {
	o, err := n.ObjectID()
	return o.Raw, err
}

// sameValue compares a value that each of both may lack.
func sameValue(a, b *ntfs.Node, read func(n *ntfs.Node) ([]byte, error)) (bool, error) {
	x, err := read(a)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	y, err2 := read(b)
	if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
		return false, err2
	}
	return (err == nil) == (err2 == nil) && bytes.Equal(x, y), nil
}
