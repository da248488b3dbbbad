package imagefmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/raw"
)

// opener opens the files of one image and remembers them.
type opener struct {
	warn   func(error)
	opened []openedFile
}

type openedFile struct {
	*os.File
	path string
	info fs.FileInfo
}

// warnAt returns what a format warns with; it names the file unless that is the image itself.
func (o *opener) warnAt(at place) func(error) {
	return func(err error) {
		if o.warn == nil {
			return
		}
		if at.depth > 0 {
			err = fmt.Errorf("%s: %w", filepath.Base(at.path), err)
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
	f, err := probe(src)
	if err != nil {
		return nil, "", err
	}
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
	return disk, f.name, nil
}

// joined opens the file at a place, with the parts that follow when it is the first of a split image.
func (o *opener) joined(at place) (src layer.Source, split bool, err error) {
	paths, err := parts(at.path, o.warnAt(at))
	if err != nil {
		return nil, false, err
	}
	if len(paths) == 1 {
		src, err := o.file(at.path)
		return src, false, err
	}
	var files []layer.Source
	for _, path := range paths {
		f, err := o.file(path)
		if err != nil {
			return nil, false, fmt.Errorf("part %s: %w", filepath.Base(path), err)
		}
		files = append(files, f)
	}
	src, err = raw.Join(files)
	return src, true, err
}

// file opens an ordinary file or a block device that is not open already. Errors do not name it.
func (o *opener) file(path string) (*raw.File, error) {
	info, err := os.Stat(path) // first, because to open a FIFO is to wait for its writer
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	src, err := o.add(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	return src, nil
}

// add remembers an open file and presents it.
func (o *opener) add(f *os.File, path string) (*raw.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	for _, other := range o.opened {
		if os.SameFile(other.info, info) {
			return nil, fmt.Errorf("is %s, which is open already: the image needs itself: %w", filepath.Base(other.path), layer.ErrCorrupt)
		}
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		if size, err = deviceSize(f); err != nil {
			return nil, fmt.Errorf("size of the device: %w", cause(err))
		}
	}
	o.opened = append(o.opened, openedFile{f, path, info})
	return raw.NewFile(f, size), nil
}

// readable refuses what is neither an ordinary file nor a block device.
func readable(info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsRegular() || mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return nil
	case mode.IsDir():
		return fmt.Errorf("is a directory, want an image file or a block device: %w", layer.ErrFormat)
	case mode&fs.ModeCharDevice != 0:
		return errors.New("is a character device, want an image file or a block device")
	}
	return fmt.Errorf("is a pipe, socket or other special file (%v), want an image file or a block device", mode.Type())
}

// cause takes the path out of an error: whoever asked for the file names it.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
