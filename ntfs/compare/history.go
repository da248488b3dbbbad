package compare

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"snapmount/ntfs"
)

// A Moment is one of the trees that a history is told of. Its functions may be called often.
type Moment struct {
	Tree func() (*ntfs.Tree, error)
	// Find follows the path of the location: the node, and the stream if that names one. It wraps fs.ErrNotExist where
	// the path leads nowhere.
	Find func() (n *ntfs.Node, stream string, err error)
}

// An Event is why a version is not the one before it.
type Event uint8

// The events. Those of one version stand in this order.
const (
	EventCreated    Event = iota // there was no such file at the moment before
	EventReplaced                // the path led to another file at the moment before
	EventReappeared              // the path, or the file, was there once, and not at the moment before
	EventDeleted                 // the file is no more: no version, but its end
	EventRenamed                 // it has another name in its directory
	EventMoved                   // it is in another directory, or a directory above it was renamed or moved
	EventLinks                   // it has other hard links; the path is one of both
	EventContent                 // the unnamed stream is another one
	EventStreams                 // a named stream is another one
	EventMetadata                // what Fields names was changed, and no other event says why
	EventUnknown                 // Err is why it is not known whether, and how, the file was there or changed
)

func (e Event) String() string {
	return [...]string{"created", "replaced", "reappeared", "deleted", "renamed", "moved", "links", "content", "streams", "metadata", "unknown"}[e]
}

// A Version is what a file was from one moment to another, or that it was not there.
type Version struct {
	Number      int // counts the versions of one file, or of the files that one path led to, from 1; 0 when it is none
	Ref         ntfs.Ref
	Path        string   // from the root, with a slash before; of what is deleted or unknown, the last one known
	OldPath     string   // before it was renamed or moved
	Replaces    ntfs.Ref // what the path led to at the moment before
	First, Last int      // moments
	Node        *ntfs.Node
	Stream      string // that the history is of, "" for the whole file
	Size        int64  // bytes
	Joined      bool   // it is the version of the moment before First, or of several, which SameBy proved
	SameBy      By     // ByBytes if that was needed once
	Events      []Event
	Fields      []string // of the metadata, that differ from the version before
	Err         error    // why something is unknown

	file   *file
	own    int      // counts the versions of the file
	parent ntfs.Ref // of the link that Path is
}

// HistoryOptions say what History tells. The zero value works.
type HistoryOptions struct {
	Path  string // of the location: the name that is shown of a file with several
	First int    // the moment at which Path is looked up first, which says whether a stream is meant; then the last ones
	Every bool   // a Version for each moment
	// Hide says which entries of a directory are left out, beside metafiles; System shows all.
	Hide   func(ntfs.Entry) bool
	System bool
}

// history is what is known of the location.
type history struct {
	ctx     context.Context
	opts    HistoryOptions
	moments []Moment
	found   []found   // by moment
	above   []dirPath // by moment: the directory whose path was asked for last
	stream  string
}

// found is where the path leads.
type found struct {
	ref ntfs.Ref
	ok  bool
	err error // why that is not known
}

// A file is one that is followed through time.
type file struct {
	ref    ntfs.Ref
	prefer func(moment int, l hardLink) bool // whether that is the name to show
	main   bool                              // the path led to it once
}

// History tells the versions of the file that a path leads to, oldest moment first in moments. It follows every file
// that the path leads to at any moment, by its reference, through renames and moves. Two moments have the same version
// when all streams and the metadata are equal, but for the time of the last access; with a stream, when that is equal.
// Versions come in the order of First. What is unknown at a moment is a Version with an Err, and hides no other moment.
//
// Of a directory, the versions of each file that ever was in it follow, while it was and for one version after; they
// come by name. Where ctx ends, its cause is the last of the sequence, and versions are missing. History returns an error
// that wraps fs.ErrNotExist when the path leads nowhere at all moments.
func History(ctx context.Context, moments []Moment, opts HistoryOptions) (iter.Seq2[Version, error], error) {
	h := &history{ctx: ctx, opts: opts, moments: moments, above: make([]dirPath, len(moments))}
	refs, err := h.find()
	if err != nil {
		return nil, err
	}
	return func(yield func(Version, error) bool) {
		var rows []Version
		dirs := map[ntfs.Ref]bool{}
		for _, ref := range refs {
			own := h.follow(&file{ref: ref, prefer: h.isLocation, main: true})
			if ctx.Err() != nil {
				yield(Version{}, context.Cause(ctx))
				return
			}
			rows = append(rows, own...)
			if h.stream == "" && slices.ContainsFunc(own, func(v Version) bool { return v.Node != nil && v.Node.Kind == ntfs.KindDir }) {
				dirs[ref] = true
			}
		}
		rows = append(rows, h.lost(rows)...)
		slices.SortStableFunc(rows, func(a, b Version) int { return cmp.Compare(a.First, b.First) })
		if yieldNumbered(rows, yield) && len(dirs) > 0 {
			h.entries(dirs, yield)
		}
	}, nil
}

