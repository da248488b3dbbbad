package imagetest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// Files are format.Files in which a function says what a name leads to. Every disk is of one format.
type Files struct {
	Format format.Format
	Get    func(name string) (layer.Source, error)
	Beside []string    // what Find looks through
	Warn   func(error) // of parents; may be nil
}

// InMemory gives files by their names, each time as a new Source.
func InMemory(files map[string][]byte) func(name string) (layer.Source, error) {
	return func(name string) (layer.Source, error) {
		b, ok := files[name]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return bytes.NewReader(b), nil
	}
}

// InFolder gives the files of a folder.
func InFolder(t testing.TB, dir string) func(name string) (layer.Source, error) {
	return func(name string) (layer.Source, error) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			return nil, err
		}
		return testenv.Open(t, path), nil
	}
}

func (f Files) env(name string) format.Env { return format.Env{Warn: f.Warn, Name: name, Files: f} }

// Has implements format.Files.
func (f Files) Has(name string, _ format.Style) bool {
	_, err := f.Get(name)
	return err == nil
}

// Open implements format.Files.
func (f Files) Open(name string, _ format.Style) (layer.Source, error) { return f.Get(name) }

// Instead implements format.Files.
func (f Files) Instead(name string, _ format.Style) (layer.Source, format.Env, error) {
	src, err := f.Get(name)
	return src, f.env(name), err
}

// Parent implements format.Files.
func (f Files) Parent(name string, _ format.Style, check func(layer.Source) error) (*format.Disk, error) {
	src, err := f.Get(name)
	if err == nil {
		err = check(src)
	}
	if err != nil {
		return nil, err
	}
	disk, err := f.Format.Open(src, f.env(name))
	return &disk, err
}

// Find implements format.Files.
func (f Files) Find(conditions ...func(format.ID) bool) (string, error) {
	for _, satisfies := range conditions {
		for _, name := range f.Beside {
			src, err := f.Get(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", err
			}
			if id, err := f.Format.ID(src); err == nil && satisfies(id) {
				return name, nil
			}
		}
	}
	return "", nil
}

// Backing implements format.Files. One that is said to be raw is not looked into.
func (f Files) Backing(name, kind string) (*format.Disk, error) {
	if kind != "raw" {
		return f.Parent(name, format.Slashes, func(layer.Source) error { return nil })
	}
	src, err := f.Get(name)
	return &format.Disk{Source: src}, err
}

// Known implements format.Files.
func (f Files) Known(string) error { return nil }

// Inside implements format.Files.
func (f Files) Inside(src layer.Source) (format.Disk, error) { return format.Disk{Source: src}, nil }
