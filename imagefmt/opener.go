package imagefmt

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/raw"
)

// opener opens the files of one image and remembers them.
type opener struct {
	ctx      context.Context
	formats  []format.Format
	warn     func(error)
	progress layer.Progress
	opened   []openedFile

	zeroBad  bool                      // as Options says
	given    given                     // what the user named beside the image
	tries    int                       // of opening a file
	snapshot string                    // the internal snapshot of the image itself to show, "" for none
	beside   map[folderOf][]identified // what was looked into
}

type openedFile struct {
	File
	place
}

// is reports whether a file was opened at a place.
func (f openedFile) is(at place) bool { return f.folder == at.folder && f.name == at.name }

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
	return errors.Join(errs...)
}

// disk opens the image at a place, whatever its format. Errors do not name the place itself.
func (o *opener) disk(at place) (*format.Disk, error) {
	src, split, faults, err := o.joined(at)
	if err != nil {
		return nil, err
	}
	if src.Size() == 0 {
		return nil, fmt.Errorf("is empty: %w", layer.ErrFormat)
	}
	disk, err := o.match(src, at, 0)
	if err == nil && split {
		disk.Format, disk.Faults = "split "+disk.Format, append(faults, disk.Faults...)
	}
	return disk, err
}

// match opens what is in src by the first format that matches, among the rows from a number on.
func (o *opener) match(src layer.Source, at place, from int) (*format.Disk, error) {
	row, err := o.probe(src, from)
	if err != nil {
		return nil, err
	}
	f := o.formats[row]
	if f.Open == nil {
		return nil, refuse(f.Name, f.Advice)
	}
	if o.isRaw(row) {
		if err := refuseNamed(at); err != nil {
			return nil, err
		}
		o.warnUnmarked(at)
	}
	disk, err := o.present(row, src, at)
	if err != nil && f.Name != "" {
		err = fmt.Errorf("%s: %w", f.Name, err)
	}
	return disk, err
}

// present opens what is in src by the format in a row.
func (o *opener) present(row int, src layer.Source, at place) (*format.Disk, error) {
	env := o.env(row, at)
	faults, err := []error(nil), error(nil)
	if o.isRaw(row) {
		if src, faults, err = o.rescued(src, at); err != nil {
			return nil, err
		}
	}
	env.Fault = func(err error) {
		env.Warn(err)
		faults = append(faults, err)
	}
	disk, err := o.formats[row].Open(src, env)
	if err != nil {
		return nil, err
	}
	disk.Faults = append(disk.Faults, faults...)
	if disk.Format == "" {
		disk.Format = o.formats[row].Name
	}
	disk.Name = path.Base(at.name)
	if i := slices.IndexFunc(o.opened, func(f openedFile) bool { return f.is(at) }); i >= 0 {
		disk.Modified = o.opened[i].Modified()
	}
	return &disk, nil
}

// joined opens the file at a place, with the parts that follow when it is the first of a split image.
func (o *opener) joined(at place) (src layer.Source, split bool, faults []error, err error) {
	list, err := o.partsAt(at)
	if err != nil {
		return nil, false, nil, err
	}
	if len(list) == 1 {
		src, err := o.file(at)
		return src, false, nil, err
	}
	if len(list) > maxTries {
		return nil, false, nil, fmt.Errorf("%d parts, want %d at most: %w", len(list), maxTries, layer.ErrUnsupported)
	}
	var files []raw.Part
	for _, p := range list {
		part := raw.Part{Name: path.Base(p.name)}
		if p.folder != nil {
			if part.Source, err = o.file(p); err != nil {
				return nil, false, nil, fmt.Errorf("part %s: %w", part.Name, err)
			}
		}
		files = append(files, part)
	}
	joined, faults, err := raw.Join(files)
	for _, fault := range faults {
		o.warnAt(at)(fault)
	}
	return joined, true, faults, err
}

// partsAt lists where the parts of the image at a place are: those that the user named, or those that its name leads to.
// One that is missing has no folder.
func (o *opener) partsAt(at place) (list []place, err error) {
	if at.depth == 0 && len(o.given.parts) > 0 {
		list = append(list, at)
		for _, p := range o.given.parts {
			list = append(list, o.given.place(p, 0))
		}
		return list, nil
	}
	names, err := parts(at.folder, at.name, o.warnAt(at))
	for _, p := range names {
		next := place{folder: at.folder, name: p.name, depth: at.depth}
		if !p.here {
			next.folder = nil
		}
		list = append(list, next)
	}
	return list, err
}

// file opens a file that is not open already. Errors do not name it.
func (o *opener) file(at place) (layer.Source, error) {
	if o.tries++; o.tries > maxTries {
		return nil, fmt.Errorf("more than %d files were tried: %w", maxTries, layer.ErrUnsupported)
	}
	if o.ctx.Err() != nil {
		return nil, context.Cause(o.ctx)
	}
	f, err := at.folder.Open(at.name)
	if err != nil {
		return nil, err
	}
	for _, other := range o.opened {
		if other.Same(f) {
			return nil, errors.Join(fmt.Errorf("is %s, which is open already: the image needs itself: %w", path.Base(other.name), layer.ErrCorrupt), f.Close())
		}
	}
	o.opened = append(o.opened, openedFile{f, at})
	if h, ok := f.(*hostFile); ok {
		return h.File, nil
	}
	return f, nil
}

// warnUnmarked tells of a file without any format's mark that has the name of an image, or of a part of one: most often
// its start or its end is lost, or it is not the file to open.
func (o *opener) warnUnmarked(at place) {
	ext := strings.ToLower(path.Ext(at.name))
	for row, f := range o.formats {
		env := o.env(row, at)
		if slices.Contains(f.Endings, ext) {
			env.Warn(fmt.Errorf("is named %s and has no mark of that format: damaged or something else, read as raw", ext))
		}
		if f.Part == nil {
			continue
		}
		if err := f.Part(env); err != nil {
			env.Warn(err)
		}
	}
}
