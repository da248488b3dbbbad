package imagefmt

import (
	"fmt"
	"path"

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

// Backing implements format.Files. What is said to be raw is never looked into.
func (f *files) Backing(name, want string) (*format.Disk, error) {
	at, err := f.backingPlace(name)
	if err != nil {
		return nil, err
	}
	if last := len(f.formats) - 1; want == f.formats[last].Name {
		src, err := f.file(at)
		if err != nil {
			return nil, err
		}
		disk, err := f.present(last, src, at)
		if err == nil {
			f.warnNewer(disk)
		}
		return disk, err
	}
	disk, err := f.disk(at)
	if err != nil {
		return nil, inChain(at, err)
	}
	if want != "" && disk.Format != want {
		return nil, fmt.Errorf("%s, want %s as the image says: %w", disk.Format, want, layer.ErrFormat)
	}
	f.warnNewer(disk)
	return disk, nil
}

// Known implements format.Files.
func (f *files) Known(head string) error {
	if row := f.formats[f.recognise(head, "", f.row+1)]; row.Open == nil {
		return refuse(row.Name+" in it", row.Advice)
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
