package imagefmt

import (
	"fmt"
	"io/fs"
	"path"

	"snapmount/imagefmt/ewf"
	"snapmount/imagefmt/layer"
)

// openEWF opens an image with its segments, which lie beside each other. A later segment opens the whole image.
func openEWF(o *opener, src layer.Source, at place) (layer.Source, error) {
	n, err := ewf.SegmentNumber(src)
	if err != nil {
		return nil, err
	}
	name := path.Base(at.name)
	if n > 1 {
		if at, src, err = o.firstSegment(at, n); err != nil {
			return nil, err
		}
	}
	policy := ewf.BadChunksError
	if o.zeroBad {
		policy = ewf.BadChunksZero
	}
	return ewf.Open(src, ewf.Options{Warn: o.warnAt(at), BadChunks: policy, OpenSegment: func(n int) (layer.Source, error) {
		next, ok := ewf.SegmentName(name, n)
		if !ok {
			return nil, fmt.Errorf("what follows the name %s: %w", name, fs.ErrNotExist)
		}
		beside, err := at.windowsSibling(next)
		if err != nil {
			return nil, err
		}
		return o.file(beside.name)
	}})
}

// firstSegment opens the first segment in place of segment n, which is closed.
func (o *opener) firstSegment(at place, n int) (place, layer.Source, error) {
	fail := func(err error) (place, layer.Source, error) {
		return at, nil, fmt.Errorf("is segment %d of an image, whose first has to be opened: %w", n, err)
	}
	name, ok := ewf.SegmentName(path.Base(at.name), 1)
	if !ok || at.depth > 0 {
		return fail(layer.ErrUnsupported)
	}
	first, err := at.windowsSibling(name)
	if err != nil {
		return fail(err)
	}
	o.rewind(0)
	src, err := o.file(first.name)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", path.Base(first.name), err))
	}
	first.depth = at.depth
	return first, src, nil
}

// Evidence returns the disk of an EWF image, which can be verified and tells about its acquisition; nil for others.
func (i *Image) Evidence() *ewf.Disk {
	if len(i.layers) == 0 {
		return nil
	}
	d, _ := i.layers[0].disk.(*ewf.Disk)
	return d
}
