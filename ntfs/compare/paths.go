package compare

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"snapmount/ntfs"
)

const (
	recordRoot   = 5
	recordExtend = 11
	firstUser    = 16 // records below it are the volume's own
	// maxDepth is more directories than a path that Windows takes can name, and maxPath about the bytes of the longest.
	maxDepth = 1 << 14
	maxPath  = 3 * 32767
)

// A dir is a directory on the way to a place. Equal ways are one dir.
type dir struct {
	up    *dir // nil for where paths begin
	name  string
	depth int
	size  int // bytes of the path
}

// A place is a name in a directory; the root's name is "". The zero value is none.
type place struct {
	dir  *dir
	name string
}

// A link is a name of a file, and where that is.
type link struct {
	place
	parent ntfs.Ref
	madeUp bool // the file has no name, or none that can be read
}

// An interner has one dir for each way.
type interner struct {
	dirs   map[place]*dir
	root   *dir
	orphan *dir // what has no known directory is below it
}

func newInterner() *interner {
	root := &dir{}
	return &interner{dirs: map[place]*dir{}, root: root, orphan: &dir{up: root, name: OrphanDir, depth: 1}}
}

// child returns the directory of that name in another one. What nests too deep is an orphan's.
func (i *interner) child(up *dir, name string) *dir {
	if up.size > maxPath {
		up = i.orphan
	}
	at := place{up, name}
	d := i.dirs[at]
	if d == nil {
		d = &dir{up, name, up.depth + 1, up.size + 1 + len(name)}
		i.dirs[at] = d
	}
	return d
}

// String gives the path, a slash between two names.
func (p place) String() string {
	var parts []string
	for d := p.dir; d != nil && d.up != nil; d = d.up {
		parts = append(parts, d.name)
	}
	slices.Reverse(parts)
	if p.name != "" {
		parts = append(parts, p.name)
	}
	return strings.Join(parts, "/")
}

// compare orders places as a walk that sorts names does; none comes last.
func (p place) compare(q place) int {
	switch {
	case p == q || p.dir == nil && q.dir == nil:
		return 0
	case p.dir == nil:
		return 1
	case q.dir == nil:
		return -1
	}
	x, y, first, second := p.dir, q.dir, p.name, q.name // names in x and y
	for x.depth > y.depth {
		x, first = x.up, x.name
	}
	for y.depth > x.depth {
		y, second = y.up, y.name
	}
	for x != y {
		x, y, first, second = x.up, y.up, x.name, y.name
	}
	return cmp.Or(cmp.Compare(first, second), cmp.Compare(p.dir.depth, q.dir.depth))
}

// A side is one of the two trees.
type side struct {
	t      *ntfs.Tree
	names  *interner
	dirs   map[ntfs.Ref]*dir
	limits []place
}

func newSide(t *ntfs.Tree, names *interner) side {
	return side{t: t, names: names, dirs: map[ntfs.Ref]*dir{}}
}

// node returns the node of a record, and its names; nil when it is none of a file that is there.
func (s *side) node(number uint64) (*ntfs.Node, []ntfs.Name, error) {
	n, err := s.t.Node(ntfs.Ref{Record: number})
	switch {
	case err == nil:
		names, _ := n.Names() // damage is told with the node
		return n, names, nil
	case errors.Is(err, ntfs.ErrStale) && s.reaches(int64(number)*int64(s.t.RecordSize())):
		return nil, nil, nil
	}
	if state, err2 := s.t.RecordState(number, nil); state != ntfs.RecordFree {
		return nil, nil, cmp.Or(err2, err)
	}
	return nil, nil, nil
}

// lost is why it cannot be told that the other side's file is not there: its record was in use, for all that is known,
// and cannot be read.
func (s *side) lost(number uint64, names []ntfs.Name) error {
	state, err := s.t.RecordState(number, names) // what damage hides is asked for nowhere
	if state == ntfs.RecordLost || state == ntfs.RecordUnknown {
		return err
	}
	return nil
}

// confirm asks the other witnesses of a node, which may be nil, for its use and its names. Damage that leaves a name is told
// by itself.
func (s *side) confirm(n *ntfs.Node) error {
	if n == nil {
		return nil
	}
	if n.Damage != nil {
		if names, _ := n.Names(); len(names) > 0 {
			return nil
		}
		return n.Damage
	}
	if state, err := s.t.RecordState(n.Ref.Record, nil); state != ntfs.RecordInUse {
		return err
	}
	return n.Confirm()
}

// reaches reports whether the record at off of the $MFT is not hidden by damage of the $MFT itself.
func (s *side) reaches(off int64) bool {
	return off < int64(s.t.Records())*int64(s.t.RecordSize()) || off >= s.t.MFT().Size()
}

// links returns the names of a node, in the order of their places: one at least. 8.3 names are left out where there are
// others.
func (s *side) links(n *ntfs.Node, names []ntfs.Name) []link {
	if n == nil {
		return nil
	}
	if n.Ref.Record == recordRoot {
		return []link{{place: place{dir: s.names.root}}}
	}
	var out []link
	for _, x := range longNames(names) {
		out = append(out, link{place: place{s.dir(x.Parent), x.Name}, parent: x.Parent})
	}
	if len(out) == 0 {
		return []link{{place: place{s.names.orphan, n.Ref.String()}, madeUp: true}}
	}
	slices.SortFunc(out, func(x, y link) int { return cmp.Or(x.compare(y.place), cmp.Compare(x.parent.Record, y.parent.Record)) })
	return slices.Compact(out)
}

