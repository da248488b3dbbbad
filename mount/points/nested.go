package points

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"snapmount/imagefmt"
	"snapmount/imagefmt/device"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// folder is a directory of a point, for an image that is a file in it.
type folder struct {
	point    *Point
	dir      string // in the point
	shown    string // as users call it
	anywhere bool   // as Options says
}

// file is a file of a point that is read as an image.
type file struct {
	layer.Mapper
	node *ntfs.Node
}

// Close has nothing to do: the image that holds the file stays open.
func (file) Close() error { return nil }

// Modified is the time that the file has at its point.
func (f file) Modified() time.Time { return f.node.Times.Modified.Time() }

// Same compares MFT references.
func (f file) Same(other imagefmt.File) bool {
	o, ok := other.(file)
	return ok && o.node.Tree() == f.node.Tree() && o.node.Ref == f.node.Ref
}

func (d folder) Path(name string) string {
	if path.IsAbs(name) {
		return d.point.Volume.Name + "@" + d.point.Name + ":" + name
	}
	return d.shown + "/" + name
}

// Above implements imagefmt.Folder.
func (d folder) Above(dir string) imagefmt.Folder {
	full := d.within(dir)
	if full == "/" {
		return nil
	}
	above := path.Dir(full)
	return folder{d.point, above, d.Path(above), d.anywhere}
}

// Outside takes drives and volumes for the one that the image is on.
func (d folder) Outside(dir, name string) (string, bool) {
	if rest, ok := strings.CutPrefix(name, "//?/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		name = "/" + rest
	} else if len(name) > 1 && name[1] == ':' {
		name = "/" + name[2:]
	}
	if !path.IsAbs(name) {
		name = path.Join(d.within(dir), name)
	}
	return path.Clean(name), d.anywhere
}

// within returns the path of a name in the point.
func (d folder) within(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Join(d.dir, name)
}

func (d folder) Open(name string) (imagefmt.File, error) {
	n, err := d.point.Walk(d.within(name), true)
	if err != nil {
		return nil, err
	}
	if n.Kind == ntfs.KindDir {
		return nil, fmt.Errorf("is a directory, want an image file: %w", layer.ErrFormat)
	}
	m, err := n.Stream("")
	if err != nil {
		return nil, d.point.Because(err)
	}
	if d.point.unknown != layer.Fail { // then it is a leaf: what stands for the unknown is to count for all above it
		if m, err = layer.Section(struct{ layer.Source }{m}, 0, m.Size()); err != nil {
			return nil, err
		}
	}
	return file{m, n}, nil
}

