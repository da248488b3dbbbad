package imagefmt

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// files are the format.Files of the file at a place.
type files struct {
	*opener
	at     place
	row    int // of the file's format
	parent int // how many files were open before a parent was looked for, -1 before that
}

// env is what the format in a row opens the file at a place in.
func (o *opener) env(row int, at place) format.Env {
	e := format.Env{
		Warn: o.warnAt(at), Progress: o.progress, Context: o.ctx, Name: path.Base(at.name), ZeroBad: o.zeroBad,
		Files: &files{opener: o, at: at, row: row, parent: -1},
	}
	if at.depth == 0 {
		e.Snapshot = o.snapshot
	}
	return e
}

// Has implements format.Files.
func (f *files) Has(name string, style format.Style) bool {
	_, err := f.at.named(name, style)
	return err == nil
}

// Open implements format.Files.
func (f *files) Open(name string, style format.Style) (layer.Source, error) {
	at, err := f.at.named(name, style)
	if err != nil {
		return nil, err
	}
	return f.file(at)
}

// Instead implements format.Files.
func (f *files) Instead(name string, style format.Style) (layer.Source, format.Env, error) {
	if f.at.depth > 0 {
		return nil, format.Env{}, layer.ErrUnsupported
	}
	at, err := f.at.named(name, style)
	if err != nil {
		return nil, format.Env{}, err
	}
	f.rewind(0)
	src, err := f.file(at)
	if err != nil {
		err = fmt.Errorf("%s: %w", path.Base(at.name), err)
	}
	at.depth = f.at.depth
	return src, f.env(f.row, at), err
}

// Parent implements format.Files.
func (f *files) Parent(name string, style format.Style, check func(layer.Source) error) (*format.Disk, error) {
	if f.parent < 0 {
		f.parent = len(f.opened)
	}
	f.rewind(f.parent)
	at, err := f.at.named(name, style)
	if err != nil {
		return nil, err
	}
	src, err := f.file(at)
	if err != nil {
		return nil, err
	}
	if err := check(src); err != nil {
		return nil, err
	}
	return f.present(f.row, src, at)
}

// Backing implements format.Files. What is said to be raw is never looked into.
func (f *files) Backing(name, want string) (*format.Disk, error) {
	at, err := f.at.named(name, format.Slashes)
	if err != nil {
		return nil, err
	}
	if last := len(f.formats) - 1; want == f.formats[last].Name {
		src, err := f.file(at)
		if err != nil {
			return nil, err
		}
		return f.present(last, src, at)
	}
	disk, err := f.disk(at)
	if err == nil && want != "" && disk.Format != want {
		return nil, fmt.Errorf("%s, want %s as the image says: %w", disk.Format, want, layer.ErrFormat)
	}
	return disk, err
}

// Known implements format.Files.
func (f *files) Known(head string) error {
	if row := f.formats[f.recognise(head, "", f.row+1)]; row.Open == nil {
		return fmt.Errorf("%s in it: %w", row.Name, layer.ErrUnsupported)
	}
	return nil
}

// Inside implements format.Files.
func (f *files) Inside(src layer.Source) (format.Disk, error) {
	disk, err := f.match(src, f.at, f.row+1)
	if err != nil {
		return format.Disk{}, err
	}
	return *disk, nil
}

// Find implements format.Files.
func (f *files) Find(conditions ...func(format.ID) bool) (string, error) {
	list, err := f.identified(f.row, f.at)
	if err != nil {
		return "", err
	}
	for _, satisfies := range conditions {
		if i := slices.IndexFunc(list, func(d identified) bool { return satisfies(d.id) }); i >= 0 {
			return list[i].name, nil
		}
	}
	return "", nil
}

// folderOf is a directory as the format in a row sees it.
type folderOf struct {
	row int
	dir string
}

// identified is a file by its name in its directory.
type identified struct {
	name string
	id   format.ID
}

// identified looks into all files beside the one at a place that have an ending of the format, once for all disks of a
// chain. What cannot be read, or is something else, is left out.
func (o *opener) identified(row int, at place) ([]identified, error) {
	key := folderOf{row, path.Dir(at.name)}
	if list, ok := o.beside[key]; ok {
		return list, nil
	}
	names, err := at.folder.List(key.dir)
	if err != nil {
		return nil, err
	}
	var list []identified
	tries := 0
	for _, name := range names {
		if !slices.Contains(o.formats[row].Endings, strings.ToLower(path.Ext(name))) {
			continue
		}
		if tries++; tries > maxTries {
			break
		}
		if id, err := identify(at.folder, path.Join(key.dir, name), o.formats[row]); err == nil {
			list = append(list, identified{name, id})
		}
	}
	o.beside[key] = list
	return list, nil
}

func identify(folder Folder, name string, f format.Format) (id format.ID, err error) {
	file, err := folder.Open(name)
	if err != nil {
		return id, err
	}
	id, err = f.ID(file)
	return id, errors.Join(err, file.Close())
}
