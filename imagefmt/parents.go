package imagefmt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// maxBelow is how many folders below that of a file are searched for its parent.
const maxBelow = 256

// Parent implements format.Files: it asks the files that the user named, then the names that the file has for its parent,
// then whatever lies beside it, below it, and in the folder above.
func (f *files) Parent(l format.Lineage) (*format.Disk, error) {
	if f.parent < 0 {
		f.parent = len(f.opened)
	}
	src, at, err := f.locate(l)
	if err != nil {
		return nil, err
	}
	disk, err := f.present(f.row, src, at)
	if err != nil {
		return nil, inChain(at, err)
	}
	f.warnNewer(disk)
	return disk, nil
}

// inChain names the file at a place in an error that names none of the chain yet.
func inChain(at place, err error) error {
	if _, ok := errors.AsType[*format.ChainError](err); ok {
		return err
	}
	return &format.ChainError{Name: path.Base(at.name), Err: err}
}

// warnNewer tells of a parent that was written to after its child: a format with identifiers says so itself.
func (f *files) warnNewer(parent *format.Disk) {
	i := slices.IndexFunc(f.opened, func(o openedFile) bool { return o.is(f.at) })
	if i < 0 || parent.Modified.IsZero() {
		return
	}
	const slow = 2 * time.Second // some file systems have no finer times
	if child := f.opened[i].Modified(); !child.IsZero() && parent.Modified.After(child.Add(slow)) {
		f.warnAt(f.at)(fmt.Errorf("%s, which it stands on, was written to later, at %s: unless that was to copy it, this disk is not as it was",
			parent.Name, parent.Modified.UTC().Format(time.RFC3339)))
	}
}

// locate opens the file of the parent.
func (f *files) locate(l format.Lineage) (src layer.Source, at place, err error) {
	var reason error
	note := func(err error) { // what was found says more than what was not
		if reason == nil || errors.Is(reason, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
			reason = err
		}
	}
	given, err := f.search(l, f.namedParents())
	if err == nil && given != nil {
		if src, err = f.candidate(*given, l); err == nil {
			return src, *given, nil
		}
	}
	if err != nil {
		note(fmt.Errorf("parent %s: %w", l.ID, err))
	}
	for _, name := range l.Names {
		if at, err = f.at.named(name, l.Style); err == nil {
			if src, err = f.candidate(at, l); err == nil {
				return src, at, nil
			}
		}
		note(fmt.Errorf("parent %q: %w", name, err))
	}
	if len(l.IDs) == 0 {
		return nil, at, reason
	}
	found, err := f.search(l, f.around()...)
	if err == nil && found != nil {
		src, err = f.candidate(*found, l)
	} else if err == nil {
		err = fmt.Errorf("no file beside %s, below it or in the folder above has this identifier: want --parent FILE: %w", path.Base(f.at.name), fs.ErrNotExist)
	}
	if err != nil {
		note(fmt.Errorf("parent %s: %w", l.ID, err))
		return nil, at, reason
	}
	if len(l.Names) > 0 {
		f.warnAt(f.at)(fmt.Errorf("the parent is not where its names lead to, but %s has its identifier", found.name))
	}
	return src, *found, nil
}

// candidate opens a file that may be the parent. What was opened before, and was not, is closed.
func (f *files) candidate(at place, l format.Lineage) (layer.Source, error) {
	f.rewind(f.parent)
	src, err := f.file(at)
	if err == nil {
		err = l.Check(src)
	}
	return src, err
}

// search finds the file that satisfies the first condition that any in these lists does. Nil is none.
func (f *files) search(l format.Lineage, lists ...func() []identified) (*place, error) {
	for _, satisfies := range l.IDs {
		for _, list := range lists {
			var found []place
			for _, d := range list() {
				if satisfies(d.id) && !(l.Alone && slices.ContainsFunc(f.opened[:f.parent], func(o openedFile) bool { return o.is(d.place) })) {
					found = append(found, d.place)
				}
			}
			switch {
			case len(found) > 1 && l.Alone:
				return nil, fmt.Errorf("%s and %s have this identifier: want --parent FILE", path.Base(found[0].name), path.Base(found[1].name))
			case len(found) > 0:
				at, err := f.at.next(found[0].folder, found[0].name)
				return &at, err
			}
		}
	}
	return nil, nil
}

// namedParents are those that the user named.
func (f *files) namedParents() func() []identified {
	return func() []identified {
		key := folderOf{row: f.row}
		if list, ok := f.beside[key]; ok {
			return list
		}
		var list []identified
		for _, name := range f.given.parents {
			at := f.given.place(name, 0)
			if id, err := identify(at, f.formats[f.row]); err == nil {
				list = append(list, identified{at, id})
			}
		}
		f.beside[key] = list
		return list
	}
}

// around are the folders in which a parent may lie: the one of the file, those in it, and the one above it.
func (f *files) around() []func() []identified {
	in := func(folder *listed, dir string) func() []identified {
		return func() []identified { return f.identified(f.row, folder, dir) }
	}
	dir := path.Dir(f.at.name)
	lists := []func() []identified{in(f.at.folder, dir)}
	names, _ := f.at.folder.List(dir) // where it cannot be read, there is nothing to find
	for _, name := range names {
		if strings.HasSuffix(name, "/") && len(lists) <= maxBelow {
			lists = append(lists, in(f.at.folder, path.Join(dir, name)))
		}
	}
	if dir != "." && !path.IsAbs(dir) {
		return append(lists, in(f.at.folder, path.Dir(dir)))
	}
	if above := f.at.folder.above(dir); above != nil {
		lists = append(lists, in(above, "."))
	}
	return lists
}

// backingPlace finds a file that is known by its name only. Of those that the user named it is the one of that name or,
// without any, the next one.
func (f *files) backingPlace(name string) (place, error) {
	base := path.Base(filepath.ToSlash(name))
	var next string
	for _, p := range f.given.parents {
		at := f.given.place(p, 0)
		if slices.ContainsFunc(f.opened, func(o openedFile) bool { return o.is(at) }) {
			continue
		}
		if filepath.Base(p) == base {
			return f.at.next(at.folder, at.name)
		}
		next = cmp.Or(next, p)
	}
	if next != "" {
		at := f.given.place(next, 0)
		return f.at.next(at.folder, at.name)
	}
	return f.at.named(name, format.Slashes)
}

// folderOf is a directory as the format in a row sees it; without a folder, the files that the user named.
type folderOf struct {
	folder *listed
	row    int
	dir    string
}

// identified is a file with what others know it by.
type identified struct {
	place
	id format.ID
}

// identified looks into all files in a directory that have an ending of the format, once for all disks of a chain. What
// cannot be read, or is something else, is left out.
func (o *opener) identified(row int, folder *listed, dir string) []identified {
	key := folderOf{folder, row, dir}
	if list, ok := o.beside[key]; ok {
		return list
	}
	f := o.formats[row]
	endings := f.Siblings
	if endings == nil {
		endings = f.Endings
	}
	names, _ := folder.List(dir)
	var list []identified
	tries := 0
	for _, name := range names {
		if !slices.Contains(endings, strings.ToLower(path.Ext(name))) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		at := place{folder: folder, name: path.Join(dir, name)}
		if id, err := identify(at, f); err == nil {
			list = append(list, identified{at, id})
		}
	}
	o.beside[key] = list
	return list
}

func identify(at place, f format.Format) (id format.ID, err error) {
	file, err := at.folder.Open(at.name)
	if err != nil {
		return id, err
	}
	id, err = f.ID(file)
	return id, errors.Join(err, file.Close())
}
