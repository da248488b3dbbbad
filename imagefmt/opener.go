package imagefmt

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/raw"
)

// opener opens the files of one image and remembers them.
type opener struct {
	ctx      context.Context
	folder   Folder
	warn     func(error)
	progress layer.Progress
	opened   []openedFile
	layers   []Layer

	zeroBad  bool                 // as Options says
	tries    int                  // of opening a file
	snapshot string               // the internal snapshot of the image itself to show, "" for none
	vdis     map[string][]vdiFile // by directory
}

type openedFile struct {
	File
	name string // in the folder
}

// warnAt returns what a format warns with; it names the file unless that is the image itself.
func (o *opener) warnAt(at place) func(error) {
	return func(err error) {
		if o.warn == nil {
			return
		}
		if at.depth > 0 {
			err = fmt.Errorf("%s: %w", path.Base(at.name), err)
		}
		o.warn(err)
	}
}

// rewind closes all files but the first n.
func (o *opener) rewind(n int) error {
	var errs []error
	for _, f := range o.opened[n:] {
		errs = append(errs, f.Close())
	}
	o.opened = o.opened[:n]
	o.layers = slices.DeleteFunc(o.layers, func(l Layer) bool { return l.files > n })
	return errors.Join(errs...)
}

// disk opens the image at a place, whatever its format, and returns the name of the format. Errors do not name the
// place itself.
func (o *opener) disk(at place) (layer.Source, string, error) {
	src, split, err := o.joined(at)
	if err != nil {
		return nil, "", err
	}
	if src.Size() == 0 {
		return nil, "", fmt.Errorf("is empty: %w", layer.ErrFormat)
	}
	src, packer, err := o.unpack(src, at)
	if err != nil {
		return nil, "", err
	}
	f, err := probe(src)
	if err != nil {
		return nil, "", err
	}
	f.name = packer + f.name
	if f.open == nil {
		return nil, "", fmt.Errorf("%s: %w", f.name, layer.ErrUnsupported)
	}
	disk, err := f.open(o, src, at)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", f.name, err)
	}
	if split {
		f.name = "split " + f.name
	}
	o.keep(at, f.name, disk)
	return disk, f.name, nil
}

// joined opens the file at a place, with the parts that follow when it is the first of a split image.
func (o *opener) joined(at place) (src layer.Source, split bool, err error) {
	names, err := parts(o.folder, at.name, o.warnAt(at))
	if err != nil {
		return nil, false, err
	}
	if len(names) == 1 {
		src, err := o.file(at.name)
		return src, false, err
	}
	if len(names) > maxTries {
		return nil, false, fmt.Errorf("%d parts, want %d at most: %w", len(names), maxTries, layer.ErrUnsupported)
	}
	var files []layer.Source
	for _, name := range names {
		f, err := o.file(name)
		if err != nil {
			return nil, false, fmt.Errorf("part %s: %w", path.Base(name), err)
		}
		files = append(files, f)
	}
	src, err = raw.Join(files)
	return src, true, err
}

// file opens a file that is not open already. Errors do not name it.
func (o *opener) file(name string) (layer.Source, error) {
	if o.tries++; o.tries > maxTries {
		return nil, fmt.Errorf("more than %d files were tried: %w", maxTries, layer.ErrUnsupported)
	}
	if o.ctx.Err() != nil {
		return nil, context.Cause(o.ctx)
	}
	f, err := o.folder.Open(name)
	if err != nil {
		return nil, err
	}
	for _, other := range o.opened {
		if other.Same(f) {
			return nil, errors.Join(fmt.Errorf("is %s, which is open already: the image needs itself: %w", path.Base(other.name), layer.ErrCorrupt), f.Close())
		}
	}
	o.opened = append(o.opened, openedFile{f, name})
	if h, ok := f.(*hostFile); ok {
		return h.File, nil
	}
	return f, nil
}

// warnNamed tells of a file without a magic that has the name of an image of some format: most often its start or its
// end is lost.
func (o *opener) warnNamed(at place) {
	switch ext := strings.ToLower(path.Ext(at.name)); ext {
	case ".qcow2", ".vhd", ".avhd", ".vhdx", ".avhdx", ".vdi", ".e01", ".s01", ".ex01":
		o.warnAt(at)(fmt.Errorf("is named %s and has no mark of that format: damaged or something else, read as raw", ext))
	}
}
