package vhd

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// ErrOtherDisk says that a file was found in the parent's place whose id is not the parent's.
var ErrOtherDisk = errors.New("not the parent")

// openParent tries the paths that the child gives, relative, absolute, then the bare name in the header, and then looks for
// a file with the parent's id.
func openParent(src layer.Source, h header, env format.Env) (*format.Disk, error) {
	paths, err := parentPaths(src, h)
	if err != nil {
		env.Warn(err)
	}
	return env.Files.Parent(format.Lineage{
		Names: paths, Style: format.Windows, Check: h.isParent, ID: h.parentID.String(),
		IDs: []func(format.ID) bool{func(id format.ID) bool { return id.File == h.parentID }},
	})
}

// isParent reports why a file is not the parent.
func (h header) isParent(file layer.Source) error {
	id, err := readID(file)
	if err == nil && id.File != h.parentID {
		err = fmt.Errorf("%w: id %v, want %v", ErrOtherDisk, id.File, h.parentID)
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
