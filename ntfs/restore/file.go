package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File gets its name when it is complete: an archive, or a receipt.
type File struct {
	*os.File
	dir        *os.Root // nil for what is written in place: a device, or a pipe
	part, name string
	replace    bool
	left       error
}

// Left is why what earlier runs, which were killed, left of the file is there still, if anything is.
func (f *File) Left() error { return f.left }

// Create makes a file that Commit gives its name. One that is there is replaced, or is ErrExists.
func Create(name string, replace bool) (*File, error) {
	if err := CheckTarget(name); err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s: is a directory, want a file", name)
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		return &File{File: f}, err
	case err == nil && !replace:
		return nil, fmt.Errorf("%s: %w", name, ErrExists)
	}
	dir, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	f := &File{dir: dir, name: filepath.Base(name), replace: replace}
	start := partOf(f.name)
	f.left = removeLeft(dir, start)
	f.part = newPart(start)
	if f.File, err = dir.OpenFile(f.part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	lock(f.File) // where the system has no locks, removeLeft has none either
	return f, nil
}

// partStem is how many bytes of a name are in that of its part.
const partStem = 200

// partOf is how the part of a file begins, so that a user can tell what it is of.
func partOf(name string) string { return name[:min(len(name), partStem)] + "." }

// removeLeft removes the parts that runs which were killed left of a file: those that no process has locked. The error is of
// what stays.
func removeLeft(dir *os.Root, start string) (err error) {
	eachName(dir, func(name string) {
		if isPart(name, start) {
			err = errors.Join(err, leftover(name, removeFree(dir, name)))
		}
	})
	return err
}

// removeFree removes a file that no process has locked. What cannot be opened is not known to be free, and stays.
func removeFree(dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := dir.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if lock(f) != nil {
		return nil
	}
	return dir.Remove(name)
}

// Again makes a second file for the same name, to be committed in place of this one, which can be read until it is aborted.
// It is nil where the file is written in place.
func (f *File) Again() (*File, error) {
	if f.dir == nil {
		return nil, nil
	}
	return Create(filepath.Join(f.dir.Name(), f.name), f.replace)
}

// Commit gives the file its name.
func (f *File) Commit() error {
	err := f.File.Close()
	if f.dir == nil {
		return err
	}
	if err == nil && !f.replace {
		if _, err2 := f.dir.Lstat(f.name); !errors.Is(err2, fs.ErrNotExist) {
			err = fmt.Errorf("%s: %w", f.name, ErrExists)
		}
	}
	if err == nil {
		err = f.dir.Rename(f.part, f.name)
	}
	if err != nil {
		err = errors.Join(err, f.dir.Remove(f.part))
	}
	return errors.Join(err, f.dir.Close())
}

// Abort removes the file.
func (f *File) Abort() error {
	err := f.File.Close()
	if f.dir == nil {
		return err
	}
	return errors.Join(err, f.dir.Remove(f.part), f.dir.Close())
}
