package restore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"runtime"
	"strings"
	"time"

	"snapmount/imagefmt/layer"
)

// Format is a kind of archive.
type Format uint8

const (
	Tar Format = iota // POSIX (pax), with all that NTFS has as extended attributes, and holes
	Zip
)

// A packer writes the members of an archive.
type packer interface {
	// names adds to the rule for names what the archive wants; fold gives names that should not stand beside each other
	// the same text, nil for none.
	names(Names) (rule Names, fold func(string) string)
	dir(path string, m *Meta) error
	// fits says why the archive cannot hold b.
	fits(b body) error
	// file begins a file; what is written then are the spans of b. A Closer is closed.
	file(path string, m *Meta, b body) (io.Writer, error)
	link(path, text string, m *Meta) error
	// small makes a file of content, which write adds. It may be called by many at once.
	small(path string, m *Meta, content []byte) (write func() error, err error)
	// hardLink reports false where the archive has no such links.
	hardLink(path, first string, m *Meta) (bool, error)
	// loose gives the streams that m cannot have in its member, and names what else is lost.
	loose(m *Meta) (streams []*Stream, lost []string)
	// streamsLast says that members for streams have to follow all others.
	streamsLast() bool
	close() error
}

// An archiver writes sources to one archive.
type archiver struct {
	opts   Options
	done   tally
	pack   packer
	copier *copier
	reader *copier           // of what is not written yet
	there  map[[16]byte]bool // members, by the hash of their paths; true for directories
	first  map[fileKey]linked
	late   []lateStream
	lines  *sidecar            // nil without one
	fold   func(string) string // as walk has it
}

// Archive writes sources as one archive to out, in the order of the volumes' directories. Options are as for Run, those
// that are about a target aside. A file of which something is not in the image is an error of that file, and no member,
// where the tables of the volume tell or Verify is set, which reads each file twice; else, and where it is larger than
// 1 MiB, an error in its midst is that of Archive, and out is no whole archive. Without NoSidecar the last member, but for what
// Options.Last gives, has the
// metadata of all others, for Apply where the archive is unpacked: SidecarName.
func Archive(ctx context.Context, out io.Writer, format Format, sources iter.Seq2[Source, error], opts Options) error {
	a := &archiver{opts: opts, done: tally{told: opts.Progress}, there: map[[16]byte]bool{}, first: map[fileKey]linked{}}
	out = lasting{ctx, out}
	a.pack = &tarPacker{out: out}
	if format == Zip {
		a.pack = newZipPacker(out)
	}
	if a.opts.Jobs <= 0 {
		a.opts.Jobs = runtime.GOMAXPROCS(0)
	}
	a.opts.Names, a.fold = a.pack.names(opts.Names)
	a.copier = &copier{ctx: ctx, partial: opts.Partial, tick: func(n int64) { a.done.add(0, n) }}
	a.reader = &copier{ctx: ctx, partial: opts.Partial, tick: func(int64) {}}
	if !opts.NoSidecar {
		a.lines = &sidecar{}
		defer a.lines.close() // of what is removed already
	}
	for t, err := range a.inTurn(ctx, walk(ctx, sources, a.opts.Names, a.fold)) {
		if err == nil {
			err = a.item(&t.item, t.small)
		}
		if err != nil {
			return err
		}
	}
	for i := range a.late {
		if err := a.lateStream(&a.late[i]); err != nil {
			return err
		}
	}
	if err := a.addLines(); err != nil {
		return err
	}
	if opts.Last != nil {
		last, err := opts.Last()
		if err == nil {
			err = a.addOwn(ReceiptName, last)
		}
		if err != nil {
			return err
		}
	}
	return a.pack.close()
}

// lasting is a writer that fails when its context has ended, in whatever loop that is found.
type lasting struct {
	ctx context.Context
	out io.Writer
}

func (l lasting) Write(p []byte) (int, error) {
	if l.ctx.Err() != nil {
		return 0, context.Cause(l.ctx)
	}
	return l.out.Write(p)
}

// ending gives an error that ends the archive.
func ending(res *Result) error {
	var ends writeError
	if errors.As(res.Err, &ends) {
		return fmt.Errorf("%s: %w", res.Path, ends)
	}
	return nil
}

// writeError is an error that ends the archive.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// item adds one item, and tells what became of it. Its error ends the archive.
func (a *archiver) item(it *item, s *small) error {
	res := &it.res
	if res.Err == nil {
		res.Err = a.add(it, s)
	}
	if res.Err == nil && res.Type == "dir" && it.node == nil {
		return nil
	}
	res.At = time.Now().UTC()
	if errors.Is(res.Err, errSkipped) {
		return nil
	}
	a.done.add(1, 0)
	if a.opts.Done != nil {
		a.opts.Done(*res)
	}
	return ending(res)
}

