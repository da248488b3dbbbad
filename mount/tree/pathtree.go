package tree

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"snapmount/mount/points"
)

// A pathTree is a directory held in memory: what was found by looking through whole points.
type pathTree struct {
	dirs  map[string]*pathTree
	files map[string]found
}

// dir returns the directory at a path, made if need be.
func (t *pathTree) dir(name string) *pathTree {
	for _, word := range points.SplitPath(name) {
		if _, taken := t.files[word]; taken {
			word += "~dir"
		}
		next := t.dirs[word]
		if next == nil {
			if t.dirs == nil {
				t.dirs = map[string]*pathTree{}
			}
			next = &pathTree{}
			t.dirs[word] = next
		}
		t = next
	}
	return t
}

// add puts a file at a path, unless that is below a link to a directory. A name that is taken, by what differed in case only or had the path before, gets a number.
func (t *pathTree) add(name string, f found) {
	for dir, words := t, points.SplitPath(name); dir != nil && len(words) > 0; words = words[1:] {
		if len(words) > 1 && dir.files[words[0]].link != "" {
			return
		}
		dir = dir.dirs[words[0]]
	}
	t = t.dir(path.Dir(name))
	base := path.Base(name)
	f.name = base
	for n := 2; t.has(f.name); n++ {
		x := extension(base)
		f.name = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(base, x), n, x)
	}
	if t.files == nil {
		t.files = map[string]found{}
	}
	t.files[f.name] = f
}

func (t *pathTree) has(name string) bool {
	_, ok := t.files[name]
	return ok || t.dirs[name] != nil
}

// list is what a maker gives, of the directory at a path.
func (t *pathTree) list(dir string) ([]found, error) {
	for _, word := range points.SplitPath(dir) {
		if t = t.dirs[word]; t == nil {
			return nil, fmt.Errorf("%q: %w", dir, fs.ErrNotExist)
		}
	}
	out := slices.Collect(maps.Values(t.files))
	for name := range t.dirs {
		out = append(out, found{name: name, dir: true})
	}
	return out, nil
}

func (t *pathTree) find(dir, name string) (found, error) {
	for _, word := range points.SplitPath(dir) {
		if t = t.dirs[word]; t == nil {
			return found{}, fmt.Errorf("%q: %w", dir, fs.ErrNotExist)
		}
	}
	if f, ok := t.files[name]; ok {
		return f, nil
	}
	if t.dirs[name] != nil {
		return found{name: name, dir: true}, nil
	}
	return found{}, fmt.Errorf("%q: %w", path.Join(dir, name), fs.ErrNotExist)
}
