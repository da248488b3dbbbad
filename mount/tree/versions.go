package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

// versions makes the directories of versions/: below them each path that any point has, as a directory. That of a file
// has one entry for each content that the path had, named by the first and the last point with it.
type versions struct {
	l      *layout
	item   *item
	points []*points.Point // that are shown, oldest first
}

var versionsDir = virtual{"versions", "versions/PATH/", "each distinct version of a file, named by the points that have it",
	func(l *layout, top *item, shown []*points.Point) maker { return &versions{l, top, shown} }}

// held is what a path leads to at a point.
type held struct {
	point *points.Point
	node  *ntfs.Node
}

// at finds a path at all points. With an error, those where it could be looked up are there too.
func (m *versions) at(name string) (out []held, err error) {
	for _, p := range m.points {
		n, err2 := p.Walk(name, false)
		switch {
		case err2 == nil:
			out = append(out, held{p, n})
		case !points.Absent(err2):
			err = errors.Join(err, fmt.Errorf("%s: %w", p.Name, err2))
		}
	}
	return out, err
}

// list gives the names that dir has at any point, as the newest of them has it, and the versions of the files that were
// called dir.
func (m *versions) list(dir string) ([]found, error) {
	nodes, err := m.at(dir)
	if len(nodes) == 0 {
		if err == nil {
			err = fmt.Errorf("%q: %w", dir, fs.ErrNotExist)
		}
		return nil, err
	}
	var out []found
	seen := map[string]bool{}
	var newer *ntfs.Node // whose entries were taken last
	for _, h := range slices.Backward(nodes) {
		if h.node.Kind != ntfs.KindDir || newer != nil && newer.Ref == h.node.Ref && newer.SameContentIn(h.node.Tree()) {
			continue
		}
		newer = h.node
		if err := h.node.Tree().QuickCensus(m.l.ctx); err != nil {
			return nil, err
		}
		var here []string // names that differ in case only are files of their own in one directory
		for e, err2 := range h.node.Entries() {
			if err2 != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", h.point.Name, err2))
				break
			}
			key := h.node.Tree().Upper(e.Name)
			if seen[key] || e.Metafile() || e.Ref.Record == h.node.Ref.Record {
				continue
			}
			here = append(here, key)
			out = append(out, found{name: points.ShownName(h.node, e.Name), dir: true})
		}
		for _, key := range here {
			seen[key] = true
		}
	}
	files, err2 := m.files(dir, nodes)
	return append(out, files...), errors.Join(err, err2)
}

func (m *versions) find(dir, name string) (found, error) {
	at, damage := path.Join(dir, name), error(nil)
	for _, p := range slices.Backward(m.points) {
		_, err := p.Walk(at, false)
		if err == nil {
			return found{name: name, dir: true}, nil
		}
		if !points.Absent(err) {
			damage = errors.Join(damage, err)
		}
	}
	nodes, err := m.at(dir)
	files, err2 := m.files(dir, nodes)
	for _, f := range files {
		if f.name == name {
			return f, nil
		}
	}
	if damage = errors.Join(damage, err, err2); damage == nil {
		damage = fs.ErrNotExist
	}
	return found{}, fmt.Errorf("%q: %w", at, damage)
}

// files gives the versions of what is no directory.
func (m *versions) files(name string, nodes []held) (out []found, err error) {
	nodes = slices.DeleteFunc(nodes, func(h held) bool { return h.node.Kind == ntfs.KindDir })
	for len(nodes) > 0 {
		n := 1
		for n < len(nodes) && sameVersion(m.l.ctx, nodes[n-1].node, nodes[n].node) {
			n++
		}
		first, last := nodes[0], nodes[n-1]
		f, err2 := m.l.leaf(m.item, name, m.interval(first.point, last.point)+extension(name), last.point, last.node)
		if nodes, err = nodes[n:], errors.Join(err, err2); err2 == nil {
			out = append(out, f)
		}
	}
	return out, err
}

// interval names the points from first to last.
func (m *versions) interval(first, last *points.Point) string {
	a, b := m.l.roots[first].name, m.l.roots[last].name
	if a == b {
		return a
	}
	return a + ".." + b
}

// extension is that of a name, where it is short.
func extension(name string) string {
	if x := path.Ext(name); len(x) <= points.MaxExtension {
		return x
	}
	return ""
}

// sameVersion reports whether both are the same file with the same content. What cannot be read is a version of its own.
func sameVersion(ctx context.Context, a, b *ntfs.Node) bool {
	if a.Ref != b.Ref || a.Kind != b.Kind {
		return false
	}
	if a.SameContentIn(b.Tree()) {
		return true
	}
	if a.Kind == ntfs.KindSymlink && a.ReparseTag != 0 {
		x, err := a.RawReparse()
		y, err2 := b.RawReparse()
		return err == nil && err2 == nil && bytes.Equal(x, y)
	}
	x, err := a.Stream("")
	y, err2 := b.Stream("")
	if err != nil || err2 != nil {
		return false
	}
	same, _, err := compare.SameContent(ctx, x, y)
	return same && err == nil
}
