package restore

import (
	"cmp"
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
	at   *place     // the directory itself, or that of the file or link
	done bool       // all in the directory was yielded; at is all there is
	node *ntfs.Node // nil for a directory that only leads to a source, and where the record cannot be read
	res  Result     // Path, Origin, Ref, Type and Mapped; with an Err, that is all there is
}

// A place is a directory that a walker is in.
type place struct {
	up     *place // nil for the target itself
	depth  int
	path   string
	node   *ntfs.Node      // nil for what only leads to sources, and of the target where they are named
	mapped string          // the name on the volume, where the last of path is another
	origin string          // of the source
	taken  map[string]bool // names in it, folded where case is
	told   bool            // it was yielded

	folder *folder // of Run
}

// A walker goes through sources one by one.
type walker struct {
	ctx    context.Context
	names  Names
	fold   func(string) string // gives names that are one on the target the same text; nil where none are
	as     string              // of the source
	choose func(path string, n *ntfs.Node) (Choice, error)
	dirs   met
	yield  func(item) bool
}

// walk yields the items of all sources. A directory comes before what is in it, once for each source and when something in
// it is taken, and at its end once more. The error is of the context, or a source that cannot be had.
func walk(ctx context.Context, sources iter.Seq2[Source, error], names Names, fold func(string) string) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		wanted := true
		w := &walker{ctx: ctx, names: names, fold: fold, yield: func(it item) bool {
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
			w.as, w.choose, w.dirs = s.As, s.Choose, met{}
			if !w.source(s) {
				break
			}
		}
		if err := context.Cause(ctx); wanted && err != nil {
			yield(item{}, err)
		}
	}
}

// source goes through one source. Like those below it reports false to end all.
func (w *walker) source(s Source) bool {
	if s.Node.Kind == ntfs.KindDir && s.Stream == "" && s.Node.Tree().TakeCensus(w.ctx) != nil {
		return false
	}
	top := &place{told: true, origin: s.Origin}
	words := strings.FieldsFunc(s.Name, func(c rune) bool { return c == '/' })
	if len(words) == 0 {
		top.node = s.Node
		return w.entries(top, s.Node, "")
	}
	dir := top
	for _, word := range words[:len(words)-1] {
		dir = w.inner(dir, word, nil)
	}
	wanted := w.entry(dir, words[len(words)-1], "", s.Node, s.Stream)
	for ; wanted && dir != top; dir = dir.up {
		wanted = w.leave(dir)
	}
	return wanted
}

// inner is a directory in another one.
func (w *walker) inner(dir *place, name string, n *ntfs.Node) *place {
	mapped := w.free(dir, name)
	p := &place{up: dir, depth: dir.depth + 1, path: path.Join(dir.path, mapped), node: n, origin: dir.origin}
	if mapped != name {
		p.mapped = name
	}
	return p
}

// What is in systemInformation, in the root, is Windows' own; the files of shadow copies cannot even be read in these.
const (
	rootRecord        = 5
	systemInformation = "System Volume Information"
)

// private reports whether a name in the root is systemInformation, as the volume takes names for the same.
func private(t *ntfs.Tree, name string) bool { return t.Upper(name) == t.Upper(systemInformation) }

// entries goes through a directory; below is its path below the source.
func (w *walker) entries(dir *place, n *ntfs.Node, below string) bool {
	for e, err := range n.Entries() {
		if w.ctx.Err() != nil {
			return false
		}
		if err != nil {
			return w.yield(item{at: dir, res: Result{Path: dir.path, Origin: dir.origin, Ref: n.Ref, Type: "dir", Err: err}})
		}
		if e.Metafile() || e.Ref.Record == n.Ref.Record || n.Ref.Record == rootRecord && private(n.Tree(), e.Name) {
			continue
		}
		child, err := e.Node()
		if err != nil {
			if !w.yield(w.failed(dir, e.Name, Result{Ref: e.Ref, Err: err})) {
				return false
			}
			continue
		}
		if !w.entry(dir, e.Name, path.Join(below, e.Name), child, "") {
			return false
		}
	}
	return true
}

// failed is the item of an entry that cannot be had.
func (w *walker) failed(dir *place, name string, res Result) item {
	res.Path, res.Origin = path.Join(dir.path, w.names.Map(name)), dir.origin
	return item{at: dir, res: res}
}

// entry goes to one entry of a directory, and into it.
func (w *walker) entry(dir *place, name, below string, n *ntfs.Node, stream string) bool {
	choice, kind := Take, typeOf(n, stream)
	if w.choose != nil {
		var err error
		if choice, err = w.choose(below, n); err != nil {
			return w.yield(w.failed(dir, name, Result{Ref: n.Ref, Stream: stream, Type: kind, Err: err}))
		}
	}
	switch {
	case choice == Skip:
		return true
	case kind != "dir":
		it := item{at: dir, node: n, res: Result{Origin: dir.origin, Ref: n.Ref, Stream: stream, Type: kind}}
		mapped := cmp.Or(w.as, w.free(dir, name))
		it.res.Renamed = w.as != ""
		if it.res.Path = path.Join(dir.path, mapped); mapped != name {
			it.res.Mapped = name
		}
		return w.tell(dir) && w.yield(it)
	case !w.dirs.first(n):
		return w.yield(w.failed(dir, name, Result{Ref: n.Ref, Type: kind, Err: errNested(n)}))
	}
	inner := w.inner(dir, name, n)
	if err := within(dir.depth, inner.path); err != nil {
		return w.yield(w.failed(dir, name, Result{Ref: n.Ref, Type: kind, Err: err}))
	}
	return (choice != Take || w.tell(inner)) && w.entries(inner, n, below) && w.leave(inner)
}

// tell yields a directory, and those that it is in, when that was not done yet.
func (w *walker) tell(dir *place) bool {
	if dir.told {
		return true
	}
	dir.told = true
	it := item{at: dir, node: dir.node, res: Result{Path: dir.path, Origin: dir.origin, Type: "dir", Mapped: dir.mapped}}
	if dir.node != nil {
		it.res.Ref = dir.node.Ref
	}
	return w.tell(dir.up) && w.yield(it)
}

// leave yields the end of a directory, when it was yielded.
func (w *walker) leave(dir *place) bool {
	return !dir.told || w.yield(item{at: dir, done: true})
}

// free gives a name that no other entry of the directory has been given.
func (w *walker) free(dir *place, name string) string {
	mapped := w.names.Map(name)
	if w.fold == nil {
		return mapped
	}
	if dir.taken == nil {
		dir.taken = map[string]bool{}
	}
	for i, base := 2, mapped; dir.taken[w.fold(mapped)]; i++ {
		x := path.Ext(base)
		mapped = fmt.Sprintf("%s~%d%s", strings.TrimSuffix(base, x), i, x)
	}
	dir.taken[w.fold(mapped)] = true
	return mapped
}

func errNested(n *ntfs.Node) error {
	return fmt.Errorf("directory %v is in another one too: %w", n.Ref, layer.ErrCorrupt)
}

// isLink reports whether a node becomes a link. Those of Interix are files to NTFS, which keep their metadata as such, and
// become links again where an NTFS driver of Unix reads them.
func isLink(n *ntfs.Node) bool { return n.Kind == ntfs.KindSymlink && n.ReparseTag != 0 }

func typeOf(n *ntfs.Node, stream string) string {
	switch {
	case stream != "":
	case n.Kind == ntfs.KindDir:
		return "dir"
	case isLink(n):
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
