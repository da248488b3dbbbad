package vmdk

import (
	"errors"
	"io/fs"
	"sort"

	"snapmount/imagefmt/layer"
)

// maxJoined is how many bytes of compressed grains one step joins.
const maxJoined = 4 << 20

// extent is a range of the disk. With neither a file nor an error it is zeros.
type extent struct {
	start, end int64 // bytes, of the disk
	grains     *sparse
	flat       layer.Source
	flatOff    int64 // bytes, in flat
	err        error // why it cannot be read
}

// Size is the size of the virtual disk, in bytes.
func (d *Disk) Size() int64 { return d.size }

// CID is the content id, which changes when a disk is written to after it was closed.
func (d *Disk) CID() uint32 { return d.cid }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

// At implements layer.Mapper. Grains that follow each other in the file are one extent.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	x := &d.extents[sort.Search(len(d.extents), func(i int) bool { return d.extents[i].end > off })]
	e := layer.Extent{Off: off, Len: min(n, x.end-off)}
	switch {
	case errors.Is(x.err, fs.ErrNotExist):
		return e.Lost(layer.Missing), nil
	case x.err != nil:
		return e, x.err
	case x.grains != nil:
		return d.grain(x, e)
	case x.flat == nil:
		e.Kind = layer.Zero
		return e, nil
	}
	e.Base, e.BaseOff = x.flat, x.flatOff+off-x.start
	return e, nil
}

// grain is At for e, which lies within a sparse extent.
func (d *Disk) grain(x *extent, e layer.Extent) (layer.Extent, error) {
	s := x.grains
	in, all := e.Off-x.start, e.Len
	at, n, err := s.locate(in, e.Len)
	e.Len = n
	switch {
	case layer.IsMissing(err):
		return e.Lost(layer.Missing), nil
	case err != nil:
		return e, err
	case at.state == zero:
		e.Kind = layer.Zero
	case at.state == kept && s.packed:
		e.Base, e.BaseOff = s.unpacked, in
		for most := min(all, maxJoined); e.Len < most; e.Len += n {
			if at, n, err = s.locate(in+e.Len, most-e.Len); err != nil || at.state != kept {
				break
			}
		}
	case at.state == kept:
		e.Base, e.BaseOff = s.src, at.off
	default:
		return d.absent(e), nil
	}
	return e, nil
}

// absent is what the disk has where the file has nothing: the parent, and zeros past its end.
func (d *Disk) absent(e layer.Extent) layer.Extent {
	if d.parent != nil {
		if n := layer.Clip(d.parent.Size(), e.Off, e.Len); n > 0 {
			return layer.Extent{Off: e.Off, Len: n, Base: d.parent.Source, BaseOff: e.Off}
		}
	}
	e.Kind = layer.Zero
	return e
}
