package imagefmt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/text/unicode/norm"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// maxDepth is how many files may stand on each other.
const maxDepth = 512

// maxTries is how often a file may be opened for one image. Each of those that stand on each other can name several for
// the next one.
const maxTries = 20_000 // more than the segments of an EWF image

// place is a file of an image, by its name in the image's folder, and how many are above it.
type place struct {
	folder *listed
	name   string
	depth  int
}

// named finds the file that the one at p names in a style.
func (p place) named(name string, style format.Style) (place, error) {
	if style == format.Windows {
		return p.windowsSibling(name)
	}
	f, err := p.sibling(name)
	if style == format.Either && errors.Is(err, fs.ErrNotExist) {
		return p.windowsSibling(name)
	}
	return f, err
}

// sibling finds the file that the one at p names: where the name says, if that is below the image's folder or the user
// allows more, else by the name's last element beside p. Nothing else can be reached by a name. A missing file is
// fs.ErrNotExist.
func (p place) sibling(name string) (place, error) {
	name = filepath.ToSlash(name)
	return p.find(name, name, false)
}

// windowsSibling is sibling for a name from Windows: with backslashes and drives, in any case.
func (p place) windowsSibling(name string) (place, error) {
	said := strings.ReplaceAll(name, `\`, "/")
	name = said
	if i := strings.LastIndexByte(name, ':'); i >= 0 { // a drive, or the scheme of a URL
		name = "/" + name[i+1:]
	}
	return p.find(name, said, true)
}

// find looks for a name with slashes. said is the same with its drive.
func (p place) find(name, said string, fold bool) (place, error) {
	dir, base := path.Dir(p.name), path.Base(name)
	if !filepath.IsLocal(base) || base == "." {
		return place{}, fmt.Errorf("%q is not the name of a file: %w", name, layer.ErrCorrupt)
	}
	candidates, hint := []string{path.Join(dir, base)}, ""
	if below := path.Join(dir, name); !path.IsAbs(name) && filepath.IsLocal(filepath.FromSlash(below)) {
		candidates = []string{below, candidates[0]}
	} else if outside, allowed := p.folder.Outside(dir, said); allowed {
		candidates, hint = []string{outside, candidates[0]}, ", nor is there a file "+outside
	} else if outside != "" {
		hint = ", and want --allow-backing-anywhere for " + outside
	}
	for _, c := range candidates {
		full, err := p.exact(c, fold)
		if !errors.Is(err, fs.ErrNotExist) {
			at, tooDeep := p.next(p.folder, full)
			return at, cmp.Or(tooDeep, err)
		}
	}
	return place{}, fmt.Errorf("%s is not beside %s%s: %w", base, path.Base(p.name), hint, fs.ErrNotExist)
}

// next is the place of a file that the one at p stands on.
func (p place) next(folder *listed, name string) (place, error) {
	if p.depth >= maxDepth {
		return place{}, fmt.Errorf("more than %d files stand on each other: %w", maxDepth, layer.ErrUnsupported)
	}
	return place{folder, name, p.depth + 1}, nil
}

// exact returns the name of a file that is there: the one given or, with fold, one whose last element differs in case
// only.
func (p place) exact(name string, fold bool) (string, error) {
	list, err := p.folder.listing(path.Dir(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name, err
	case err != nil:
		return name, nil // a folder that may be entered and not be read
	}
	base := path.Base(name)
	if list.names[base] {
		return name, nil
	}
	if other := list.folded[folded(base)]; fold && other != "" {
		return path.Join(path.Dir(name), other), nil
	}
	return name, fs.ErrNotExist
}

// folded is the same for names that differ in case, or in how letters and accents are put together: a Mac takes them apart.
func folded(name string) string { return norm.NFC.String(strings.ToLower(norm.NFC.String(name))) }

func newListed(f Folder) *listed { return &listed{Folder: f, lists: make(map[string]*listing)} }

// listed is a Folder that lists each directory once, for the time of opening an image: that may have 15,000 segments.
type listed struct {
	Folder
	lists map[string]*listing
	up    *listed // the folder above, once it was asked for
	top   bool    // it is that of another one: what is above it is out of reach
}

// above is the folder above the one of a file's directory, nil for none: only files that are known by an identifier are
// looked for there, and never further up.
func (l *listed) above(dir string) *listed {
	if l.top {
		return nil
	}
	if l.up == nil {
		folder := l.Above(dir)
		if folder == nil {
			return nil
		}
		l.up = newListed(folder)
		l.up.top = true
	}
	return l.up
}

// listing is the names in a directory, without the "/" of directories.
type listing struct {
	names  map[string]bool
	folded map[string]string // as folded gives it; the first of those that are alike
	err    error
}

func (l *listed) listing(dir string) (*listing, error) {
	if list := l.lists[dir]; list != nil {
		return list, list.err
	}
	names, err := l.List(dir)
	list := &listing{make(map[string]bool, len(names)), make(map[string]string, len(names)), err}
	for _, name := range names {
		name = strings.TrimSuffix(name, "/")
		list.names[name] = true
		if low := folded(name); list.folded[low] == "" {
			list.folded[low] = name
		}
	}
	l.lists[dir] = list
	return list, err
}
