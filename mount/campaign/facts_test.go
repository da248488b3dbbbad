package campaign

import (
	"context"
	"fmt"
	"hash/maphash"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

// A facts is all that was concluded of an image: what commands print is made of it.
type facts struct {
	failed  error    // of Open; nothing else is there
	told    []string // warnings and damage
	volumes []*volumeFacts
}

type volumeFacts struct {
	off     int64 // of the partition
	told    error
	points  []*pointFacts // oldest first, the current state last
	diffs   map[[2]string]*diffFacts
	gone    map[string]ntfs.Ref // by path
	goneErr []error
	hits    map[hitKey]hitFacts
	hitErr  []error
	gaps    []*timeline.Gap
	rows    map[string][]compare.Version // histories by path
}

type hitKey struct {
	ref          ntfs.Ref
	path, stream string
	deleted      bool
	orphan       bool
}

type hitFacts struct {
	first, last int
	size        int64
}

type diffFacts struct {
	err     error // of all
	changes map[change]bool
	failed  []failure
}

type change struct {
	kind           compare.Kind
	path, old      string
	ref            ntfs.Ref
	fields         string
	oldLen, newLen int64
}

type failure struct {
	path string
	ref  ntfs.Ref
	err  error
	last uint64 // record, of those in a row from that of ref on
}

// newFailure takes the records of a row, which are told together, from the text.
func newFailure(path string, ref ntfs.Ref, err error) failure {
	f := failure{path: path, ref: ref, err: err, last: ref.Record}
	var from, last uint64
	if n, _ := fmt.Sscanf(err.Error(), "file records %d to %d:", &from, &last); n == 2 && from == ref.Record {
		f.last = last
	}
	return f
}

type pointFacts struct {
	key     string // what tells points of two images apart: the store, or "current"
	point   *points.Point
	err     error // of Files
	files   map[string]*fileFacts
	dirs    map[string]error // by path, what their listing left out
	lost    map[uint64]*fileFacts
	lostErr error
	deleted map[uint64]bool // records
	used    map[uint64]bool // records of base files in use
}

type fileFacts struct {
	ref       ntfs.Ref
	kind      ntfs.Kind
	err       error // nothing else is known
	damage    error
	marked    bool // completed from the record
	streams   map[string]streamFacts
	streamErr error
	security  uint64
	secErr    error
	node      *ntfs.Node
	places    spans // of records and content, in the disk; of the truth only
}

type streamFacts struct {
	size   int64
	hash   uint64
	err    error // of opening or reading
	intact bool  // as it is judged
}

var hashSeed = maphash.MakeSeed()

// hidden are directories that commands leave out, too.
func hidden(name string) bool {
	return name == "System Volume Information" || name == "System Volume Information/"
}

// observe concludes all that can be of an open image. With sample, histories are told of these paths.
func observe(ctx context.Context, s *points.Set, places bool, sample map[int64][]string) *facts {
	f := &facts{}
	for _, v := range s.Volumes {
		if v.Filesystem != "ntfs" {
			continue
		}
		f.volumes = append(f.volumes, observeVolume(ctx, v, places, sample[v.Partition.Off]))
	}
	f.told = s.Warnings()
	return f
}

func observeVolume(ctx context.Context, v *points.Volume, places bool, sample []string) *volumeFacts {
	f := &volumeFacts{off: v.Partition.Off, told: v.Damage, diffs: map[[2]string]*diffFacts{}, gone: map[string]ntfs.Ref{},
		hits: map[hitKey]hitFacts{}, rows: map[string][]compare.Version{}}
	if f.told == nil {
		f.told = v.Current().Truncated()
	}
	ordered := append(v.Snapshots(), v.Current())
	for _, p := range ordered {
		f.points = append(f.points, observePoint(ctx, p, places))
	}
	for i := 1; i < len(f.points); i++ {
		f.diff(ctx, f.points[i-1], f.points[i])
	}
	if len(f.points) > 2 {
		f.diff(ctx, f.points[0], f.points[len(f.points)-1])
	}
	if len(ordered) > 1 {
		for _, g := range points.FindGone(ctx, ordered, nil, func(err error) { f.goneErr = append(f.goneErr, err) }) {
			f.gone[g.Path] = g.Ref
		}
	}
	f.find(ctx, ordered)
	for _, p := range sample {
		f.history(ctx, ordered, p)
	}
	return f
}

func keyOf(p *points.Point) string {
	if p.Snapshot == nil {
		return "current"
	}
	return p.Snapshot.StoreID.String()
}

func observePoint(ctx context.Context, p *points.Point, places bool) *pointFacts {
	f := &pointFacts{key: keyOf(p), point: p, files: map[string]*fileFacts{}, dirs: map[string]error{}, lost: map[uint64]*fileFacts{},
		deleted: map[uint64]bool{}, used: map[uint64]bool{}}
	t, err := p.Files()
	if f.err = err; err != nil {
		return f
	}
	root, err := t.Root()
	if err != nil {
		f.dirs[""] = err
	} else {
		f.walk(root, "", places, 0)
	}
	lost, err := p.Lost(ctx)
	f.lostErr = err
	for _, l := range lost {
		f.lost[l.Node.Ref.Record] = observeFile(l.Node, places)
		if l.Node.Kind == ntfs.KindDir {
			f.below(l.Node, places)
		}
	}
	for n, err := range t.Deleted() {
		if err == nil {
			f.deleted[n.Ref.Record] = true
		}
	}
	for n, err := range t.Nodes() {
		if err == nil {
			f.used[n.Ref.Record] = true
		}
	}
	return f
}

func (g *pointFacts) walk(dir *ntfs.Node, at string, places bool, depth int) {
	for e, err := range dir.Entries() {
		if err != nil {
			g.dirs[at] = err
			continue
		}
		if e.Metafile() {
			continue
		}
		name := path.Join(at, e.Name)
		n, err := e.Node()
		if err != nil {
			g.files[name] = &fileFacts{ref: e.Ref, kind: e.Kind, err: err}
			continue
		}
		if g.files[name] != nil {
			g.dirs[at+"\x00twice"] = fmt.Errorf("%s is there twice", name)
		}
		if hidden(name) {
			continue
		}
		x := observeFile(n, places)
		x.marked = e.FromRecord
		g.files[name] = x
		if n.Kind == ntfs.KindDir && depth < 64 {
			g.walk(n, name, places, depth+1)
		}
	}
}

// below gives what is in a lost directory as lost.
func (g *pointFacts) below(dir *ntfs.Node, places bool) {
	inner := &pointFacts{files: map[string]*fileFacts{}, dirs: map[string]error{}}
	inner.walk(dir, "", places, 0)
	for _, x := range inner.files {
		g.lost[x.ref.Record] = x
	}
	for _, err := range inner.dirs {
		g.lostErr = err
	}
}

func observeFile(n *ntfs.Node, places bool) *fileFacts {
	f := &fileFacts{ref: n.Ref, kind: n.Kind, damage: n.Damage, streams: map[string]streamFacts{}, node: n}
	infos, err := n.Streams()
	f.streamErr = err
	for _, i := range infos {
		f.streams[i.Name] = observeStream(n, i.Name)
	}
	b, err := n.Security()
	f.security, f.secErr = maphash.Bytes(hashSeed, b), err
	if places {
		f.places = placesOf(n)
	}
	return f
}

// maxRead is how much of a stream is read: small seeds have no larger ones.
const maxRead = 64 << 20

func observeStream(n *ntfs.Node, name string) (f streamFacts) {
	m, err := n.Stream(name)
	if err != nil {
		f.err = err
		return f
	}
	f.size, f.intact = m.Size(), points.Judge(n, name).Intact()
	var h maphash.Hash
	h.SetSeed(hashSeed)
	buf := make([]byte, min(1<<18, max(f.size, 1)))
	for off := int64(0); off < min(f.size, maxRead) && f.err == nil; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), f.size-off)]
		f.err = layer.ReadFull(m, p, off)
		h.Write(p)
	}
	f.hash = h.Sum64()
	return f
}

