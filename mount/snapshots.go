//go:build linux || darwin || freebsd

package mount

import (
	"slices"
	"syscall"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// snapshotsName is a directory in each directory of a point. It is found by name and never listed, so that recursive
// programs do not fall in. It has a link to the same directory at every other point.
const snapshotsName = ".snapshots"

// A part is what a node is beside, or in place of, the file or directory itself.
type part uint8

const (
	partSelf      part = iota
	partStream         // a named stream
	partSnapshots      // the directory .snapshots
	partSame           // a link in it
)

// snapshots stands for .snapshots in a directory.
func snapshots(p *points.Point, dir *ntfs.Node) node {
	return node{id: nodeID(kindSnapshots, p.Number, dir.Ref.Record), point: p, file: dir, part: partSnapshots}
}

// others lists the points that .snapshots has links to.
func (f *fileSystem) others(n node) []*points.Point {
	return slices.DeleteFunc(slices.Clone(n.point.Volume.Points), func(p *points.Point) bool { return !f.leadsTo(n, p) })
}

// leadsTo reports whether another point has the directory, whatever it was called. Damage is seen through the link.
func (f *fileSystem) leadsTo(n node, p *points.Point) bool {
	if p == n.point || f.layout.RootOf(p) == nil {
		return false
	}
	_, err := n.point.Same(n.file, p)
	return err == nil || toErrno(err) != syscall.ENOENT
}

// same is the link in .snapshots that leads to point p.
func (f *fileSystem) same(n node, p *points.Point) node {
	id := f.table.id(tableKey{kind: kindSame, point: n.point.Number, ref: n.file.Ref, other: p.Number})
	return node{id: id, point: n.point, file: n.file, part: partSame, other: p}
}

// sameNamed finds a link in .snapshots.
func (f *fileSystem) sameNamed(n node, name string) (node, error) {
	for _, p := range n.point.Volume.Points { // only the point asked for is opened
		if root := f.layout.RootOf(p); root != nil && root.Name == name && f.leadsTo(n, p) {
			return f.same(n, p), nil
		}
	}
	return node{}, syscall.ENOENT
}

// target is the text of a link in .snapshots.
func (f *fileSystem) target(n node) (string, error) {
	return f.layout.SameLink(n.point, n.file, snapshotsName, n.other)
}

// snapshotsAttr is what stat shows of .snapshots and of the links in it.
func (f *fileSystem) snapshotsAttr(n node, a attr) (attr, error) {
	a.blocks = 0
	if n.part == partSnapshots {
		a.mode, a.size, a.links = syscall.S_IFDIR|0o555, 4096, 2
		return a, nil
	}
	to, err := f.target(n)
	a.mode, a.size, a.links = syscall.S_IFLNK|0o777, uint64(len(to)), 1
	return a, err
}
