package restore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"snapmount/ntfs"
)

type fileKey struct {
	tree *ntfs.Tree
	ref  ntfs.Ref
}

// linked is a file of several names.
type linked struct {
	done chan struct{} // closed when it was tried
	path string        // of what was restored; "" when that failed
	sum  string        // of the content, in hexadecimal; "" when not known
	left int           // names that were not met yet
}

// oneOfSeveral restores a file of several names, or gives it another name where it is there already.
func (w *writer) oneOfSeveral() error {
	mine, first := w.run.linked(w.node)
	if mine {
		defer close(first.done)
		err := w.write()
		if !w.res.Aside && (err == nil || w.same || errors.Is(err, errNoMeta)) {
			first.path, first.sum = w.res.Path, w.res.SHA256
		}
		return err
	}
	<-first.done // an earlier task: it is under way
	if first.path == "" {
		return w.write()
	}
	err := w.link(first.path)
	if err == nil || w.same {
		w.res.SHA256 = first.sum
	}
	if errors.Is(err, errNoLink) {
		w.first = first.path
		w.res.Lost = append(w.res.Lost, err.Error())
		err = w.write()
	}
	return err
}

// linked returns what is known of a file of several names, and whether this is the first one of them.
func (r *run) linked(n *ntfs.Node) (bool, *linked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fileKey{n.Tree(), n.Ref}
	first, known := r.first[key]
	if !known {
		first = &linked{done: make(chan struct{}), left: n.Links}
		r.first[key] = first
	}
	if first.left--; first.left == 0 {
		delete(r.first, key)
	}
	return !known, first
}

// errNoLink says that a hard link could not be made.
var errNoLink = errors.New("hard link")

// link makes the file another name of one that was restored before, by its path. It wraps errNoLink where the target does
// not do that.
func (w *writer) link(first string) error {
	root := w.run.top.root
	w.res.Size = w.node.Size
	old, err := root.Lstat(first)
	if err != nil {
		return err
	}
	info, err := w.root.Lstat(w.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = noLink(first, root.Link(first, w.res.Path))
	case err == nil && os.SameFile(info, old):
		w.same, err = true, errSkipped
	case err == nil:
		err = w.replace(root, first)
	}
	if err == nil || w.same && w.run.opts.Resume {
		err = errors.Join(err, w.linkMeta(first))
	}
	return err
}

func noLink(first string, err error) error {
	if err != nil {
		err = fmt.Errorf("%w to %s: %w", errNoLink, first, err)
	}
	return err
}

// replace puts another name of first in the place of what is there, where that may be replaced.
func (w *writer) replace(root *os.Root, first string) error {
	content, err := w.content()
	if err != nil {
		return err
	}
	if err := w.allowed(content); err != nil {
		return err
	}
	part := partName()
	if err := root.Link(first, path.Join(w.dir.path, part)); err != nil {
		return noLink(first, err)
	}
	if err := w.root.Rename(part, w.name); err != nil {
		return errors.Join(err, w.removed(part))
	}
	return nil
}

// linkMeta gives a hard link what it has of its own: its name, and perhaps the short name.
func (w *writer) linkMeta(first string) error {
	m := &Meta{Path: w.res.Path, Name: w.res.Mapped, Type: "file", Link: first}
	if w.dir.node != nil {
		var err error
		if m.ShortName, err = shortName(w.node, w.dir.node.Ref, cmp.Or(m.Name, w.name)); err != nil {
			return fmt.Errorf("%w: %w", errNoMeta, err)
		}
	}
	lost := []string{"hard link"} // where a copy of the target may lose it
	if w.run.target.settles() {
		lost = nil
		if m.ShortName != "" {
			f, err := w.root.Open(w.name)
			if err != nil {
				return err
			}
			defer f.Close()
			lost = w.run.target.settle(f, m)
			w.res.Lost = append(w.res.Lost, lost...)
		}
	}
	return w.run.keep(m, lost)
}
