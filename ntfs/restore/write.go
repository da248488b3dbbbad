package restore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A writer restores one file or link.
type writer struct {
	run    *run
	copier *copier
	root   *os.Root // of dir
	dir    *folder
	node   *ntfs.Node
	stream string
	name   string // on the target
	res    Result
	same   bool   // what is there is the same, and stays
	first  string // path of the file that this should be another name of, but cannot be on this target
	damage error  // why metadata is missing
}

// errNoMeta says that a file was written, but not all of its metadata could be read.
var errNoMeta = errors.New("written without all of its metadata")

// write restores the file.
func (w *writer) write() error {
	var f *os.File
	var m *Meta
	res := w.res
	err := w.run.withRoom(func() (err error) {
		w.res = res
		f, m, err = w.try()
		return err
	})
	switch {
	case w.same && w.run.opts.Resume && w.res.Type != "link":
		return w.again()
	case err != nil:
		return err
	}
	return w.finish(f, m)
}

// withRoom does what writes. Where the disk is full it is done again when nothing else is being written: a large file that
// does not fit must not take small ones with it.
func (r *run) withRoom(do func() error) error {
	r.turn.RLock()
	err := do()
	r.turn.RUnlock()
	if errors.Is(err, syscall.ENOSPC) {
		r.turn.Lock()
		defer r.turn.Unlock()
		err = do()
	}
	return err
}

// try restores the file under a name of its own first. The file is open where the target has to settle.
func (w *writer) try() (*os.File, *Meta, error) {
	content, err := w.content()
	if err != nil {
		return nil, nil, err
	}
	if err := w.allowed(content); err != nil {
		return nil, nil, err
	}
	part := partName()
	f, m, err := w.fill(part, content)
	if err == nil && !w.run.target.settles() { // what is written late, as over a network, can fail as late as here
		f, err = nil, closed(f)
	}
	if err == nil && !w.res.Aside {
		err = w.root.Rename(part, w.name)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closed(f), w.removed(part))
	}
	return f, m, nil
}

// finish does what is left when the file has its name.
func (w *writer) finish(f *os.File, m *Meta) error {
	var err error
	if len(w.res.Gaps) > 0 {
		err = w.run.withRoom(func() error { return noteRanges(w.root, w.name, w.res.Size, w.res.Gaps) })
	}
	if f != nil {
		w.res.Lost = append(w.res.Lost, w.run.target.settle(f, m)...)
	}
	w.res.Dropped = w.run.drops(w.res.Lost)
	err = errors.Join(err, closed(f), w.run.keep(m, w.res.Lost))
	if damage := errors.Join(w.damage, m.damaged()); damage != nil {
		err = errors.Join(err, fmt.Errorf("%w: %w", errNoMeta, damage))
	}
	return err
}