// claim takes a path for a member.
func (a *archiver) claim(p string, dir bool) error {
	if a.fold != nil {
		p = a.fold(p)
	}
	sum := sha256.Sum256([]byte(p))
	key := [16]byte(sum[:])
	was, known := a.there[key]
	switch {
	case known && dir && was:
		return errSkipped
	case known:
		return ErrExists
	}
	a.there[key] = dir
	return nil
}

func (a *archiver) add(it *item, s *small) error {
	res := &it.res
	if err := a.claim(res.Path, res.Type == "dir"); err != nil {
		return err
	}
	if s != nil {
		return a.addSmall(res, s)
	}
	m := Meta{Type: res.Type}
	if it.node != nil {
		var err error
		if m, err = a.meta(it); err != nil {
			return err
		}
	}
	m.Path, m.Name = res.Path, res.Mapped
	if linked, err := a.linked(it, &m); linked {
		return err
	}
	streams, lost := a.pack.loose(&m)
	res.Lost = append(res.Lost, lost...)
	for _, s := range streams {
		s.File, s.Data = a.streamFile(res.Path, s.Name), nil
	}
	var err error
	switch res.Type {
	case "dir":
		err = a.ended(a.pack.dir(res.Path, &m))
	case "link":
		err = a.link(it, &m)
	default:
		err = a.file(it, &m)
	}
	for _, s := range streams {
		if err == nil {
			err = a.stream(&lateStream{Result{Path: res.Path, Origin: res.Origin, Ref: res.Ref, Type: "file"}, m.Modified, *s})
		}
	}
	if err == nil && it.node != nil {
		err = a.keep(&m)
	}
	return err
}

// ended marks an error of the archive itself.
func (a *archiver) ended(err error) error {
	if err == nil {
		return nil
	}
	return writeError{err}
}

func (a *archiver) meta(it *item) (Meta, error) {
	n := it.node
	if it.res.Stream != "" {
		return Meta{Type: "file", Modified: n.Times.Modified, Accessed: n.Times.Accessed, Created: n.Times.Created, Changed: n.Times.Changed}, nil
	}
	m, err := ReadMeta(n)
	if n.Links > 1 && m.ShortName != "" && it.at.node != nil {
		var err2 error
		m.ShortName, err2 = shortName(n, it.at.node.Ref, cmp.Or(it.res.Mapped, path.Base(it.res.Path)))
		err = errors.Join(err, err2)
	}
	if err != nil && a.opts.Partial {
		it.res.Lost = append(it.res.Lost, "metadata: "+err.Error())
		err = nil
	}
	return m, err
}

func (a *archiver) link(it *item, m *Meta) error {
	text, err := (&writer{run: &run{opts: a.opts}, node: it.node}).linkText()
	if err != nil {
		return err
	}
	if strings.ContainsRune(text, 0) {
		return fmt.Errorf("link to %q: %w", text, layer.ErrUnsupported)
	}
	it.res.Link, it.res.Lost = text, append(it.res.Lost, "link of Windows")
	return a.ended(a.pack.link(it.res.Path, text, m))
}

// linked adds a further name of a file. It reports false for a first one, and where the archive has it as another file.
func (a *archiver) linked(it *item, m *Meta) (bool, error) {
	if it.res.Type != "file" || it.res.Stream != "" || it.node.Links < 2 {
		return false, nil
	}
	first := a.first[fileKey{it.node.Tree(), it.node.Ref}]
	if first.path == "" {
		return false, nil
	}
	m.Link = first.path
	ok, err := a.pack.hardLink(it.res.Path, first.path, m)
	if err != nil || !ok {
		return ok, a.ended(err)
	}
	it.res.Size, it.res.SHA256 = it.node.Size, first.sum
	return true, a.keep(&Meta{Path: m.Path, Name: m.Name, Type: m.Type, Link: m.Link, ShortName: m.ShortName})
}

// file adds a file, and the note of what is missing in it.
func (a *archiver) file(it *item, m *Meta) error {
	res := &it.res
	content, err := contentOf(it.node, it.res.Stream)
	if err != nil {
		return err
	}
	res.Size = content.Size()
	b, gaps, err := a.look(content)
	if err != nil {
		return err
	}
	res.Gaps = gaps
	if res.SHA256, err = a.send(res.Path, m, b); err != nil {
		return err
	}
	if it.node.Links > 1 && it.res.Stream == "" && m.Link == "" {
		a.first[fileKey{it.node.Tree(), it.node.Ref}] = linked{path: res.Path, sum: res.SHA256}
	}
	if len(gaps) == 0 {
		return nil
	}
	note, err := rangesNote(res.Size, gaps)
	if err != nil {
		return err
	}
	name := path.Join(path.Dir(res.Path), noteName(path.Base(res.Path), 0))
	for i := 1; a.claim(name, false) != nil; i++ {
		name = path.Join(path.Dir(res.Path), noteName(path.Base(res.Path), i))
	}
	_, err = a.send(name, &Meta{Type: "file", Modified: m.Modified}, whole(note))
	return err
}
