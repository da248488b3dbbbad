package imagefmt

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
)

// maxDepth is how many files may stand on each other.
const maxDepth = 32

// maxTries is how often a file may be opened for one image. Each of those that stand on each other can name several for
// the next one.
const maxTries = 20_000 // more than the segments of an EWF image

// place is a file of an image, by its name in the image's folder, and how many are above it.
type place struct {
	folder Folder
	name   string
	depth  int
}

// sibling finds the file that the one at p names: below its own folder as the name says, else by the name's last
// element beside it. Nothing else of the host can be reached by a name. A missing file is fs.ErrNotExist.
func (p place) sibling(name string) (place, error) { return p.find(filepath.ToSlash(name), false) }

// windowsSibling is sibling for a name from Windows: with backslashes and drives, in any case.
func (p place) windowsSibling(name string) (place, error) {
	name = strings.ReplaceAll(name, `\`, "/")
	if i := strings.LastIndexByte(name, ':'); i >= 0 { // a drive, or the scheme of a URL
		name = "/" + name[i+1:]
	}
	return p.find(name, true)
}

// find looks for a name with slashes.
func (p place) find(name string, fold bool) (place, error) {
	if p.depth >= maxDepth {
		return place{}, fmt.Errorf("more than %d files stand on each other: %w", maxDepth, layer.ErrUnsupported)
	}
	dir, base := path.Dir(p.name), path.Base(name)
	if !filepath.IsLocal(base) || base == "." {
		return place{}, fmt.Errorf("%q is not the name of a file: %w", name, layer.ErrCorrupt)
	}
	candidates := []string{base}
	if filepath.IsLocal(filepath.FromSlash(name)) {
		candidates = []string{path.Clean(name), base}
	}
	for _, c := range candidates {
		full, err := p.exact(path.Join(dir, c), fold)
		if !errors.Is(err, fs.ErrNotExist) {
			return place{p.folder, full, p.depth + 1}, err
		}
	}
	return place{}, fmt.Errorf("%s is not beside %s: %w", base, path.Base(p.name), fs.ErrNotExist)
}

// exact returns the name of a file that is there: the one given or, with fold, one whose last element differs in case
// only.
func (p place) exact(name string, fold bool) (string, error) {
	list, err := p.folder.List(path.Dir(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, err
	case err != nil:
		return name, nil // a folder that may be entered and not be read
	}
	base := path.Base(name)
	if slices.Contains(list, base) || slices.Contains(list, base+"/") {
		return name, nil
	}
	for _, other := range list {
		if fold && strings.EqualFold(other, base) {
			return path.Join(path.Dir(name), other), nil
		}
	}
	return name, fs.ErrNotExist
}