func closed(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func (w *writer) removed(part string) error {
	err := w.root.RemoveAll(part)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// content opens what the file holds; nil for a link.
func (w *writer) content() (layer.Mapper, error) {
	if isLink(w.node) && w.stream == "" {
		w.res.Type = "link"
		return nil, nil
	}
	m, err := w.node.Stream(w.stream)
	if errors.Is(err, fs.ErrNotExist) && w.stream == "" && w.node.Damage == nil {
		return layer.Section(strings.NewReader(""), 0, 0) // a file may lack the unnamed stream
	}
	if err == nil {
		w.res.Size = m.Size()
	}
	return m, err
}

// allowed says whether the file may be written: nil, or why not.
func (w *writer) allowed(content layer.Mapper) error {
	info, err := w.root.Lstat(w.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	opts := &w.run.opts
	if info.IsDir() {
		return fmt.Errorf("is a directory there: %w", fs.ErrExist)
	}
	if slices.ContainsFunc(opts.Protected, func(f fs.FileInfo) bool { return os.SameFile(f, info) }) {
		return fmt.Errorf("is of the image: %w", ErrExists)
	}
	if opts.Resume || opts.Overwrite == IfChanged {
		same, err := w.isDone(info, content)
		if err != nil {
			return err
		}
		if same {
			w.same = true
			return errSkipped
		}
	}
	switch opts.Overwrite {
	case Always, IfChanged:
		return nil
	case IfNewer:
		if w.node.Times.Modified.Time().After(info.ModTime()) {
			return nil
		}
		return errSkipped
	}
	return ErrExists
}

// again sees to it that a file that an earlier run wrote has its metadata too: it may have been ended before that.
func (w *writer) again() error {
	info, err := w.root.Lstat(w.name)
	if err != nil {
		return err
	}
	m, err := w.meta()
	if err != nil {
		return err
	}
	var f *os.File
	var lost []string
	if info.Mode()&fs.ModeSymlink != 0 {
		lost, err = w.run.target.dress(w.root, w.name, m)
	} else if f, err = openRegular(w.root, w.name); err == nil {
		lost, err = w.run.target.apply(w.root, w.name, f, m)
	}
	w.res.Lost = append(w.res.Lost, lost...)
	if err = errors.Join(err, w.finish(f, m)); err == nil {
		err = errSkipped
	}
	return err
}

// isDone reports whether what is there has the content already.
func (w *writer) isDone(info fs.FileInfo, content layer.Mapper) (bool, error) {
	if content == nil {
		m, err := w.meta()
		if err == nil && w.run.target.hasLink(w.root, w.name, m) {
			return true, nil
		}
		text, err := w.linkText()
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			return false, nil //nolint:nilerr // it is written, and fails then
		}
		there, err := w.root.Readlink(w.name)
		if there == text {
			w.res.Link = text
		}
		return there == text, err
	}
	if info.Mode()&fs.ModeSymlink != 0 && w.run.target.settles() {
		return isInterix(w.root, w.name, content)
	}
	if !info.Mode().IsRegular() || info.Size() != content.Size() {
		return false, nil
	}
	f, err := openRegular(w.root, w.name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum, same, err := sameBytes(w.copier, f, content)
	if same {
		w.res.SHA256 = sum
	}
	return same, err
}

// meta is the metadata of what is written. What could not be read is noted, as damage.
func (w *writer) meta() (*Meta, error) {
	t := w.node.Times
	m := Meta{Type: "file", Modified: t.Modified, Accessed: t.Accessed, Created: t.Created, Changed: t.Changed}
	if w.stream == "" {
		m, w.damage = ReadMeta(w.node)
		if w.node.Links > 1 && m.ShortName != "" && w.dir.node != nil {
			var err error
			m.ShortName, err = shortName(w.node, w.dir.node.Ref, cmp.Or(w.res.Mapped, w.name))
			w.damage = errors.Join(w.damage, err)
		}
		if w.run.ctx.Err() != nil {
			return nil, context.Cause(w.run.ctx)
		}
	}
	m.Path, m.Name, m.Link = w.res.Path, w.res.Mapped, w.first
	if w.res.Renamed { // it is to have no name of the volume
		m.Name, m.ShortName = "", ""
	}
	return &m, nil
}

// fill makes the file or link under the name part, and gives it its metadata. It returns the open file, nil for a link of
// POSIX.
func (w *writer) fill(part string, content layer.Mapper) (*os.File, *Meta, error) {
	m, err := w.meta()
	if err != nil {
		return nil, nil, err
	}
	if content == nil {
		f, err := w.fillLink(part, m)
		return f, m, err
	}
	f, err := w.root.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, err
	}
	out, err := w.copier.content(f, content)
	if err == nil {
		w.res.Gaps = out.gaps
		if out.sum != nil {
			w.res.SHA256 = hex.EncodeToString(out.sum.Sum(nil))
		}
		err = w.verify(f, content)
	}
	if err == nil {
		var lost []string
		lost, err = w.run.target.apply(w.root, part, f, m)
		w.res.Lost = append(w.res.Lost, lost...)
	}
	return f, m, err
}

// verify reads the file back.
func (w *writer) verify(f *os.File, content layer.Mapper) error {
	if !w.run.opts.Verify || w.res.SHA256 == "" {
		return nil
	}
	sum, err := sumOf(w.copier, f, content.Size())
	if err == nil && sum != w.res.SHA256 {
		err = fmt.Errorf("reads back with sha256 %s, want %s", sum, w.res.SHA256)
	}
	return err
}

// fillLink makes a link as the target has them.
func (w *writer) fillLink(part string, m *Meta) (*os.File, error) {
	f, err := w.run.target.makeLink(w.root, part, m)
	if f != nil || err != nil {
		return f, err
	}
	text, err := w.linkText()
	if err != nil {
		return nil, err
	}
	if err := w.root.Symlink(text, part); err != nil {
		return nil, w.setAside(m, err)
	}
	w.res.Link, w.res.Lost = text, append(w.res.Lost, "link of Windows")
	return nil, w.run.target.linkTimes(w.root, part, m)
}

// notHeld is what Windows says to who may not make symbolic links: ERROR_PRIVILEGE_NOT_HELD.
const notHeld = syscall.Errno(1314)

// setAside leaves a link to the sidecar where the target takes none, or none from this user. Else it is err.
func (w *writer) setAside(m *Meta, err error) error {
	refused := errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EPERM) || errors.Is(err, notHeld)
	if !refused || w.run.sidecar == nil || len(m.Reparse) == 0 {
		return err
	}
	if _, err2 := w.root.Lstat(w.name); !errors.Is(err2, fs.ErrNotExist) { // what is there would seem to be it
		return err
	}
	w.res.Aside, w.res.Lost = true, append(w.res.Lost, "link: "+err.Error())
	return nil
}

func (w *writer) linkText() (string, error) {
	if w.run.opts.LinkText != nil {
		return w.run.opts.LinkText(w.node)
	}
	r, err := w.node.Reparse()
	return r.Target, err
}

// sumOf hashes the first n bytes of f.
func sumOf(c *copier, f *os.File, n int64) (string, error) {
	sum := sha256.New()
	for off := int64(0); off < n; {
		if c.ctx.Err() != nil {
			return "", context.Cause(c.ctx)
		}
		b := c.buffer(0, min(piece, n-off))
		if k, err := f.ReadAt(b, off); k < len(b) {
			return "", err
		}
		sum.Write(b)
		off += int64(len(b))
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
