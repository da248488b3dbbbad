package timeline

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/content"
	"snapmount/ntfs/pattern"
)

// A Query says which files to find. What is zero does not count.
type Query struct {
	Name     *pattern.Pattern
	Below    string // path of a directory, or of a file
	Size     *Range[int64]
	Modified *Range[wintype.Filetime]
	Created  *Range[wintype.Filetime]
	Kinds    []ntfs.Kind
	Attr     ntfs.FileAttr // all of them
	Owner    string        // a SID
	Content  *Content
	State    *content.State // of the content, as package content judges it against what the file had before
	Streams  bool           // named streams too
	Deleted  bool           // only what the newest point lacks; the records of deleted files too
	System   bool           // metafiles and the files of VSS too
	Versions bool           // a hit for each version
}

// Range is from Min to Max, both included.
type Range[T int64 | wintype.Filetime] struct{ Min, Max T }

func (r *Range[T]) holds(v T) bool { return r == nil || v >= r.Min && v <= r.Max }

// A Hit is a file under one path, or a stream of it, over the interval in which every version was found. What may differ
// from version to version is as the newest has it.
type Hit struct {
	Ref         ntfs.Ref
	Path        string // as in Segment; with :STREAM for a named stream
	Stream      string
	Orphan      bool
	Deleted     bool  // found in the record of a deleted file
	First, Last int   // points
	Versions    int   // of the file, as compare.Tally counts them, in the interval
	Version     int   // number of the newest of them, from 1; 0 where the file could not be had whole
	Unknown     error // why it is not known of one whether it is the version before
	Size        int64
	Kind        ntfs.Kind
	Attr        ntfs.FileAttr
	Modified    wintype.Filetime
	Created     wintype.Filetime
	By          string           // name, path, ads or content
	Verdict     *content.Verdict // on the content of the newest version, with Query.State
	Matches     []Match
	Err         error // what of the content could not be searched
}

