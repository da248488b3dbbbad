package restore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"snapmount/ntfs"
)

// A run is one call of Run.
type run struct {
	ctx     context.Context
	opts    Options
	target  target
	sidecar *sidecar
	names   Names
	folds   bool // names that differ in case only are one on the target
	tasks   chan func(*copier)

	turn sync.RWMutex // held by all that write, or by one

	choose func(path string, n *ntfs.Node) (Choice, error) // of the source under way
	dirs   met                                             // of it

	mu    sync.Mutex
	first map[fileKey]*linked // files of several names, by the first that was met
	busy  map[string]bool     // paths that are being written, folded where the target folds case
}

// Run restores sources below root. Everything that fails is told to Options.Done and costs nothing else; the error is of
// what ends the run: the context, or a source that cannot be had.
func Run(ctx context.Context, root *os.Root, sources iter.Seq2[Source, error], opts Options) error {
	r := &run{ctx: ctx, opts: opts, tasks: make(chan func(*copier)), first: map[fileKey]*linked{}, busy: map[string]bool{}}
	if r.opts.Jobs <= 0 {
		r.opts.Jobs = runtime.GOMAXPROCS(0)
	}
	if opts.Resume {
		removeOwnParts(root)
	}
	var err error
	if r.target, err = detect(root); err != nil {
		return err
	}
	limits, err := probe(root)
	if err != nil {
		return err
	}
	r.names, r.folds = opts.Names.and(limits.names), limits.folds
	if !opts.NoSidecar {
		r.sidecar = &sidecar{root: root, resume: opts.Resume}
	}
	var workers sync.WaitGroup
	for range r.opts.Jobs {
		workers.Go(func() {
			c := &copier{ctx: ctx, partial: opts.Partial, noHash: opts.NoHash && !opts.Verify, tick: func(n int64) { r.progress(0, n) }}
			for task := range r.tasks {
				task(c)
			}
		})
	}
	top := &folder{root: root, made: true}
	top.once.Do(func() {})
	for s, err2 := range sources {
		if err = err2; err != nil || ctx.Err() != nil {
			break
		}
		r.source(top, s)
	}
	close(r.tasks)
	workers.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return errors.Join(err, r.sidecar.close())
}

func (r *run) progress(files, bytes int64) {
	if r.opts.Progress != nil {
		r.opts.Progress(files, bytes)
	}
}

func (r *run) tell(res Result) {
	if errors.Is(res.Err, errSkipped) {
		res.Skipped, res.Err = true, nil
	}
	res.At = time.Now().UTC()
	r.progress(1, 0)
	if r.opts.Done != nil {
		r.opts.Done(res)
	}
}

// source restores one source. Directories on the way to it are made.
func (r *run) source(top *folder, s Source) {
	r.choose, r.dirs = s.Choose, met{}
	dir := top
	words := strings.FieldsFunc(s.Name, func(c rune) bool { return c == '/' })
	if len(words) == 0 {
		r.entries(dir, s.Node, "", s.Origin)
		return
	}
	for _, word := range words[:len(words)-1] {
		dir = dir.sub(r.names.Map(word), nil, s.Origin)
	}
	r.entry(dir, words[len(words)-1], "", s.Node, s.Stream, s.Origin)
}

// What is in systemInformation, in the root, is Windows' own; the files of shadow copies cannot even be read in these.
const (
	rootRecord        = 5
	systemInformation = "System Volume Information"
)

// entries restores what is in a directory; below is its path below the source.
func (r *run) entries(dir *folder, n *ntfs.Node, below, origin string) {
	dir.pending.Add(1)
	defer r.left(dir)
	for e, err := range n.Entries() {
		if r.ctx.Err() != nil {
			return
		}
		if err != nil {
			r.tell(Result{Path: dir.path, Origin: origin, Ref: n.Ref, Type: "dir", Err: err})
			return
		}
		if e.Metafile() || e.Ref.Record == n.Ref.Record || n.Ref.Record == rootRecord && strings.EqualFold(e.Name, systemInformation) {
			continue
		}
		child, err := e.Node()
		if err != nil {
			r.tell(Result{Path: path.Join(dir.path, r.names.Map(e.Name)), Origin: origin, Ref: e.Ref, Err: err})
			continue
		}
		r.entry(dir, e.Name, path.Join(below, e.Name), child, "", origin)
	}
}

// entry restores one entry of a directory, itself or by a task.
func (r *run) entry(dir *folder, name, below string, n *ntfs.Node, stream, origin string) {
	mapped := dir.free(r, name)
	res := Result{Path: path.Join(dir.path, mapped), Origin: origin, Ref: n.Ref, Type: "file"}
	if mapped != name {
		res.Mapped = name
	}
	choice := Take
	if r.choose != nil {
		var err error
		if choice, err = r.choose(below, n); err != nil {
			res.Err = err
			r.tell(res)
			return
		}
	}
	if choice == Skip {
		return
	}
	if n.Kind == ntfs.KindDir && stream == "" {
		if !r.dirs.first(n) {
			res.Type, res.Err = "dir", errNested(n)
			r.tell(res)
			return
		}
		if err := within(dir.depth, res.Path); err != nil {
			res.Type, res.Err = "dir", err
			r.tell(res)
			return
		}
		d := dir.sub(mapped, n, origin)
		d.mapped = res.Mapped
		d.pending.Add(1)
		if choice == Take {
			d.open(r)
		}
		r.entries(d, n, below, origin)
		r.left(d)
		return
	}
	dir.pending.Add(1)
	task := func(c *copier) {
		defer r.left(dir)
		r.tell(r.one(c, dir, n, stream, res))
	}
	select {
	case r.tasks <- task:
	case <-r.ctx.Done():
		r.left(dir)
	}
}

// one restores a file or link, and says what became of it.
func (r *run) one(c *copier, dir *folder, n *ntfs.Node, stream string, res Result) Result {
	if err := r.ctx.Err(); err != nil {
		res.Err = context.Cause(r.ctx)
		return res
	}
	root, err := dir.open(r)
	if err != nil {
		res.Err = err
		return res
	}
	w := &writer{run: r, copier: c, root: root, dir: dir, node: n, stream: stream, res: res, name: path.Base(res.Path)}
	if !r.claim(res.Path) {
		res.Err = fmt.Errorf("is being written from another source: %w", ErrExists)
		return res
	}
	defer r.unclaim(res.Path)
	if n.Links > 1 && stream == "" {
		w.res.Err = w.oneOfSeveral()
	} else {
		w.res.Err = w.write()
	}
	return w.res
}

// claim reserves a path, so that two sources of the same name do not replace each other unseen.
func (r *run) claim(path string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := r.key(path)
	if r.busy[key] {
		return false
	}
	r.busy[key] = true
	return true
}

func (r *run) unclaim(path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.busy, r.key(path))
}

// key is what two names have in common that are the same on the target.
func (r *run) key(name string) string {
	if r.folds {
		return fold(name)
	}
	return name
}
