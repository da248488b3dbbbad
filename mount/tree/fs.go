package tree

import (
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Options of New; the zero value works.
type Options struct {
	View   View // which points are shown, and under which names
	System bool // list NTFS metafiles such as $MFT; they are found by name anyway
	// Time is that of everything that has none of its own.
	Time time.Time
	// HostBytes tells how many bytes a file of this machine takes on its disk, and whether that is known. Block images have
	// no more than their files have together. Nil knows nothing.
	HostBytes func(file string) (int64, bool)
	// Server is the text of a link ServerName at the top, which no listing has; empty is none. It is for front ends that
	// cannot answer for extended attributes.
	Server string
}

// ServerName leads to Options.Server.
const ServerName = ".snapmount.server"

// FS is all that users see of a points.Set. It is safe for concurrent use, and what it answers never changes; no lock is
// held while it reads.
type FS struct {
	set      *points.Set
	layout   *layout
	points   numbered
	opts     Options
	samba    bool
	host     map[*points.Image]int64 // bytes on disk, where that is known
	listings *listings
	contents *lru.Cache[uint64, layer.Source]
	table    table
}

// New makes the tree of s. It reads nothing below the roots of the points. Errors are of the options.
func New(s *points.Set, opts Options) (*FS, error) {
	l, err := newLayout(s, opts.Time, opts.View)
	if err != nil {
		return nil, err
	}
	if opts.Server != "" {
		l.add(l.root, item{name: ServerName, kind: itemLink, target: opts.Server})
		l.root.children = l.root.children[:len(l.root.children)-1]
	}
	numbers, err := numberPoints(s, l)
	if err != nil {
		return nil, err
	}
	kept, _ := lru.New[uint64, layer.Source](maxContents) // fails for a size of 0 only
	return &FS{set: s, layout: l, points: numbers, opts: opts, samba: opts.View.Time == TimeSamba, host: hostBytes(s, opts.HostBytes), listings: newListings(), contents: kept}, nil
}

func hostBytes(s *points.Set, of func(string) (int64, bool)) map[*points.Image]int64 {
	all := map[*points.Image]int64{}
	if of == nil {
		return all
	}
	for _, img := range s.Images {
		for _, name := range img.Disk.Files() {
			if n, known := of(name); known {
				all[img] += n
			}
		}
	}
	return all
}

// Notes are what users are to be told of the names that points have.
func (f *FS) Notes() []string { return f.layout.notes }

// Root returns the top directory. Its number is 1.
func (f *FS) Root() Node { return f.item(f.layout.root) }

// Node finds what a number stands for, whether it was met before or not. It wraps ErrStale when that is nothing, or
// something that is not Lasting and was not met by this FS: directories of several points, links in them, and the few
// named streams that have no room in a number.
func (f *FS) Node(id uint64) (Node, error) {
	n, err := f.resolve(id)
	if err == nil && n.ID != id { // the root of a point, whose number is that of its item
		err = ErrStale
	}
	if err != nil {
		return Node{}, fmt.Errorf("node 0x%x: %w", id, err)
	}
	return n, nil
}

func (f *FS) resolve(id uint64) (Node, error) {
	k := idKind(id >> kindShift)
	switch k {
	case idItem:
		if i := f.layout.items[id]; i != nil {
			return f.item(i), nil
		}
		return Node{}, ErrStale
	case idNamed:
		if k, ok := f.table.named(id); ok {
			return f.named(id, k)
		}
		return Node{}, ErrStale
	case idFile, idSnapshots, idStream, idSame:
	default:
		return Node{}, ErrStale
	}
	p, rest := f.points.point[id&bodyMask>>recordBits], id&recordMask
	if p == nil {
		return Node{}, ErrStale
	}
	switch k {
	case idSnapshots:
		return f.snapshotsNumbered(p, rest)
	case idStream:
		return f.streamNumbered(p, rest&(1<<streamRecordBits-1), rest>>streamRecordBits)
	case idSame:
		return f.sameNumbered(p, rest&(1<<sameRecordBits-1), rest>>sameRecordBits)
	}
	file, err := record(p, rest)
	if err != nil {
		return Node{}, err
	}
	return f.file(p, file)
}

// named makes the node of an idNamed.
func (f *FS) named(id uint64, k named) (Node, error) {
	if k.item != nil {
		return f.virtual(id, k), nil
	}
	file, err := record(k.point, k.record)
	if err != nil {
		return Node{}, err
	}
	n := Node{ID: id, Kind: KindFile, Point: k.point, fs: f, file: file, part: k.part, name: k.name, other: k.other}
	if k.part == partSame {
		n.Kind = KindLink
	}
	return n, nil
}

// record returns a record of a point.
func record(p *points.Point, number uint64) (*ntfs.Node, error) {
	t, err := p.Files()
	if err != nil {
		return nil, err
	}
	return t.Node(ntfs.Ref{Record: number})
}
