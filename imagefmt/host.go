package imagefmt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
)

// hostFolder is a folder of this machine.
type hostFolder struct {
	dir      string
	own      string // the file that the user named: it may be a link or a device
	force    bool   // opens what is in use too
	anywhere bool   // what an image names may lie outside, and be a device
}

// hostPlace is where the file of a path is, and its name there.
func hostPlace(path string, host hostFolder) (Folder, string) {
	if device.Named(path) {
		return deviceFolder{path}, device.Base(path)
	}
	host.dir, host.own = filepath.Dir(path), filepath.Base(path)
	return host, host.own
}

// deviceFolder is where a device is that has a name and no path: nothing else is there.
type deviceFolder struct{ path string }

func (d deviceFolder) Path(string) string                 { return d.path }
func (d deviceFolder) List(string) ([]string, error)      { return nil, nil }
func (d deviceFolder) Above(string) Folder                { return nil }
func (d deviceFolder) Outside(_, _ string) (string, bool) { return "", false }

func (d deviceFolder) Open(name string) (File, error) {
	if name != device.Base(d.path) {
		return nil, fs.ErrNotExist
	}
	f, err := device.Open(d.path)
	if err != nil {
		return nil, cause(err)
	}
	file, err := newHostFile(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

func (d hostFolder) Path(name string) string {
	if path := filepath.FromSlash(name); filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(d.dir, filepath.FromSlash(name))
}

func (d hostFolder) List(dir string) ([]string, error) {
	in, path, err := d.reach(dir)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := in.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
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
	slices.Sort(names)
	return names, nil
}

func (d hostFolder) Open(name string) (File, error) {
	in, path, err := d.reach(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat(path) // first, because to open a FIFO is to wait for its writer
	if err != nil {
		return nil, cause(err)
	}
	if err := readable(info); err != nil {
		return nil, err
	}
	if !d.free(name) && !info.Mode().IsRegular() {
		return nil, errors.New("is a device that the image names, want --allow-backing-anywhere for it")
	}
	f, err := in.Open(path)
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

// Above implements Folder.
func (d hostFolder) Above(dir string) Folder {
	full, err := filepath.Abs(d.Path(dir))
	if err != nil || filepath.Dir(full) == full {
		return nil
	}
	return hostFolder{dir: filepath.Dir(full), force: d.force, anywhere: d.anywhere}
}

// Outside implements Folder.
func (d hostFolder) Outside(dir, name string) (string, bool) {
	path := filepath.FromSlash(name)
	if runtime.GOOS != "windows" && (strings.HasPrefix(name, "//") || len(name) > 1 && name[1] == ':') {
		return "", false // a share or a drive
	}
	if !filepath.IsAbs(path) {
		from, err := filepath.EvalSymlinks(d.Path(dir)) // ".." leads up from where a link leads to
		if err == nil {
			path, err = filepath.Abs(filepath.Join(from, path))
		}
		if err != nil {
			return "", false
		}
	}
	return filepath.ToSlash(path), d.anywhere
}

// access opens files below a folder only, as *os.Root does, or all that there are.
type access interface {
	Stat(name string) (fs.FileInfo, error)
	Open(name string) (*os.File, error)
	Close() error
}

type everywhere struct{}

func (everywhere) Stat(name string) (fs.FileInfo, error) { return os.Stat(name) }
func (everywhere) Open(name string) (*os.File, error)    { return device.Open(name) }
func (everywhere) Close() error                          { return nil }

// free reports whether it is the user and no image who wants to have a file opened.
func (d hostFolder) free(name string) bool { return d.anywhere || name == d.own || name == "." }

// reach returns how to open the file of a name, and its name there. Links in the folder are followed inside it only: who
// makes an image for somebody else could have put both into one archive.
func (d hostFolder) reach(name string) (access, string, error) {
	if d.free(name) {
		return everywhere{}, d.Path(name), nil
	}
	dir, err := resolved(d.dir)
	if err != nil {
		return nil, "", err
	}
	file, err := resolved(d.Path(name))
	if err != nil {
		return nil, "", err
	}
	rel, err := filepath.Rel(dir, file)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, "", fmt.Errorf("is a link to %s, outside %s: want --allow-backing-anywhere for it", file, dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "", fmt.Errorf("folder of the image: %w", cause(err))
	}
	return root, rel, nil
}

// resolved returns the absolute path of a file, without links.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	return path, cause(err)
}
