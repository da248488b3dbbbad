package imagefmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"snapmount/imagefmt/layer"
)

// maxDepth is how many files may stand on each other.
const maxDepth = 32

// place is a file of an image and how many are above it.
type place struct {
	path  string
	depth int
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
	dir, base := filepath.Dir(p.path), path.Base(name)
	if !filepath.IsLocal(base) || base == "." {
		return place{}, fmt.Errorf("%q is not the name of a file: %w", name, layer.ErrCorrupt)
	}
	candidates := []string{base}
	if local := filepath.FromSlash(name); filepath.IsLocal(local) {
		candidates = []string{local, base}
	}
	for _, c := range candidates {
		full := filepath.Join(dir, c)
		_, err := os.Stat(full)
		if errors.Is(err, fs.ErrNotExist) && fold {
			full, err = foldedName(dir, c)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return place{full, p.depth + 1}, cause(err)
		}
	}
	return place{}, fmt.Errorf("%s is not beside %s: %w", base, filepath.Base(p.path), fs.ErrNotExist)
}

// foldedName finds the file whose name differs in case only.
func foldedName(dir, local string) (string, error) {
	dir = filepath.Join(dir, filepath.Dir(local))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.EqualFold(e.Name(), filepath.Base(local)) {
			return filepath.Join(dir, e.Name()), nil
		}
	}
	return "", fs.ErrNotExist
}
