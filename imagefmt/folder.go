package imagefmt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"snapmount/imagefmt/device"
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
	// Above is the folder that a directory of this one lies in, where that is not below this one; nil for none.
	Above(dir string) Folder
	// Outside is for a name that an image in dir has for a file which is not below the folder: absolute, or one that
	// leads up. It returns the name under which Open and List know that file, "" when there can be none, and whether
	// the user allows to open it.
	Outside(dir, name string) (full string, allowed bool)
}

// File is an open file of a Folder.
type File interface {
	layer.Source
	io.Closer
	// Modified is when it was last written to, the zero time when this is not known.
	Modified() time.Time
	// Same reports whether both are one file, under whatever names.
	Same(File) bool
}

// hostFile is an ordinary file or a disk. The leaf is the raw.File in it.
type hostFile struct {
	*raw.File
	info fs.FileInfo
}

// newHostFile finds the size of an open file.
func newHostFile(f *os.File) (*hostFile, error) {
	info, err := device.Info(f)
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		return &hostFile{raw.NewFile(f, info.Size()), info}, nil
	}
	g, err := device.Measure(f)
	if err != nil {
		return nil, fmt.Errorf("size of the device: %w", cause(err))
	}
	return &hostFile{raw.NewDevice(f, device.NewReader(f, g), g.Size), info}, nil
}

// Modified is the time that the file system keeps; that of a device tells nothing of its content.
func (f *hostFile) Modified() time.Time {
	if !f.info.Mode().IsRegular() {
		return time.Time{}
	}
	return f.info.ModTime()
}

// Close closes the file.
func (f *hostFile) Close() error { return f.File.File().Close() }

// Same compares devices and inode numbers.
func (f *hostFile) Same(other File) bool {
	o, ok := other.(*hostFile)
	return ok && device.Same(f.info, o.info)
}

// readable refuses what is neither an ordinary file nor a disk, by its mode.
func readable(info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsRegular() || device.IsDisk(mode):
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