// placesOf says where on the disk the records and the content of a node are.
func placesOf(n *ntfs.Node) (out spans) {
	t := n.Tree()
	size := int64(t.RecordSize())
	for _, r := range append(n.Extensions(), n.Ref.Record) {
		out = append(out, resolved(t.MFT(), int64(r)*size, size)...)
	}
	for r := range n.Places() {
		if n.Kind != ntfs.KindDir { // an index has the records as a second witness
			out = append(out, resolved(t.Volume(), r.Off, r.Len)...)
		}
	}
	return out
}

func (f *volumeFacts) diff(ctx context.Context, a, b *pointFacts) {
	if a.err != nil || b.err != nil {
		return
	}
	d := &diffFacts{changes: map[change]bool{}}
	f.diffs[[2]string{a.key, b.key}] = d
	ta, _ := a.point.Files()
	tb, _ := b.point.Files()
	changes, err := compare.Trees(ctx, ta, tb, compare.Options{})
	if d.err = err; err != nil {
		return
	}
	for c, err := range changes {
		if err != nil {
			d.failed = append(d.failed, newFailure(c.Path, c.Ref, err))
			continue
		}
		fields := slices.Sorted(slices.Values(c.Fields))
		d.changes[change{c.Kind, c.Path, c.OldPath, c.Ref, strings.Join(fields, " "), c.OldSize, c.NewSize}] = true
	}
}

func (f *volumeFacts) find(ctx context.Context, ordered []*points.Point) {
	trees := make([]*ntfs.Tree, len(ordered))
	for i, p := range ordered {
		t, err := p.Files()
		if err != nil {
			f.hitErr = append(f.hitErr, err)
			continue
		}
		trees[i] = t
	}
	dirs := timeline.ReadDirs(ctx, trees, nil)
	for h, err := range timeline.Find(ctx, trees, dirs, timeline.Query{Streams: true}, nil) {
		if gap, ok := err.(*timeline.Gap); ok {
			f.gaps = append(f.gaps, gap)
		} else if err != nil {
			f.hitErr = append(f.hitErr, err)
		} else {
			f.hits[hitKey{h.Ref, h.Path, h.Stream, h.Deleted, h.Orphan}] = hitFacts{h.First, h.Last, h.Size}
		}
	}
}

func (f *volumeFacts) history(ctx context.Context, ordered []*points.Point, name string) {
	moments := make([]compare.Moment, len(ordered))
	for i, p := range ordered {
		moments[i] = compare.Moment{Tree: p.Files, Find: func() (*ntfs.Node, string, error) { return p.Lookup(points.ShownPath(name), false) }}
	}
	versions, err := compare.History(ctx, moments, compare.HistoryOptions{Path: name, First: len(ordered) - 1})
	if err != nil {
		f.rows[name] = []compare.Version{{Err: err, First: 0, Last: len(ordered) - 1}}
		return
	}
	rows := []compare.Version{}
	for v, err := range versions {
		if err != nil {
			v.Err = err
		}
		rows = append(rows, v)
	}
	f.rows[name] = rows
}