// yieldNumbered counts versions, of which several rows may be the same one, and yields the rows.
func yieldNumbered(rows []Version, yield func(Version, error) bool) bool {
	type version struct {
		f   *file
		own int
	}
	numbers := map[version]int{}
	for _, v := range rows {
		if k := (version{v.file, v.own}); v.own > 0 {
			if numbers[k] == 0 {
				numbers[k] = len(numbers) + 1
			}
			v.Number = numbers[k]
		}
		if !yield(v, nil) {
			return false
		}
	}
	return true
}

// find follows the path at all moments, first the one asked for, then from the newest on, and returns the files that it
// leads to, in the order of time.
func (h *history) find() ([]ntfs.Ref, error) {
	h.found = make([]found, len(h.moments))
	order := []int{h.opts.First}
	for i := len(h.moments) - 1; i >= 0; i-- {
		if i != h.opts.First {
			order = append(order, i)
		}
	}
	var refs []ntfs.Ref
	var missing, unknown error
	for _, i := range order {
		n, stream, err := h.moments[i].Find()
		switch {
		case err == nil:
			if len(refs) == 0 {
				h.stream = stream
			}
			h.found[i] = found{ref: n.Ref, ok: true}
			if !slices.Contains(refs, n.Ref) {
				refs = append(refs, n.Ref)
			}
		case errors.Is(err, fs.ErrNotExist):
			missing = cmp.Or(missing, err)
		default:
			h.found[i].err = err
			unknown = cmp.Or(unknown, err)
		}
	}
	if len(refs) == 0 {
		return nil, cmp.Or(unknown, missing, fmt.Errorf("no point in time: %w", fs.ErrNotExist))
	}
	since := func(ref ntfs.Ref) int {
		return slices.IndexFunc(h.found, func(f found) bool { return f.ok && f.ref == ref })
	}
	slices.SortFunc(refs, func(a, b ntfs.Ref) int { return cmp.Compare(since(a), since(b)) })
	return refs, nil
}

// lost tells of the moments at which it is not known where the path leads, as far as rows do not.
func (h *history) lost(rows []Version) (out []Version) {
	for i, f := range h.found {
		if f.err != nil && !slices.ContainsFunc(rows, func(v Version) bool { return v.Err != nil && v.First <= i && i <= v.Last }) {
			out = append(out, Version{Path: h.location(), First: i, Last: i, Events: []Event{EventUnknown}, Err: f.err})
		}
	}
	return out
}

// location is the path asked for.
func (h *history) location() string { return "/" + strings.Trim(h.opts.Path, "/") }

// isLocation reports whether the link is the path asked for.
func (h *history) isLocation(moment int, l hardLink) bool {
	t, err := h.moments[moment].Tree()
	if err != nil {
		return false
	}
	want := t.Upper(h.location())
	return t.Upper(l.name) == want[strings.LastIndexByte(want, '/')+1:] && t.Upper(h.path(moment, l)) == want
}

// arrival says what it means that the path leads to f at moment i: to what it led at the known moment before, and
// whether it led nowhere then but somewhere earlier.
func (h *history) arrival(i int, f *file) (replaces ntfs.Ref, reappeared bool) {
	if !f.main || !h.found[i].ok || h.found[i].ref != f.ref {
		return ntfs.Ref{}, false
	}
	gap := false
	for j := i - 1; j >= 0; j-- {
		switch was := h.found[j]; {
		case was.err != nil:
		case !was.ok:
			gap = true
		case gap:
			return ntfs.Ref{}, true
		case was.ref != f.ref:
			return was.ref, false
		default:
			return ntfs.Ref{}, false
		}
	}
	return ntfs.Ref{}, false
}