func (d folder) List(dir string) ([]string, error) {
	n, err := d.point.Walk(d.within(dir), true)
	if err != nil {
		return nil, err
	}
	var names []string
	for e, err := range n.Entries() {
		switch {
		case err != nil:
			return nil, d.point.Because(err) // a part of a split image may be among what is missing
		case e.Kind == ntfs.KindDir:
			names = append(names, e.Name+"/")
		default:
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// open opens the image at a path: a file of this machine or, where there is none of that name, a LOCATION of a file in
// another image.
func (s *Set) open(name string) (*imagefmt.Image, error) {
	opts := s.imageOptions(name)
	if len(s.Images) == 0 {
		opts.Offset, opts.Size, opts.Layer, opts.Snapshot = s.opts.Offset, s.opts.Size, s.opts.Layer, s.opts.Snapshot
		opts.Parts, opts.Map = s.opts.Parts, s.opts.Map
	}
	if exists(name) {
		return imagefmt.Open(name, opts)
	}
	if name == "-" {
		return nil, errStandardInput
	}
	loc, err := SplitLocation(name, exists)
	if err != nil || loc.Rest == "" {
		return imagefmt.Open(name, opts) // for its error
	}
	if layer, rest := cutLayer(loc.Rest); layer != "" {
		if rest == "" {
			opts.Layer = layer
			return imagefmt.Open(loc.Image, opts)
		}
		loc = loc.WithLayer()
	}
	outer, err := Open(s.ctx, []string{loc.Image}, s.within())
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, outer)
	t, err := outer.Resolve(outer.Images[0], loc.Rest)
	if err != nil {
		return nil, err
	}
	if i := strings.LastIndex(t.Path, "@layer:"); i > 0 && !strings.ContainsAny(t.Path[i+len("@layer:"):], ":@") {
		opts.Layer, t.Path = t.Path[i+len("@layer:"):], t.Path[:i]
	}
	if outer, t, err = outer.Enter(t); err != nil {
		return nil, err
	}
	s.closers[len(s.closers)-1] = outer
	if !t.HasPath || t.Point == nil {
		return nil, fmt.Errorf("%s: names no file that could be an image: %w", name, layer.ErrFormat)
	}
	s.outer = append(s.outer, outer)
	return t.openImage(name, t.Path, opts)
}

// imageOptions are those for every image.
func (s *Set) imageOptions(name string) imagefmt.Options {
	return imagefmt.Options{
		Warn:     func(err error) { s.warn(fmt.Errorf("%s: %w", name, err)) },
		Progress: s.opts.Progress.Of(name),
		Context:  s.ctx,
		Force:    s.opts.Force,
		ZeroBad:  s.opts.ZeroBad,
		Anywhere: s.opts.Anywhere,
		Parents:  s.opts.Parents,
	}
}

// within is what holds for images around or inside those of s, too.
func (s *Set) within() Options {
	opts := s.opts
	opts.DiffArea, opts.Offset, opts.Size, opts.Layer, opts.Snapshot, opts.cache = nil, 0, 0, "", "", s.cache
	opts.Parts, opts.Map, opts.CarveFrom = nil, "", ""
	return opts
}

func exists(name string) bool { return device.Exists(name) }

// openImage opens the image that is the file at a path of t's point. shown is what it is called.
func (t Target) openImage(shown, name string, opts imagefmt.Options) (*imagefmt.Image, error) {
	name = path.Clean(strings.ReplaceAll("/"+name, `\`, "/"))
	base := path.Base(name)
	dir := folder{t.Point, path.Dir(name), strings.TrimSuffix(shown, "/"+base), opts.Anywhere}
	if list, err := dir.List("."); err == nil && !slices.Contains(list, base) { // the names of other parts follow from this one
		if i := slices.IndexFunc(list, func(other string) bool { return strings.EqualFold(other, base) }); i >= 0 {
			base = list[i]
		}
	}
	return imagefmt.OpenIn(dir, base, opts)
}

// Enter goes into the images that the path of t leads through: each is a file that another location follows, as in
// /backup/disk.vhd:p1@latest:/file. It returns the Set of the innermost one, which closes s too, and t as it is there.
func (s *Set) Enter(t Target) (*Set, Target, error) {
	name, rest, ok := t.nested()
	if !ok {
		return s, t, nil
	}
	inner := &Set{ctx: s.ctx, opts: s.within(), cache: s.cache, outer: []*Set{s}}
	shown := fmt.Sprintf("%s:%s@%s:/%s", t.Point.Volume.Image.Path, t.Point.Volume.Name, t.Point.Name, strings.TrimLeft(name, "/"))
	layer, rest := cutLayer(rest)
	opts := inner.imageOptions(shown)
	opts.Layer = layer
	disk, err := t.openImage(shown, name, opts)
	if err != nil {
		return s, t, t.noImage(err)
	}
	inner.closers = append(inner.closers, s)
	inner.addImage(shown, disk)
	inner.findVolumes()
	if s.ctx.Err() != nil {
		return inner, t, context.Cause(s.ctx)
	}
	next, err := inner.Resolve(inner.Images[0], rest)
	if err != nil {
		return inner, next, t.noImage(err)
	}
	return inner.Enter(next)
}

// noImage says, where a file is no image, that the path has another fault: what follows the file may be meant for a stream.
func (t Target) noImage(err error) error {
	if _, _, err2 := t.Point.Lookup(t.Path, true); errors.Is(err, layer.ErrFormat) && err2 != nil {
		return &MissError{[]Target{t}, fmt.Errorf("%w; nor is it an image: %v", err2, err)}
	}
	return err
}

// nested finds where the path of t goes on into an image: at its longest prefix that is a file and is followed by ':' or
// '@'. A path that is there as it stands, or names a stream, goes nowhere.
func (t Target) nested() (name, rest string, ok bool) {
	if t.Point == nil || !t.HasPath {
		return "", "", false
	}
	if _, _, err := t.Point.Lookup(t.Path, true); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ntfs.ErrNotDir) {
		return "", "", false
	}
	for end := len(t.Path) - 1; end > 0; end-- {
		if t.Path[end] != ':' && t.Path[end] != '@' {
			continue
		}
		if n, stream, err := t.Point.Lookup(t.Path[:end], true); err == nil && n.Kind == ntfs.KindFile && stream == "" {
			return t.Path[:end], t.Path[end:], true
		}
	}
	return "", "", false
}

// Nested reports whether the path of t goes on into an image.
func (t Target) Nested() bool {
	_, _, ok := t.nested()
	return ok
}

// HostFiles names the files of this machine that the images are made of, those around nested images included.
func (s *Set) HostFiles() []string {
	var names []string
	for _, outer := range s.outer {
		names = append(names, outer.HostFiles()...)
	}
	for _, img := range s.Images {
		for _, name := range img.Disk.Files() {
			if exists(name) {
				names = append(names, name)
			}
		}
	}
	return names
}
