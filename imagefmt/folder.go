package imagefmt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/raw"
)

// Folder is where the files of an image are: a folder of this machine, or one of a file system that is in another
// image. Names are below it, with "/" between their elements. Errors do not name the file that was asked for.
type Folder interface {
	// Open opens a file. It wraps fs.ErrNotExist when there is none, and layer.ErrFormat for a directory.
	Open(name string) (File, error)
	// List returns the names in a directory, "." for the folder itself. Those of directories end with "/".
	List(dir string) ([]string, error)
	// Path is how users call the file of a name.
	Path(name string) string
}

// File is an open file of a Folder.
type File interface {
	layer.Source
	io.Closer
	// Same reports whether both are one file, under whatever names.
	Same(File) bool
}

// hostFolder is a folder of this machine.
type hostFolder struct {
	dir   string
	force bool // opens what is in use too
}

// hostFile is an ordinary file or a block device. The leaf is the raw.File in it.
type hostFile struct {
	*raw.File
	info fs.FileInfo
}

func (d hostFolder) Path(name string) string {
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

func (d hostFolder) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(d.Path(dir))
	if err != nil {
		return nil, cause(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d hostFolder) Open(name string) (File, error) {
	path := d.Path(name)
	info, err := os.Stat(path) // first, because to open a FIFO is to wait for its writer
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	file, err := newHostFile(f)
	if at := mounted(f); err == nil && at != "" && !d.force {
		err = fmt.Errorf("is mounted for writing on %s and changes while it is read: unmount it, or use --force", at)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

// newHostFile finds the size of an open file.
func newHostFile(f *os.File) (*hostFile, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		if size, err = deviceSize(f); err != nil {
			return nil, fmt.Errorf("size of the device: %w", cause(err))
		}
	}
	return &hostFile{raw.NewFile(f, size), info}, nil
}

// Close closes the file.
func (f *hostFile) Close() error { return f.File.File().Close() }

// Same compares devices and inode numbers.
func (f *hostFile) Same(other File) bool {
	o, ok := other.(*hostFile)
	return ok && os.SameFile(f.info, o.info)
}

// readable refuses what is neither an ordinary file nor a block device.
func readable(info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsRegular() || mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0:
		return nil
	case mode.IsDir():
		return fmt.Errorf("is a directory, want an image file or a block device: %w", layer.ErrFormat)
	case mode&fs.ModeCharDevice != 0:
		return errors.New("is a character device, want an image file or a block device")
	}
	return fmt.Errorf("is a pipe, socket or other special file (%v), want an image file or a block device", mode.Type())
}

// cause takes the path out of an error: whoever asked for the file names it.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