// Find yields what matches q, by record number, then by time, path and stream. What could not be looked at is an
// error beside a Hit that is empty but for First and Last; a *Gap where it was records. The cause of the end of ctx is the
// last: no hit after it is known to be missing.
func Find(ctx context.Context, points []*ntfs.Tree, d *Dirs, q Query, progress layer.Progress) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		f := &finder{ctx: ctx, points: points, dirs: d, q: q, owners: owners{}, yield: yield, open: map[place]int{}, last: map[string]searched{},
			counter: counter{ctx: ctx, points: points}}
		for _, t := range points {
			if t != nil {
				f.upper = t.Upper
				f.q.Below = strings.TrimSuffix(t.Upper(strings.ReplaceAll(q.Below, `\`, "/")), "/")
			}
		}
		if q.Deleted && !f.newest() {
			yield(Hit{First: len(points) - 1, Last: len(points) - 1}, errNoNewest)
			return
		}
		for v, err := range Versions(ctx, points, Options{Progress: progress.As("searching")}) {
			if !f.take(&v, err) {
				return
			}
		}
		if !f.flush() {
			return
		}
		if err := d.Err(); err != nil {
			yield(Hit{Last: len(points) - 1}, err)
		}
	}
}

type finder struct {
	ctx    context.Context
	points []*ntfs.Tree
	dirs   *Dirs
	q      Query
	upper  func(string) string
	owners owners
	yield  func(Hit, error) bool

	group   []Version // of the record that is under way
	counter counter
	parts   []Version // of group, by number, once they are asked for

	verdicts map[int]judged // on group's parts, by number, with Query.State

	lost error // why what one record has had may be there still
	gap  *Gap  // at the newest point, the last one that was met
	hits []Hit
	open map[place]int       // the newest hit of a place
	last map[string]searched // of each stream of the record, as it was searched last
}

// A place is where a file was found.
type place struct {
	ref          ntfs.Ref
	path, stream string
}

var errNoNewest = errors.New("the newest point cannot be opened: what it lacks is not known")

// newest reports whether the newest point can be looked at.
func (f *finder) newest() bool { return len(f.points) > 0 && f.points[len(f.points)-1] != nil }

// note remembers of which records the newest point tells nothing. Gaps come in the order of records, as versions do.
func (f *finder) note(g *Gap) {
	if g.Last == len(f.points)-1 {
		f.gap = g
	}
}

// unknown reports whether it cannot be known what the newest point has in a record.
func (f *finder) unknown(record uint64) bool {
	t := f.points[len(f.points)-1]
	beyond := record >= t.Records() && record < uint64(t.MFT().Size())/uint64(t.RecordSize()) // out of reach
	return beyond || f.gap != nil && f.gap.From <= record && record < f.gap.To
}

// take adds a version to those of its record, which are searched when another one begins. It reports whether to go on.
func (f *finder) take(v *Version, err error) bool {
	gap, isGap := err.(*Gap)
	switch {
	case err != nil && f.ctx.Err() != nil:
		f.yield(Hit{}, err)
		return false
	case isGap:
		if len(f.group) > 0 && gap.From > f.group[0].Node.Ref.Record && !f.flush() {
			return false
		}
		f.note(gap)
	}
	if err != nil {
		return f.yield(Hit{First: v.First, Last: v.Last}, err)
	}
	if len(f.group) > 0 && f.group[0].Node.Ref.Record != v.Node.Ref.Record && !f.flush() {
		return false
	}
	if err := damage(v); err != nil && !f.yield(Hit{First: v.First, Last: v.Last}, err) {
		return false
	}
	f.group = append(f.group, *v)
	return true
}

// flush yields what is found among the versions of a record, and reports whether to go on.
func (f *finder) flush() bool {
	hits := f.file(f.group)
	f.group = f.group[:0]
	if f.ctx.Err() != nil { // not all of them was searched
		f.yield(Hit{}, context.Cause(f.ctx))
		return false
	}
	if newest := len(f.points) - 1; f.lost != nil && !f.yield(Hit{First: newest, Last: newest}, f.lost) {
		return false
	}
	for _, h := range hits {
		if !f.yield(h, nil) {
			return false
		}
	}
	return true
}

// file finds among the versions of one record. What may be there still, for all that can be known, is not deleted.
func (f *finder) file(group []Version) []Hit {
	f.hits, f.lost = f.hits[:0], nil
	if f.q.Deleted && len(group) > 0 && f.unknown(group[0].Node.Ref.Record) {
		return nil
	}
	clear(f.open)
	clear(f.last)
	f.parts, f.verdicts = nil, nil
	for i := range group {
		v := &group[i]
		if f.q.Deleted && f.isThere(group, v.Node.Ref) || v.Node.Deleted && (!f.q.Deleted || seenAlive(group, v.Node.Live())) {
			continue
		}
		if f.wanted(v) {
			f.version(v)
		}
	}
	if len(f.hits) == 0 {
		return nil
	}
	if f.lost = f.contradicted(group); f.lost == nil && f.q.Deleted {
		f.lost = f.mayBeThere(group)
	}
	if f.lost != nil && f.q.Deleted {
		return nil
	}
	return f.hits
}

// wanted applies what of the query is about the file record.
func (f *finder) wanted(v *Version) bool {
	n, q := v.Node, &f.q
	return (q.System || !system(v)) && (len(q.Kinds) == 0 || slices.Contains(q.Kinds, n.Kind)) && n.Attr&q.Attr == q.Attr &&
		q.Modified.holds(n.Times.Modified) && q.Created.holds(n.Times.Created) &&
		(q.Owner == "" || strings.EqualFold(q.Owner, f.owners.of(n)))
}

// system reports whether a file is one that NTFS or VSS keeps for itself.
func system(v *Version) bool {
	return v.Node.Metafile() || slices.ContainsFunc(v.Names, func(n ntfs.Name) bool {
		return compare.IsStore(n.Name)
	})
}

// belowSystem reports whether a path leads through a directory that NTFS keeps for itself.
func belowSystem(s Segment) bool { return strings.HasPrefix(s.Path, "/$Extend/") }

// links gives the names of a version that are not 8.3 names, or those where there are no others.
func links(v *Version) []ntfs.Name {
	long := slices.DeleteFunc(slices.Clone(v.Names), func(n ntfs.Name) bool { return n.Namespace == ntfs.NamespaceDOS })
	if len(long) > 0 || v.Node.Ref.Record == recordRoot {
		return long
	}
	return v.Names
}

// version finds the paths and streams of a version that match.
func (f *finder) version(v *Version) {
	if v.Node.Ref.Record == recordRoot {
		return
	}
	names, dir := links(v), v.Node.Kind == ntfs.KindDir
	if len(names) == 0 {
		names = []ntfs.Name{nameless(v)}
	}
	for _, name := range names {
		if p := f.q.Name; p != nil && !p.ByPath() && !f.q.Streams && !p.Match(name.Name, dir) {
			continue
		}
		for _, s := range f.dirs.Paths(name, v.First, v.Last) {
			if !f.q.System && belowSystem(s) || !f.below(s) {
				continue
			}
			if by, ok := f.matches(name.Name, s.Path, dir); ok && f.q.Size.holds(v.Node.Size) {
				f.hit(v, s, Hit{Path: s.Path, Size: v.Node.Size, By: by})
			}
			f.streams(v, name.Name, s)
		}
	}
}

// streams finds named streams.
func (f *finder) streams(v *Version, name string, s Segment) {
	if !f.q.Streams {
		return
	}
	for _, st := range v.Streams {
		if st.Name == "" || !f.q.Size.holds(st.Size) {
			continue
		}
		_, ok := f.matches(st.Name, s.Path+":"+st.Name, false)
		if _, whole := f.matches(name+":"+st.Name, s.Path+":"+st.Name, false); ok || whole {
			f.hit(v, s, Hit{Path: s.Path + ":" + st.Name, Stream: st.Name, Size: st.Size, By: "ads"})
		}
	}
}

// below reports whether a path is the one that was asked for, or below it.
func (f *finder) below(s Segment) bool {
	if f.q.Below == "" {
		return true
	}
	path := f.upper(strings.TrimPrefix(s.Path, "/"))
	rest, ok := strings.CutPrefix(path, strings.TrimPrefix(f.q.Below, "/"))
	return ok && !s.Orphan && (rest == "" || rest[0] == '/')
}

func (f *finder) matches(name, path string, dir bool) (by string, ok bool) {
	switch p := f.q.Name; {
	case p == nil:
		return "name", true
	case p.ByPath():
		return "path", p.Match(path, dir)
	default:
		return "name", p.Match(name, dir)
	}
}

// hit adds h, a file or stream of v, over the interval of a path.
func (f *finder) hit(v *Version, s Segment, h Hit) {
	if (f.q.Content != nil || f.q.State != nil) && v.Node.Kind != ntfs.KindFile && h.Stream == "" {
		return
	}
	if f.parts == nil {
		f.parts = f.counter.count(f.group)
	}
	for i := range f.parts {
		p := &f.parts[i]
		if p.First < v.First || p.Last > v.Last || p.First > s.Last || p.Last < s.First {
			continue
		}
		n := p.Node
		h.Ref, h.Deleted, h.Kind, h.Attr, h.Modified, h.Created = n.Ref, n.Deleted, n.Kind, n.Attr, n.Times.Modified, n.Times.Created
		h.Orphan, h.First, h.Last = s.Orphan, max(s.First, p.First), min(s.Last, p.Last)
		h.Version, h.Versions, h.Unknown = p.Number, min(p.Number, 1), p.Unknown
		if f.q.State != nil && !f.inState(i, &h) {
			continue
		}
		if f.q.Content == nil {
			f.merge(h)
		} else {
			f.search(p, h)
		}
	}
}

// merge adds a hit, or lets the one before it at the same place go on.
func (f *finder) merge(h Hit) {
	k := place{h.Ref, h.Path, h.Stream}
	if i, ok := f.open[k]; ok {
		old := &f.hits[i]
		alike := old.Last+1 == h.First && old.Orphan == h.Orphan && slices.Equal(old.Matches, h.Matches) && (old.Err == nil) == (h.Err == nil)
		if alike && (!f.q.Versions || old.Version == h.Version) {
			h.First, h.Unknown = old.First, cmp.Or(old.Unknown, h.Unknown)
			switch h.Version {
			case 0, old.Version:
				h.Version, h.Versions = old.Version, old.Versions
			default:
				h.Versions += old.Versions
			}
			*old = h
			return
		}
	}
	f.open[k] = len(f.hits)
	f.hits = append(f.hits, h)
}
