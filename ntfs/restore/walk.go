package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// met is a bit set of directories, by record number.
type met map[*ntfs.Tree][]uint64

// first reports whether a directory is met for the first time: one that contains itself would have no end.
func (m met) first(n *ntfs.Node) bool {
	t := n.Tree()
	if m[t] == nil {
		m[t] = make([]uint64, t.Records()/64+1)
	}
	word, bit := &m[t][n.Ref.Record/64], uint64(1)<<(n.Ref.Record%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// An item is a file, directory or link on the way through sources, in the order of the directories' indexes.
type item struct {
	node   *ntfs.Node // nil for a directory that only leads to a source, and where the record cannot be read
	dir    *ntfs.Node // that it is in; nil for what a source names
	stream string
	res    Result // Path, Origin, Ref, Type and Mapped; with an Err, that is all there is
}

// A place is a directory that a walker is in.
type place struct {
	up    *place
	path  string
	node  *ntfs.Node      // nil for one that only leads to a source
	taken map[string]bool // names in it, where case is folded
	item  *item           // of the directory; nil when it was told
}

// A walker goes through sources one by one.
type walker struct {
	ctx    context.Context
	opts   *Options
	fold   bool // names that differ in case only are one
	choose func(path string, n *ntfs.Node) (Choice, error)
	dirs   met
	yield  func(item) bool
}

// walk yields the items of all sources. A directory comes before what is in it, once for each source. The error is of a
// source that cannot be had.
func walk(ctx context.Context, sources iter.Seq2[Source, error], opts *Options, fold bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		wanted := true
		w := &walker{ctx: ctx, opts: opts, fold: fold, yield: func(it item) bool {
			wanted = wanted && yield(it, nil)
			return wanted
		}}
		for s, err := range sources {
			if err == nil {
				err = context.Cause(ctx)
			}
			if err != nil {
				yield(item{}, err)
				return
			}
			w.choose, w.dirs = s.Choose, met{}
			if !w.source(&place{taken: map[string]bool{}}, s) {
				break
			}
		}
		if err := context.Cause(ctx); wanted && err != nil {
			yield(item{}, err)
		}
	}
}

func (w *walker) source(top *place, s Source) bool {
	if s.Name == "" {
		return w.entries(top, s.Node, "", s.Origin)
	}
	words := strings.FieldsFunc(s.Name, func(c rune) bool { return c == '/' })
	dir := top
	for _, word := range words[:len(words)-1] {
		p := path.Join(dir.path, w.opts.Names.Map(word))
		dir = &place{up: dir, path: p, taken: map[string]bool{}, item: &item{res: Result{Path: p, Origin: s.Origin, Type: "dir"}}}
	}
	return w.entry(dir, words[len(words)-1], "", s.Node, s.Stream, s.Origin)
}

// entries goes through a directory; below is its path below the source. Like the others it reports false to end all.
func (w *walker) entries(dir *place, n *ntfs.Node, below, origin string) bool {
	dir.node = n
	for e, err := range n.Entries() {
		if w.ctx.Err() != nil {
			return false
		}
		if err != nil {
			return w.yield(item{res: Result{Path: dir.path, Origin: origin, Ref: n.Ref, Type: "dir", Err: err}})
		}
		if e.Metafile() || e.Ref.Record == n.Ref.Record {
			continue
		}
		child, err := e.Node()
		if err != nil {
			p := path.Join(dir.path, w.opts.Names.Map(e.Name))
			if !w.yield(item{res: Result{Path: p, Origin: origin, Ref: e.Ref, Err: err}}) {
				return false
			}
			continue
		}
		if !w.entry(dir, e.Name, path.Join(below, e.Name), child, "", origin) {
			return false
		}
	}
	return true
}

func (w *walker) entry(dir *place, name, below string, n *ntfs.Node, stream, origin string) bool {
	choice := Take
	if w.choose != nil {
		var err error
		if choice, err = w.choose(below, n); err != nil {
			p := path.Join(dir.path, w.opts.Names.Map(name))
			return w.yield(item{res: Result{Path: p, Origin: origin, Ref: n.Ref, Type: typeOf(n, stream), Err: err}})
		}
	}
	if choice == Skip {
		return true
	}
	mapped := w.free(dir, name)
	it := item{node: n, dir: dir.node, stream: stream, res: Result{Path: path.Join(dir.path, mapped), Origin: origin, Ref: n.Ref, Type: typeOf(n, stream)}}
	if mapped != name {
		it.res.Mapped = name
	}
	if it.res.Type != "dir" {
		return w.tell(dir) && w.yield(it)
	}
	if !w.dirs.first(n) {
		it.res.Err = errNested(n)
		return w.yield(it)
	}
	inner := &place{up: dir, path: it.res.Path, item: &it, taken: map[string]bool{}}
	return (choice != Take || w.tell(inner)) && w.entries(inner, n, below, origin)
}

func errNested(n *ntfs.Node) error {
	return fmt.Errorf("directory %v is in another one too: %w", n.Ref, layer.ErrCorrupt)
}

// tell yields a directory, and those that it is in, when that was not done yet.
func (w *walker) tell(dir *place) bool {
	if dir == nil || dir.item == nil {
		return true
	}
	it := *dir.item
	dir.item = nil
	return w.tell(dir.up) && w.yield(it)
}

// free gives a name that no other entry of the directory has been given.
func (w *walker) free(dir *place, name string) string {
	mapped := w.opts.Names.Map(name)
	if !w.fold {
		return mapped
	}
	for i, base := 2, mapped; dir.taken[strings.ToLower(mapped)]; i++ {
		x := path.Ext(base)
		mapped = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(base, x), i, x)
	}
	dir.taken[strings.ToLower(mapped)] = true
	return mapped
}

func typeOf(n *ntfs.Node, stream string) string {
	switch {
	case stream != "":
	case n.Kind == ntfs.KindDir:
		return "dir"
	case n.Kind == ntfs.KindSymlink:
		return "link"
	}
	return "file"
}

// contentOf opens what becomes the content of a file.
func contentOf(n *ntfs.Node, stream string) (layer.Mapper, error) {
	w := writer{node: n, stream: stream}
	m, err := w.content()
	if m == nil && err == nil {
		err = errors.New("has no content")
	}
	return m, err
}
