package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// snapshotsName is a directory in each directory of a point. It is found by name and never listed, so that recursive
// programs do not fall in. It has a link to the same directory at every other point.
const snapshotsName = ".snapshots"

// hasOthers reports whether .snapshots is there.
func hasOthers(p *points.Point) bool { return len(p.Volume.Points) > 1 }

// snapshots is .snapshots in a directory.
func (f *FS) snapshots(p *points.Point, dir *ntfs.Node) Node {
	return Node{ID: packID(idSnapshots, f.points.of(p), dir.Ref.Record), Kind: KindDir, Point: p, fs: f, part: partSnapshots, file: dir}
}

// snapshotsNumbered finds .snapshots by the record of its directory.
func (f *FS) snapshotsNumbered(p *points.Point, number uint64) (Node, error) {
	dir, err := record(p, number)
	if err != nil {
		return Node{}, err
	}
	if dir.Kind != ntfs.KindDir || !hasOthers(p) {
		return Node{}, ErrStale
	}
	return f.snapshots(p, dir), nil
}

// others lists .snapshots.
func (n Node) others() (out []child) {
	for _, p := range n.Point.Volume.Points {
		if n.leadsTo(p) {
			out = append(out, child{n.fs.layout.roots[p].name, n.same(p)})
		}
	}
	return out
}

// leadsTo reports whether another point has the directory, whatever it was called. Damage is seen through the link.
func (n Node) leadsTo(p *points.Point) bool {
	if p == n.Point || n.fs.layout.roots[p] == nil {
		return false
	}
	_, err := n.Point.Same(n.file, p)
	return !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrStale)
}

// sameNamed finds a link in .snapshots.
func (n Node) sameNamed(name string) (Node, error) {
	for _, p := range n.Point.Volume.Points { // only the point asked for is opened
		if root := n.fs.layout.roots[p]; root != nil && root.name == name && n.leadsTo(p) {
			return n.same(p), nil
		}
	}
	return Node{}, fs.ErrNotExist
}

// same is the link in .snapshots that leads to point p.
func (n Node) same(p *points.Point) Node {
	place, point, record := uint64(slices.Index(p.Volume.Points, p)), n.fs.points.of(n.Point), n.file.Ref.Record
	n.Kind, n.part, n.other = KindLink, partSame, p
	if n.ID = packID(idSame, point, place<<sameRecordBits|record); place >= 1<<placeBits || record >= 1<<sameRecordBits {
		n.ID = n.fs.table.id(named{part: partSame, point: n.Point, record: record, other: p}, fmt.Sprintf("%x\x00%x\x00%x", point, record, place))
	}
	return n
}

// sameNumbered finds a link in .snapshots by the record of the directory and the place of the other point in the volume.
func (f *FS) sameNumbered(p *points.Point, number, place uint64) (Node, error) {
	n, err := f.snapshotsNumbered(p, number)
	if err != nil {
		return Node{}, err
	}
	if all := p.Volume.Points; place < uint64(len(all)) && n.leadsTo(all[place]) {
		return n.same(all[place]), nil
	}
	return Node{}, ErrStale
}

// sameTarget is the text of a link in .snapshots.
func (n Node) sameTarget() (string, error) {
	m, err := n.Point.Same(n.file, n.other)
	if err != nil {
		return "", err
	}
	from, err := points.DirPath(n.file)
	if err != nil {
		return "", err
	}
	to, err := points.DirPath(m)
	if err != nil {
		return "", err
	}
	roots := n.fs.layout.roots
	return points.RelativeLink(path.Join(roots[n.Point].path(), from, snapshotsName), path.Join(roots[n.other].path(), to)), nil
}
