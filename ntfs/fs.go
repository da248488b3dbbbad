package ntfs

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"time"

	"snapmount/imagefmt/layer"
)

// FS presents the tree as an fs.FS, with ReadDir, Stat, Lstat, ReadFile and ReadLink. Links are not followed. Sys of
// a FileInfo is the *Node. Files implement io.ReaderAt and io.Seeker.
func (t *Tree) FS() fs.FS { return treeFS{t} }

type treeFS struct{ t *Tree }

func (f treeFS) node(op, name string) (*Node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	at := name
	if at == "." {
		at = ""
	}
	n, err := f.t.Lookup(at)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return n, nil
}

func (f treeFS) Open(name string) (fs.File, error) {
	n, err := f.node("open", name)
	if err != nil {
		return nil, err
	}
	info := fileInfo{path.Base(name), n}
	if n.Kind == KindDir {
		return &openDir{info: info}, nil
	}
	s, err := n.Stream("")
	if errors.Is(err, fs.ErrNotExist) { // a link to a directory has none
		s, err = resident(nil), nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{io.NewSectionReader(s, 0, s.Size()), info}, nil
}

func (f treeFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.node("readdir", name)
	if err != nil {
		return nil, err
	}
	list, err := readDir(n)
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	if err != nil {
		return list, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	return list, nil
}

func (f treeFS) Stat(name string) (fs.FileInfo, error) { return f.Lstat(name) }

func (f treeFS) Lstat(name string) (fs.FileInfo, error) {
	n, err := f.node("stat", name)
	if err != nil {
		return nil, err
	}
	return fileInfo{path.Base(name), n}, nil
}

func (f treeFS) ReadLink(name string) (string, error) {
	n, err := f.node("readlink", name)
	if err != nil {
		return "", err
	}
	if n.Kind != KindSymlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	r, err := n.Reparse()
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return r.Target, nil
}

// ReadFile reads a whole file. A sparse file that is larger than the volume has to be opened and read in parts.
func (f treeFS) ReadFile(name string) ([]byte, error) {
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, ok := file.(*openFile)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	if limit := f.t.src.Size(); r.Size() > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes in a volume of %d: %w", r.Size(), limit, layer.ErrUnsupported)}
	}
	b := make([]byte, r.Size())
	if err := layer.ReadFull(r, b, 0); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}

// readDir lists a directory in its own order.
func readDir(n *Node) ([]fs.DirEntry, error) {
	children, err := n.Children()
	list := make([]fs.DirEntry, len(children))
	for i, e := range children {
		list[i] = dirEntry{e}
	}
	return list, err
}

func modeOf(k Kind) fs.FileMode {
	switch k {
	case KindDir:
		return fs.ModeDir | 0o555
	case KindSymlink:
		return fs.ModeSymlink | 0o777
	}
	return 0o444
}

type fileInfo struct {
	name string
	node *Node
}

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.node.Size }
func (i fileInfo) Mode() fs.FileMode  { return modeOf(i.node.Kind) }
func (i fileInfo) ModTime() time.Time { return i.node.Times.Modified.Time() }
func (i fileInfo) IsDir() bool        { return i.node.Kind == KindDir }
func (i fileInfo) Sys() any           { return i.node }

type dirEntry struct{ e Entry }

func (d dirEntry) Name() string      { return d.e.Name }
func (d dirEntry) IsDir() bool       { return d.e.Kind == KindDir }
func (d dirEntry) Type() fs.FileMode { return modeOf(d.e.Kind).Type() }
func (d dirEntry) String() string    { return fs.FormatDirEntry(d) }

func (d dirEntry) Info() (fs.FileInfo, error) {
	n, err := d.e.Node()
	if err != nil {
		return nil, err
	}
	return fileInfo{d.e.Name, n}, nil
}

type openFile struct {
	*io.SectionReader
	info fileInfo
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

// An openDir is for one goroutine, as every fs.File.
type openDir struct {
	info fileInfo
	list []fs.DirEntry
	err  error
	read bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.name, Err: errors.New("is a directory")}
}

// ReadDir gives entries before damage: the error comes with the last ones.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		d.list, d.err = readDir(d.info.node)
		d.read = true
	}
	if n <= 0 || n >= len(d.list) && d.err != nil {
		list, err := d.list, d.err
		d.list, d.err = nil, nil
		return list, err
	}
	if len(d.list) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.list))
	list := d.list[:n]
	d.list = d.list[n:]
	return list, nil
}
