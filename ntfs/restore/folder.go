package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"snapmount/ntfs"
)

// A folder is a directory on the target, made when the first of its entries is written.
type folder struct {
	up      *folder
	depth   int
	name    string // on the target
	path    string
	mapped  string     // the name on the volume, where name is another
	node    *ntfs.Node // nil for what only leads to sources
	origin  string
	pending atomic.Int64 // what keeps it from being finished: itself while it is listed, and its entries
	taken   map[string]bool

	once sync.Once
	root *os.Root
	made bool
	err  error
}

// sub is a directory in d.
func (d *folder) sub(name string, n *ntfs.Node, origin string) *folder {
	d.pending.Add(1)
	return &folder{up: d, depth: d.depth + 1, name: name, path: path.Join(d.path, name), node: n, origin: origin}
}

// top is the directory of the target.
func (d *folder) top() *folder {
	for d.up != nil {
		d = d.up
	}
	return d
}

// open makes the directory, and those that it is in.
func (d *folder) open(r *run) (*os.Root, error) {
	d.once.Do(func() {
		up, err := d.up.open(r)
		if err == nil {
			d.root, d.made, err = makeDir(up, d.name)
		}
		if d.err = err; err == nil && r.opts.Resume {
			removeParts(d.root)
		}
	})
	return d.root, d.err
}

// makeDir makes a directory, or opens one that is there: no link to one.
func makeDir(up *os.Root, name string) (dir *os.Root, made bool, err error) {
	err = up.Mkdir(name, 0o700)
	made = err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, false, err
	}
	dir, err = openDir(up, name)
	return dir, made && err == nil, err
}

// openDir opens a directory: no link to one.
func openDir(up *os.Root, name string) (*os.Root, error) {
	info, err := up.Lstat(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("is there and no directory: %w", fs.ErrExist)
	}
	if err != nil {
		return nil, err
	}
	dir, err := up.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := dir.Stat(".")
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("was replaced while it was opened")
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// free gives a name that no other entry of the directory has been given.
func (d *folder) free(r *run, name string) string {
	mapped := r.names.Map(name)
	if !r.folds {
		return mapped
	}
	if d.taken == nil {
		d.taken = map[string]bool{}
	}
	for i, base := 2, mapped; d.taken[fold(mapped)]; i++ {
		x := path.Ext(base)
		mapped = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(base, x), i, x)
	}
	d.taken[fold(mapped)] = true
	return mapped
}

// left finishes a directory when nothing more is to be written in it.
func (r *run) left(d *folder) {
	if d.pending.Add(-1) > 0 || d.up == nil {
		return
	}
	if d.root != nil {
		if d.node != nil {
			r.tell(r.finish(d))
		}
		d.root.Close()
	} else if d.err != nil && d.node != nil {
		r.tell(Result{Path: d.path, Origin: d.origin, Ref: d.node.Ref, Type: "dir", Mapped: d.mapped, Err: d.err})
	}
	r.left(d.up)
}

// finish gives a directory its metadata. One that was there before keeps its own.
func (r *run) finish(d *folder) Result {
	res := Result{Path: d.path, Origin: d.origin, Ref: d.node.Ref, Type: "dir"}
	if !d.made && !r.opts.Resume {
		res.Skipped = true
		return res
	}
	m, err := ReadMeta(d.node)
	m.Path = d.path
	f, err2 := d.root.Open(".")
	if err2 != nil {
		res.Err = errors.Join(err, err2)
		return res
	}
	defer f.Close()
	m.Name = d.mapped
	lost, err2 := r.target.apply(d.up.root, d.name, f, &m)
	lost = append(lost, r.target.settle(f, &m)...)
	res.Lost, res.Mapped, res.Err = lost, m.Name, errors.Join(err, err2, r.keep(&m, lost))
	return res
}

// keep writes a line to the sidecar when something was lost.
func (r *run) keep(m *Meta, lost []string) error {
	if len(lost) == 0 || r.sidecar == nil {
		return nil
	}
	return r.sidecar.write(m)
}
