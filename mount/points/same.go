package points

import (
	"fmt"
	"path"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// Same finds n, a directory of point p, at another point of the volume: the same MFT record where that still is or
// already was this directory, wherever it lay then; else what has its path.
func (p *Point) Same(n *ntfs.Node, other *Point) (*ntfs.Node, error) {
	t, err := other.Files()
	if err != nil {
		return nil, err
	}
	if m, err := t.Node(n.Ref); err == nil && m.Kind == n.Kind {
		return m, nil
	}
	at, err := DirPath(n)
	if err != nil {
		return nil, err
	}
	return other.Walk(at, false)
}

// DirPath returns the path of a directory from the root of its point, which is "".
func DirPath(n *ntfs.Node) (string, error) {
	root, err := n.Tree().Root()
	if err != nil || n.Ref == root.Ref {
		return "", err
	}
	dir, err := parentDirs(n)
	if err != nil {
		return "", err
	}
	name, err := longName(n)
	if err != nil {
		return "", err
	}
	return path.Join(dir, EscapeName(name.Name)), nil
}

// SameVolume tells why two points are of two volumes, as far as these say; nil when they are of one. VSS gives a volume a
// GUID; where not both have one, the serial number and the time that $MFT was made at have to be equal.
func SameVolume(a, b *Point) error {
	x, y := a.Volume, b.Volume
	if x == y {
		return nil
	}
	if x.header != nil && y.header != nil && !x.header.VolumeGUID.IsZero() && !y.header.VolumeGUID.IsZero() {
		if x.header.VolumeGUID == y.header.VolumeGUID {
			return nil
		}
		return fmt.Errorf("VSS knows them as {%v} and {%v}", x.header.VolumeGUID, y.header.VolumeGUID)
	}
	s, err := a.Files()
	if err != nil {
		return err
	}
	t, err := b.Files()
	if err != nil {
		return err
	}
	if s.Serial() != t.Serial() {
		return fmt.Errorf("their serial numbers are %016X and %016X", s.Serial(), t.Serial())
	}
	made, made2 := formatted(s), formatted(t)
	if made != made2 {
		return fmt.Errorf("they have one serial number, and were made at %v and %v", made, made2)
	}
	return nil
}

// formatted is when $MFT was made, by its record; 0 when that does not tell.
func formatted(t *ntfs.Tree) wintype.Filetime {
	n, err := t.Node(ntfs.Ref{})
	if err != nil {
		return 0
	}
	if n.Times.Created != 0 {
		return n.Times.Created
	}
	names, _ := n.Names() // of what is damaged, what is left
	for _, x := range names {
		return x.Times.Created
	}
	return 0
}
