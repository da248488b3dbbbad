package ewf

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// segmentFiles finds the files of segments: by their names while those are right, else by the numbers in the files.
type segmentFiles struct {
	env      format.Env
	first    fileHeader
	gathered map[int]layer.Source // by number, once a name was not right; nil before
	numbers  []int                // of those, in order
	why      map[int]error        // why there is no segment in the file that has the name of that number
}

// start returns the first segment, given the file that the user named. That one may be any, if it has another's name.
func (f *segmentFiles) start(src layer.Source) (layer.Source, error) {
	h, err := readFileHeader(src)
	if err != nil || h.number == 1 {
		f.first = h
		return src, err
	}
	name, ok := SegmentName(f.env.Name, 1)
	if !ok || name != f.env.Name {
		if src, f.env, err = firstSegment(h.number, f.env); err != nil {
			return nil, err
		}
		f.env = f.env.Ready()
		if h, err = readFileHeader(src); err != nil || h.number == 1 {
			f.first = h
			return src, err
		}
	}
	f.first = h
	f.keep(src, h, 1)
	if err := f.gather(2); err != nil {
		return nil, err
	}
	if f.gathered[1] == nil {
		return nil, fmt.Errorf("is segment %d of an image, want its first", h.number)
	}
	return f.gathered[1], nil
}

// after returns the segment that comes after n, and its number: a larger one than n+1 where some are not there, and nil
// when there are no more.
func (f *segmentFiles) after(n int) (layer.Source, int, error) {
	if f.gathered == nil {
		src, h := f.open(n + 1)
		if h.number == n+1 {
			return src, n + 1, nil
		}
		f.keep(src, h, n+1)
		if err := f.gather(n + 2); err != nil {
			return nil, 0, err
		}
	}
	i, _ := slices.BinarySearch(f.numbers, n+1)
	if i == len(f.numbers) {
		return nil, 0, nil
	}
	return f.gathered[f.numbers[i]], f.numbers[i], nil
}

// open opens the file that has the name of segment n. It returns nil where there is none, or not one of this image.
func (f *segmentFiles) open(n int) (layer.Source, fileHeader) {
	src, err := openSegment(n, f.env)
	if err == nil {
		var h fileHeader
		if h, err = readFileHeader(src); err == nil && (h.version != f.first.version || h.set != f.first.set) {
			err = fmt.Errorf("is segment %d of another image: %w", h.number, layer.ErrCorrupt)
		}
		if err == nil {
			return src, h
		}
	}
	f.why[n] = err
	return nil, fileHeader{}
}

// gather opens all files that have the name of a segment from n on.
func (f *segmentFiles) gather(n int) error {
	for ; ; n++ {
		name, ok := SegmentName(f.env.Name, n)
		if !ok {
			f.numbers = slices.Sorted(maps.Keys(f.gathered))
			return nil
		}
		if f.env.Context.Err() != nil {
			return context.Cause(f.env.Context)
		}
		if f.env.Files.Has(name, format.Windows) {
			src, h := f.open(n)
			f.keep(src, h, n)
		}
	}
}

// keep notes what a file with the name of segment n holds.
func (f *segmentFiles) keep(src layer.Source, h fileHeader, n int) {
	if f.gathered == nil {
		f.gathered = make(map[int]layer.Source)
	}
	if src == nil {
		return
	}
	_, named := SegmentName(f.env.Name, h.number)
	switch {
	case h.number == n && f.gathered[n] != nil:
		f.env.Warn(fmt.Errorf("segment %d: there are two files of it: that with its name is used", n))
	case h.number == n:
	case !named || f.gathered[h.number] != nil:
		f.env.Warn(fmt.Errorf("the file that has the name of segment %d says that it is segment %d, and is not used", n, h.number))
		return
	default:
		f.env.Warn(fmt.Errorf("segment %d: is in the file that has the name of segment %d", h.number, n))
	}
	f.gathered[h.number] = src
}

// reason says why segment n is not there.
func (f *segmentFiles) reason(n int) error {
	if err := f.why[n]; err != nil {
		return err
	}
	return fs.ErrNotExist
}
