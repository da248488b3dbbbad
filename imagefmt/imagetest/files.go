package imagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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
func (f Files) Parent(l format.Lineage) (*format.Disk, error) {
	reason := fmt.Errorf("%v: %w", l, fs.ErrNotExist)
	note := func(what string, err error) {
		if errors.Is(reason, fs.ErrNotExist) && !errors.Is(err, fs.ErrNotExist) {
			reason = fmt.Errorf("parent %s: %w", what, err)
		}
	}
	names := l.Names
	if len(names) == 0 {
		names = f.beside(l, note)
	}
	for i := 0; i < len(names); i++ {
		src, err := f.Get(names[i])
		if err == nil {
			err = l.Check(src)
		}
		if err == nil {
			disk, err := f.Format.Open(src, f.env(names[i]))
			return &disk, err
		}
		note(strconv.Quote(names[i]), err)
		if i == len(l.Names)-1 {
			names = append(names, f.beside(l, note)...)
		}
	}
	return nil, reason
}

// beside finds what satisfies the first condition that anything does.
func (f Files) beside(l format.Lineage, note func(string, error)) (names []string) {
	for _, satisfies := range l.IDs {
		for _, name := range f.Beside {
			src, err := f.Get(name)
			if err != nil {
				note(l.ID, err)
			} else if id, err := f.Format.ID(src); err == nil && satisfies(id) {
				return []string{name}
			}
		}
	}
	return nil
}

// Backing implements format.Files. One that is said to be raw is not looked into.
func (f Files) Backing(name, kind string) (*format.Disk, error) {
	if kind != "raw" {
		return f.Parent(format.Lineage{Names: []string{name}, Check: func(layer.Source) error { return nil }})
	}
	src, err := f.Get(name)
	return &format.Disk{Source: src}, err
}

// Known implements format.Files.
func (f Files) Known(string) error { return nil }

// Inside implements format.Files.
func (f Files) Inside(src layer.Source) (format.Disk, error) { return format.Disk{Source: src}, nil }
