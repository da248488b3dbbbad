package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Kind is what a Node is to users.
type Kind uint8

// The kinds of Node. There are no others.
const (
	KindDir  Kind = iota // has entries
	KindFile             // has content
	KindLink             // a symbolic link: has a text, relative to the directory that it is in

	// What is shown as what it is, and never works as such: its content is what stands for it on the volume.
	KindCharDevice
	KindBlockDevice
	KindFIFO
	KindSocket
)

// A part is where a node comes from.
type part uint8

const (
	partItem        part = iota // the layout
	partVirtual                 // a directory that several points make
	partVirtualLink             // a link there
	partFile                    // an MFT record
	partStream                  // a named stream of one
	partSnapshots               // the directory .snapshots of one
	partSame                    // a link in that
)

// Node is a file, directory or link of the tree. It is immutable, and small enough to be copied.
type Node struct {
	ID    uint64        // the number of the node: below 1<<63, never 0, the same each time the same images are opened with the same options
	Kind  Kind          //
	Point *points.Point // whose bytes it shows; nil above the points, and for directories of several

	fs    *FS
	part  part
	item  *item         // of partItem; that which a virtual one is below
	file  *ntfs.Node    // of the other parts
	name  string        // of a stream; of a virtual one, its path below item
	link  string        // text of a partVirtualLink
	other *points.Point // where a partSame leads
}

func (f *FS) item(i *item) Node {
	n := Node{ID: i.id, Point: i.point, fs: f, part: partItem, item: i}
	switch i.kind {
	case itemLink:
		n.Kind = KindLink
	case itemText, itemBlock:
		n.Kind = KindFile
	case itemVirtual:
		n.part = partVirtual
	}
	return n
}

// rootRecord is the number of the record of a volume's root directory.
const rootRecord = 5

// file makes the node of an MFT record of a point that is shown. The root directory is in the layout.
func (f *FS) file(p *points.Point, n *ntfs.Node) (Node, error) {
	if n.Ref.Record == rootRecord {
		return f.item(f.layout.roots[p]), nil
	}
	if n.Ref.Record > recordMask {
		return Node{}, fmt.Errorf("record %v: a number over 0x%x: %w", n.Ref, uint64(recordMask), layer.ErrUnsupported)
	}
	return Node{ID: packID(idFile, f.points.of(p), n.Ref.Record), Kind: kindOf(n.Kind), Point: p, fs: f, part: partFile, file: n}, nil
}

// kinds are those of files.
var kinds = [...]Kind{ntfs.KindFile: KindFile, ntfs.KindDir: KindDir, ntfs.KindSymlink: KindLink, ntfs.KindCharDevice: KindCharDevice,
	ntfs.KindBlockDevice: KindBlockDevice, ntfs.KindFIFO: KindFIFO, ntfs.KindSocket: KindSocket}

func kindOf(k ntfs.Kind) Kind { return kinds[k] }

// Alias reports whether all that the node leads to is listed elsewhere in the tree: links to points, and directories of
// them. Where links are shown as what they lead to, a client that walks everything would meet each point several times.
func (n Node) Alias() bool { return n.part == partItem && n.item.alias }

// directory returns the NTFS directory that n shows.
func (n Node) directory() (*ntfs.Node, error) {
	switch {
	case n.part == partFile && n.Kind == KindDir:
		return n.file, nil
	case n.part == partItem && n.item.kind == itemPoint:
		t, err := n.Point.Files()
		if err != nil {
			return nil, err
		}
		return t.Root()
	}
	return nil, ErrNotDir
}

// Child finds an entry by its name as listings show it, upper and lower case as the volume takes it. Also found are
// .snapshots in a directory of a point, NTFS metafiles, "#RECORD", which is a file by the number of its record, and
// "file:stream", each where no file has that name. It wraps fs.ErrNotExist when nothing is there, and ErrNotDir when n is no directory.
func (n Node) Child(name string) (Node, error) {
	switch {
	case n.part == partVirtual:
		return n.virtualChild(name)
	case n.part == partSnapshots:
		return n.sameNamed(name)
	case n.part == partItem && n.item.kind == itemDir:
		if c := n.item.byName[name]; c != nil {
			return n.fs.item(c), nil
		}
		return Node{}, fs.ErrNotExist
	}
	dir, err := n.directory()
	if err != nil {
		return Node{}, err
	}
	c, err := n.named(dir, name)
	if err == nil {
		return n.fs.file(n.Point, c)
	}
	if name == snapshotsName && hasOthers(n.Point) {
		return n.fs.snapshots(n.Point, dir), nil
	}
	if i := strings.LastIndexByte(name, ':'); i > 0 && errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrStale) {
		return n.stream(dir, name[:i], name[i+1:])
	}
	return Node{}, err
}

// named finds what a name means in a directory of a point: its entry, or "#RECORD".
func (n Node) named(dir *ntfs.Node, name string) (*ntfs.Node, error) {
	c, err := points.Child(dir, name)
	if err != nil && points.IsRecord(name) {
		return n.Point.Walk(name, false)
	}
	return c, err
}

// Parent returns the directory that a directory is in; that of the root is itself.
func (n Node) Parent() (Node, error) {
	switch n.part {
	case partItem:
		return n.fs.item(n.item.parent), nil
	case partSnapshots:
		return n.fs.file(n.Point, n.file)
	case partFile:
		if dir, err := points.ParentDir(n.file); err == nil && dir.Kind == ntfs.KindDir {
			return n.fs.file(n.Point, dir)
		}
	}
	at, err := n.Path() // of what no directory leads to, another one than its record says
	if err != nil {
		return Node{}, err
	}
	return n.fs.Walk(path.Dir(at), false)
}

// Path returns a way to the node from the root, with a leading slash: of a file with several names, the first. The root's
// is "/".
func (n Node) Path() (string, error) {
	switch n.part {
	case partItem:
		return path.Join("/", n.item.path()), nil
	case partVirtual, partVirtualLink:
		return path.Join(n.item.path(), n.name), nil
	}
	root := n.fs.layout.roots[n.Point]
	at, err := points.DirPath(n.file)
	if at = path.Join(root.path(), at); err != nil { // no directory leads to it
		lost := n.fs.layout.roots[n.Point.Volume.Current()].parent.byName[lostDir.name]
		at = fmt.Sprintf("%s/%s/#%d", lost.path(), root.name, n.file.Ref.Record)
	}
	switch n.part {
	case partStream:
		at += ":" + n.name
	case partSnapshots:
		at = path.Join(at, snapshotsName)
	case partSame:
		at = path.Join(at, snapshotsName, n.fs.layout.roots[n.other].name)
	}
	return at, nil
}

// String says what the node is, for messages.
func (n Node) String() string {
	if n.file != nil {
		return fmt.Sprintf("%s@%s: MFT record 0x%x", n.Point.Volume.Name, n.Point.Name, n.file.Ref.Record)
	}
	return path.Join("/", n.item.path(), n.name)
}
