package tree

import (
	"fmt"
	"path"

	"snapmount/mount/points"
)

// location gives what names the node on a command line, from any directory: IMAGE, IMAGE:VOLUME, IMAGE:VOLUME:/PATH for
// what is of all points, or IMAGE:VOLUME@POINT:/PATH. A file that no directory leads to is there by its record. What is
// made here has none, such as block images, and directories of what was deleted or lost: a command that was given one would
// take the current state for it.
func (n Node) location() ([]byte, error) {
	v, err := n.volume()
	if err != nil {
		return nil, err
	}
	image, ok := "", len(n.fs.set.Images) == 1
	if v != nil {
		image, ok = n.fs.set.Pasteable(v.Image)
	} else if ok {
		image, ok = n.fs.set.Pasteable(n.fs.set.Images[0])
	}
	switch {
	case !ok:
		return nil, ErrNoXattr
	case v == nil:
		return []byte(image), nil
	}
	return fmt.Appendf(nil, "%s:%s%s", image, v.OwnName(), n.inVolume()), nil
}

// volume is that of the node; nil above the volumes.
func (n Node) volume() (*points.Volume, error) {
	switch {
	case n.Point != nil && n.part != partItem:
		return n.Point.Volume, nil
	case n.part == partVirtual || n.part == partVirtualLink:
		if n.item.name == versionsDir.name {
			return n.item.volume, nil
		}
	case n.item.kind == itemPoint, n.item == n.fs.layout.root, n.item.parent == n.fs.layout.root && n.item.volume != nil:
		return n.item.volume, nil
	}
	return nil, ErrNoXattr // no point has what it shows, or not that alone
}

// inVolume gives the point of the node and its path.
func (n Node) inVolume() string {
	switch n.part {
	case partItem:
		if n.item.kind == itemPoint {
			return "@" + n.Point.Name + ":/"
		}
		return ""
	case partVirtual, partVirtualLink:
		if n.item.name == versionsDir.name {
			return ":" + path.Join("/", n.name)
		}
		return ""
	}
	at, err := points.DirPath(n.file)
	if at = "/" + at; err != nil {
		at = fmt.Sprintf("#%d", n.file.Ref.Record)
	}
	if n.part == partStream {
		at += ":" + n.name
	}
	return "@" + n.Point.Name + ":" + at
}
