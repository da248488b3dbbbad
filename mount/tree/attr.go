package tree

import (
	"time"
)

// Attr is what stat shows of a node.
type Attr struct {
	// Size is how many bytes the content has, or the text of a link; 0 of directories.
	Size int64
	// Allocated is how many bytes of the volume hold the content, or the index of a directory. It is less than Size where
	// there are holes, or where content is compressed, and never for another reason.
	Allocated                            int64
	Links                                int    // hard links; 1 of directories, which tells nothing of what is in them
	Generation                           uint16 // the sequence number of the record; 0 of what is in no point
	Created, Modified, Accessed, Changed time.Time
}

// Attr returns the attributes of the node. A file whose size damage hides has none but the error.
func (n Node) Attr() (Attr, error) {
	if n.file == nil {
		return n.itemAttr(), nil
	}
	x, t := n.file, &n.file.Times
	a := Attr{Links: 1, Generation: x.Ref.Seq, Created: t.Created.Time(), Modified: t.Modified.Time(), Accessed: t.Accessed.Time(), Changed: t.Changed.Time()}
	switch {
	case n.part == partStream:
		s, err := n.info()
		a.Size, a.Allocated = s.Size, allocated(s.Size, s.Allocated, s.Resident)
		return a, err
	case n.part == partSnapshots:
		return a, nil
	case n.part == partSame:
		to, err := n.sameTarget()
		a.Size = int64(len(to))
		return a, err
	case n.Kind == KindDir:
		a.Allocated = x.Allocated
		if n, err := x.IndexAllocated(); err == nil { // else listing it gives the error
			a.Allocated = n
		}
		return a, nil
	}
	a.Size, a.Allocated, a.Links = x.Size, x.Allocated, max(x.Links, 1)
	if n.Kind == KindLink {
		if to, err := n.Point.LinkTarget(x); err == nil { // else Link gives the error
			a.Size = int64(len(to))
		}
		return a, nil
	}
	if x.Damage != nil && !x.HasData {
		return a, x.Damage
	}
	a.Allocated = allocated(x.Size, x.Allocated, x.Resident)
	return a, nil
}

// allocated lets content in its MFT record take its size: tools take a file without blocks for one big hole.
func allocated(size, clusters int64, resident bool) int64 {
	if resident {
		return size
	}
	return clusters
}

func (n Node) itemAttr() Attr {
	i := n.item
	a := Attr{Links: 1, Created: i.time, Modified: i.time, Accessed: i.time, Changed: i.time}
	switch {
	case n.part == partVirtualLink:
		a.Size = int64(len(n.link))
	case n.part == partVirtual:
	case i.kind == itemLink:
		a.Size = int64(len(i.target))
	case i.kind == itemText:
		a.Size = int64(len(i.text))
		a.Allocated = a.Size
	case i.kind == itemBlock:
		a.Size = i.point.Size()
		a.Allocated = a.Size
		if host := n.fs.host[i.point.Volume.Image]; host > 0 { // less than its size tells tools to look for holes
			a.Allocated = min(a.Size, host)
		}
	}
	return a
}

// Space is what statfs shows, in bytes.
type Space struct {
	Total, Free int64
	Files       uint64 // MFT records, used or not
}

// Space returns the size of the volume that the node belongs to, or of all of them at the top. With an error, which says
// why the rest is not known, Total is there too.
func (n Node) Space() (Space, error) {
	p := n.Point
	if p == nil && n.item.volume != nil {
		p = n.item.volume.Current()
	}
	var s Space
	if p == nil {
		for _, v := range n.fs.set.Volumes {
			s.Total += v.Partition.Len
		}
		return s, nil
	}
	s.Total = p.Size()
	t, err := p.Files()
	if err != nil {
		return s, err
	}
	s.Files = t.Records()
	s.Free, err = t.FreeBytes()
	return s, err
}
