package timeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

const (
	recordRoot = 5
	// maxDepth is more directories than a path of 32,767 characters, the most that Windows takes, can name.
	maxDepth = 1 << 14
	// maxKept and maxKeptBytes bound the paths of directories that are kept at hand.
	maxKept, maxKeptBytes = 1 << 16, 16 << 20
)

// Dirs knows the names of all directories at all points in time. It is not safe for concurrent use: it keeps the paths
// that it gave last.
type Dirs struct {
	list   []dir // by record, then by time
	kept   map[span][]Segment
	bytes  int
	ended  error // the cause, where the reading was ended
	nested error
}

// A dir is a directory under one name, from point first to last.
type dir struct {
	record      uint64
	parent      ntfs.Ref
	name        string
	first, last int32
	seq         uint16
}

// span is a directory over an interval.
type span struct {
	ref         ntfs.Ref
	first, last int
}

// A Segment is the path of a file from point First to point Last.
type Segment struct {
	Path        string // with a leading slash from the root on; without, where Orphan
	Orphan      bool   // the first name is not known to have been in any directory then
	First, Last int
}

// ReadDirs reads the directories of all points. What cannot be read is missing: Versions tells it.
func ReadDirs(ctx context.Context, points []*ntfs.Tree, progress layer.Progress) *Dirs {
	d := &Dirs{kept: map[span][]Segment{}}
	names := map[string]string{}
	for v, err := range Versions(ctx, points, Options{Directories: true, Progress: progress.As("reading directories")}) {
		if err != nil || !v.Node.Dir() || len(v.Names) == 0 {
			continue
		}
		name := v.Names[0]
		if i := slices.IndexFunc(v.Names, func(n ntfs.Name) bool { return n.Namespace != ntfs.NamespaceDOS }); i > 0 {
			name = v.Names[i]
		}
		if known, ok := names[name.Name]; ok {
			name.Name = known
		} else if len(names) < 1<<20 {
			names[name.Name] = name.Name
		}
		d.add(dir{v.Node.Ref.Record, name.Parent, name.Name, int32(v.First), int32(v.Last), v.Node.Live().Seq})
	}
	d.ended = context.Cause(ctx)
	return d
}

// add appends a directory, or lets the last one go on.
func (d *Dirs) add(x dir) {
	if k := len(d.list) - 1; k >= 0 {
		last := d.list[k]
		last.last++
		if y := x; last.last == x.first {
			if y.first, y.last = last.first, last.last; y == last {
				d.list[k].last = x.last
				return
			}
		}
	}
	d.list = append(d.list, x)
}

// Err says that directories were found to contain themselves, or that ReadDirs was ended.
func (d *Dirs) Err() error { return cmp.Or(d.ended, d.nested) }

// Paths gives the paths of a name over an interval, in order of time: more than one where a directory above it was
// renamed, moved or replaced.
func (d *Dirs) Paths(n ntfs.Name, first, last int) []Segment {
	above, ok := d.up(n.Parent, first, last, 0)
	if !ok {
		if d.nested == nil {
			d.nested = fmt.Errorf("directory %v: nested without end: %w", n.Parent, layer.ErrCorrupt)
		}
		return []Segment{{n.Name, true, first, last}}
	}
	out := make([]Segment, len(above))
	for i, s := range above {
		s.Path = under(s, n.Name)
		out[i] = s
	}
	return out
}

// under is the path of a name in a directory.
func under(s Segment, name string) string {
	if s.Orphan && s.Path == "" {
		return name
	}
	return s.Path + "/" + name
}

// up gives the paths of a directory; the root's is "". It reports false where they have no end.
func (d *Dirs) up(ref ntfs.Ref, first, last, depth int) ([]Segment, bool) {
	if ref.Record == recordRoot {
		return []Segment{{First: first, Last: last}}, true
	}
	k := span{ref, first, last}
	if s, ok := d.kept[k]; ok {
		return s, s != nil
	}
	if depth > maxDepth {
		return nil, false
	}
	var out []Segment
	at := first
	i := sort.Search(len(d.list), func(i int) bool {
		x := &d.list[i]
		return cmp.Or(cmp.Compare(x.record, ref.Record), cmp.Compare(int(x.last), first)) >= 0
	})
	for ; i < len(d.list) && d.list[i].record == ref.Record && int(d.list[i].first) <= last; i++ {
		x := &d.list[i]
		if x.seq != ref.Seq {
			continue
		}
		from, to := max(first, int(x.first)), min(last, int(x.last))
		if at < from {
			out = append(out, Segment{Orphan: true, First: at, Last: from - 1})
		}
		above, ok := d.up(x.parent, from, to, depth+1)
		if !ok {
			d.keep(k, nil)
			return nil, false
		}
		for _, s := range above {
			s.Path = under(s, x.name)
			out = append(out, s)
		}
		at = to + 1
	}
	if at <= last {
		out = append(out, Segment{Orphan: true, First: at, Last: last})
	}
	out = mergeSegments(out)
	d.keep(k, out)
	return out, true
}

// keep has the paths at hand for what lies in the same directory.
func (d *Dirs) keep(k span, s []Segment) {
	if len(d.kept) >= maxKept || d.bytes > maxKeptBytes {
		clear(d.kept)
		d.bytes = 0
	}
	for i := range s {
		d.bytes += len(s[i].Path)
	}
	d.kept[k] = s
}

// mergeSegments joins neighbours of one path.
func mergeSegments(list []Segment) []Segment {
	out := list[:0]
	for _, s := range list {
		if k := len(out) - 1; k >= 0 && out[k].Path == s.Path && out[k].Orphan == s.Orphan && out[k].Last+1 == s.First {
			out[k].Last = s.Last
		} else {
			out = append(out, s)
		}
	}
	return out
}