// longNames leaves 8.3 names out, unless there are no others.
func longNames(names []ntfs.Name) []ntfs.Name {
	long := slices.DeleteFunc(slices.Clone(names), func(n ntfs.Name) bool { return n.Namespace == ntfs.NamespaceDOS })
	if len(long) == 0 {
		return names
	}
	return long
}

// dir returns the directory that a name refers to. What is in a loop of directories, or nowhere, is an orphan's.
func (s *side) dir(ref ntfs.Ref) *dir {
	type step struct {
		ref  ntfs.Ref
		name string
	}
	var climb []step
	d := s.dirs[ref]
	for ; d == nil; d = s.dirs[ref] {
		if ref.Record == recordRoot {
			d = s.names.root
			break
		}
		n, err := s.t.Node(ref)
		var names []ntfs.Name
		if err == nil && n.Attr&ntfs.AttrDirectory != 0 && len(climb) < maxDepth {
			names, _ = n.Names()
		}
		if len(names) == 0 {
			d = s.names.orphan
			break
		}
		first := longNames(names)[0]
		climb = append(climb, step{ref, first.Name})
		s.dirs[ref] = s.names.orphan // found again on the way up: a loop
		ref = first.Parent
	}
	for _, c := range slices.Backward(climb) {
		d = s.names.child(d, c.name)
		s.dirs[c.ref] = d
	}
	return d
}

// limit narrows what is told to what is at or below a path of the tree.
func (s *side) limit(path string) error {
	n, err := s.t.Lookup(path)
	if err != nil {
		return err
	}
	names, _ := n.Names() // damage is told with the node
	all := s.links(n, names)
	for _, l := range all {
		if len(all) == 1 || s.t.Upper(l.String()) == s.t.Upper(strings.Trim(path, "/")) {
			s.limits = append(s.limits, l.place)
			return nil
		}
	}
	s.limits = append(s.limits, all[0].place)
	return nil
}

// wanted reports whether a place, of this tree, is to be told of.
func (s *side) wanted(p place, opts *Options) bool {
	return len(opts.Paths) == 0 || slices.ContainsFunc(s.limits, func(l place) bool {
		within := s.names.dirs[l] // nil when nothing is below it
		if l.name == "" || l == p {
			return true
		}
		for d := p.dir; within != nil && d.depth >= within.depth; d = d.up {
			if d == within {
				return true
			}
		}
		return false
	})
}

// The files that VSS keeps its stores in are in this folder, and their names end so.
const (
	vssSuffix = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
	vssFolder = "System Volume Information"
)

// isSystem reports whether a node, which may be nil, is one of the volume's own files or a store of VSS.
func isSystem(n *ntfs.Node, names []link) bool {
	if n == nil || n.Ref.Record == recordRoot {
		return false
	}
	return n.Metafile() || slices.ContainsFunc(names, func(p link) bool {
		top := p.dir
		for top.depth > 1 {
			top = top.up
		}
		return top.name == "$Extend" || p.dir.depth == 1 && top.name == vssFolder && IsStore(p.name)
	})
}

// IsStore tells by its name a file that VSS keeps in System Volume Information.
func IsStore(name string) bool {
	return len(name) >= len(vssSuffix) && strings.EqualFold(name[len(name)-len(vssSuffix):], vssSuffix)
}

// system returns the nodes that isSystem tells of, as far as they can be read.
func (s *side) system() []*ntfs.Node {
	var out []*ntfs.Node
	for number := range uint64(firstUser) {
		if n, _, err := s.node(number); err == nil && n != nil && number != recordRoot {
			out = append(out, n)
		}
	}
	out = s.below(out, ntfs.Ref{Record: recordExtend}, 0)
	if n, err := s.t.Lookup(vssFolder); err == nil {
		out = s.children(out, n, IsStore)
	}
	return out
}

// below adds what is below a directory; $Extend has a few levels of few files.
func (s *side) below(out []*ntfs.Node, dir ntfs.Ref, depth int) []*ntfs.Node {
	const deepest, most = 8, 1 << 16
	n, err := s.t.Node(dir)
	if err != nil || depth > deepest {
		return out
	}
	start := len(out)
	out = s.children(out, n, func(string) bool { return true })
	for _, c := range out[start:] {
		if c.Attr&ntfs.AttrDirectory != 0 && len(out) < most {
			out = s.below(out, c.Ref, depth+1)
		}
	}
	return out
}

// children adds the nodes in a directory whose names are wanted.
func (s *side) children(out []*ntfs.Node, dir *ntfs.Node, wanted func(name string) bool) []*ntfs.Node {
	for e, err := range dir.Entries() {
		if err != nil || !wanted(e.Name) {
			continue
		}
		if n, err := e.Node(); err == nil {
			out = append(out, n)
		}
	}
	return out
}
