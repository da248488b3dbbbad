package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"runtime"
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
	spare   bool // Options.Spare
	names   Names
	fold    func(string) string // gives names that are one on the target the same text; nil where none are
	top     *folder
	tasks   chan func(*copier)
	done    tally
	order   int64 // of the result that the walk came to last

	turn sync.RWMutex // held by all that write, or by one

	mu    sync.Mutex
	first map[fileKey]*linked // files of several names, by the first that was met
	busy  map[string]bool     // paths that are being written, folded where the target folds case
}

// Run restores sources below root. Everything that fails is told to Options.Done and costs nothing else; the error is of
// what ends the run: the context, or a source that cannot be had.
func Run(ctx context.Context, root *os.Root, sources iter.Seq2[Source, error], opts Options) error {
	r, err := newRun(ctx, root, opts)
	if err != nil {
		return err
	}
	var workers sync.WaitGroup
	for range r.opts.Jobs {
		workers.Go(func() {
			c := &copier{ctx: ctx, partial: opts.Partial, noHash: opts.NoHash && !opts.Verify, tick: func(n int64) { r.done.add(0, n) }}
			for task := range r.tasks {
				task(c)
			}
		})
	}
	var at *place
	for it, err2 := range walk(ctx, sources, r.names, r.fold) {
		if err = err2; err != nil {
			break
		}
		at = it.at
		r.item(&it)
	}
	close(r.tasks)
	workers.Wait()
	for ; at != nil; at = at.up { // where the walk was ended
		if at.folder != nil {
			at.folder.close()
		}
	}
	return errors.Join(err, r.sidecar.close())
}

// newRun looks at what the target can hold.
func newRun(ctx context.Context, root *os.Root, opts Options) (*run, error) {
	r := &run{ctx: ctx, opts: opts, done: tally{told: opts.Progress}, tasks: make(chan func(*copier)), top: topFolder(root), first: map[fileKey]*linked{}, busy: map[string]bool{}}
	if r.opts.Jobs <= 0 {
		r.opts.Jobs = runtime.GOMAXPROCS(0)
	}
	if opts.Resume {
		r.warn(removeOwnParts(root))
	}
	var left, err error
	r.target, left, err = detect(root)
	if r.warn(left); err != nil {
		return nil, err
	}
	limits, left, err := probe(root)
	r.warn(left)
	if err != nil {
		return nil, err
	}
	r.names = opts.Names.and(limits.names)
	if limits.folds {
		r.fold = fold
	}
	if !opts.NoSidecar {
		r.sidecar = &sidecar{root: root, resume: opts.Resume}
		_, err := root.Lstat(SidecarName) // a line there would be that of the file before
		r.spare = opts.Spare && errors.Is(err, fs.ErrNotExist)
	}
	return r, nil
}

// warn tells of what stays in the target, if anything does.
func (r *run) warn(err error) {
	if err != nil && r.opts.Warn != nil {
		r.opts.Warn(err)
	}
}

func (r *run) tell(res Result) {
	if errors.Is(res.Err, errSkipped) {
		res.Skipped, res.Err = true, nil
	}
	res.At = time.Now().UTC()
	r.done.add(1, 0)
	if r.opts.Done != nil {
		r.opts.Done(res)
	}
}

// item restores what the walk came to: directories at once, the rest by a task.
func (r *run) item(it *item) {
	r.order++
	it.res.Order = r.order
	switch {
	case it.done:
		d := r.folderOf(it.at)
		d.order = r.order
		r.left(d)
	case it.res.Err != nil:
		r.tell(it.res)
	case it.res.Type == "dir":
		r.folderOf(it.at).open(r) // its error is told when it is left
	default:
		dir := r.folderOf(it.at)
		dir.pending.Add(1)
		node, res := it.node, it.res
		task := func(c *copier) {
			defer r.left(dir)
			r.tell(r.one(c, dir, node, res))
		}
		select {
		case r.tasks <- task:
		case <-r.ctx.Done():
			r.left(dir)
		}
	}
}

// one restores a file or link, and says what became of it.
func (r *run) one(c *copier, dir *folder, n *ntfs.Node, res Result) Result {
	if err := r.ctx.Err(); err != nil {
		res.Err = context.Cause(r.ctx)
		return res
	}
	root, err := dir.open(r)
	if err != nil {
		res.Err = err
		return res
	}
	w := &writer{run: r, copier: c, root: root, dir: dir, node: n, stream: res.Stream, res: res, name: path.Base(res.Path)}
	if !r.claim(res.Path) {
		res.Err = fmt.Errorf("is being written from another source: %w", ErrExists)
		return res
	}
	defer r.unclaim(res.Path)
	if n.Links > 1 && res.Stream == "" {
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
	if r.fold != nil {
		return r.fold(name)
	}
	return name
}
