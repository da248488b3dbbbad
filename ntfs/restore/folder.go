package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A folder is a directory on the target, made when the first of its entries is written.
type folder struct {
	order int64 // of its Result
	*place
	pending atomic.Int64 // what keeps it from being finished: itself while it is listed, and its entries

	once sync.Once
	root *os.Root
	made bool
	err  error
}

// topFolder is the target itself.
func topFolder(root *os.Root) *folder {
	d := &folder{place: &place{}, root: root, made: true}
	d.once.Do(func() {})
	return d
}

// folderOf is the folder of a directory that was yielded.
func (r *run) folderOf(p *place) *folder {
	switch {
	case p.up == nil:
		return r.top
	case p.folder == nil:
		p.folder = &folder{place: p}
		p.folder.pending.Add(1)
		r.folderOf(p.up).pending.Add(1)
	}
	return p.folder
}

// open makes the directory, and those that it is in.
func (d *folder) open(r *run) (*os.Root, error) {
	d.once.Do(func() {
		up, err := r.folderOf(d.up).open(r)
		if err == nil {
			d.root, d.made, err = makeDir(up, path.Base(d.path))
		}
		if d.err = err; err == nil && r.opts.Resume {
			r.warn(removeParts(d.root))
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

// left finishes a directory when nothing more is to be written in it.
func (r *run) left(d *folder) {
	if d == r.top || d.pending.Add(-1) > 0 {
		return
	}
	if d.root != nil {
		if d.node != nil {
			r.tell(r.finish(d))
		}
		d.close()
	} else if d.err != nil && d.node != nil {
		r.tell(Result{Path: d.path, Origin: d.origin, Ref: d.node.Ref, Type: "dir", Mapped: d.mapped, Err: d.err, Order: d.order})
	}
	r.left(r.folderOf(d.up))
}

func (d *folder) close() {
	if d.root != nil {
		d.root.Close()
	}
}

// finish gives a directory its metadata. One that was there before keeps its own.
func (r *run) finish(d *folder) Result {
	res := Result{Path: d.path, Origin: d.origin, Ref: d.node.Ref, Type: "dir", Order: d.order}
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
	lost, err2 := r.target.apply(r.folderOf(d.up).root, path.Base(d.path), f, &m)
	lost = append(lost, r.target.settle(f, &m)...)
	res.Lost, res.Mapped, res.Err = lost, m.Name, errors.Join(err, err2, m.damaged(), r.keep(&m, lost))
	return res
}

// plainLosses begin what a copy of a plain file lacks elsewhere than on NTFS, as any copy does.
var plainLosses = []string{"permissions", "attributes", "creation time", "modification time", "access time", "short name"}

// drops reports whether what was lost is not worth a sidecar.
func (r *run) drops(lost []string) bool {
	return r.spare && len(lost) > 0 && !slices.ContainsFunc(lost, func(l string) bool {
		what, _, _ := strings.Cut(l, ":")
		return !slices.Contains(plainLosses, what)
	})
}

// keep writes a line to the sidecar when something was lost.
func (r *run) keep(m *Meta, lost []string) error {
	if len(lost) == 0 || r.sidecar == nil || r.drops(lost) {
		return nil
	}
	return r.withRoom(func() error { return r.sidecar.write(m) })
}
