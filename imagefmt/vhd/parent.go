package vhd

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// ErrOtherDisk says that a file was found in the parent's place whose id is not the parent's.
var ErrOtherDisk = errors.New("not the parent")

// openParent tries the paths that the child gives: relative, absolute, then the bare name in the header.
func openParent(src layer.Source, h header, files format.Files) (*format.Disk, error) {
	paths, err := parentPaths(src, h)
	if len(paths) == 0 {
		return nil, errors.Join(layer.Corrupt("dynamic header", 64, "no name of the parent %v", h.parentID), err)
	}
	var errs []error
	for _, path := range paths {
		parent, err := files.Parent(path, format.Windows, h.isParent)
		if err == nil {
			return parent, nil
		}
		errs = append(errs, fmt.Errorf("parent %q: %w", path, err))
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, layer.ErrFormat) && !errors.Is(err, ErrOtherDisk) {
			return nil, errs[len(errs)-1]
		}
	}
	for _, err := range errs { // what was found says more than what was not
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, errs[0]
}

// isParent reports why a file is not the parent.
func (h header) isParent(file layer.Source) error {
	f, _, err := readFooter(file, format.Env{}.Ready())
	if err == nil && f.id != h.parentID {
		err = fmt.Errorf("%w: id %v, want %v", ErrOtherDisk, f.id, h.parentID)
	}
	return err
}

// parentPaths lists the paths of the parent, most useful first, each once. The error tells of locators that could not
// be read; the others still count.
func parentPaths(src layer.Source, h header) ([]string, error) {
	var paths []string
	var errs error
	add := func(path string) {
		for _, p := range paths {
			if p == path {
				return
			}
		}
		if path != "" {
			paths = append(paths, path)
		}
	}
	for _, code := range []string{"W2ru", "W2ku"} {
		for _, l := range h.locators {
			if l.code != code {
				continue
			}
			path, err := readLocator(src, l)
			errs = errors.Join(errs, err)
			add(path)
		}
	}
	add(h.parentName)
	return paths, errs
}

// readLocator reads a path in little-endian UTF-16.
func readLocator(src layer.Source, l locator) (string, error) {
	if l.length > maxLocator || l.offset > uint64(src.Size()) || uint64(src.Size())-l.offset < uint64(l.length) {
		return "", layer.Corrupt("parent locator", 576, "%q with %d bytes at 0x%x, want at most %d within the file",
			l.code, l.length, l.offset, maxLocator)
	}
	b := make([]byte, l.length)
	if err := layer.ReadFull(src, b, int64(l.offset)); err != nil {
		return "", fmt.Errorf("parent locator %q: %w", l.code, err)
	}
	path, _, _ := strings.Cut(wintype.DecodeUTF16(b), "\x00")
	return path, nil
}
