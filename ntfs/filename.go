package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Namespaces of a $FILE_NAME.
const (
	NamespacePOSIX  uint8 = iota // any characters, case matters
	NamespaceWin32               // a long name that has a DOS name beside it
	NamespaceDOS                 // the 8.3 name of a long name
	NamespaceWin32s              // one name that serves both
)

// fileNameLen is the size of a $FILE_NAME before the name.
const fileNameLen = 66

// A fileName is a decoded $FILE_NAME: the attribute of a file, or the key of its index entry.
type fileName struct {
	parent          Ref
	times           Times
	allocated, size uint64
	attr            uint32
	tag             uint32 // reparse tag, where attr has one; else the size of extended attributes
	namespace       uint8
	name            []byte // UTF-16LE
}

func decodeFileName(b []byte) (fileName, bool) {
	if len(b) < fileNameLen || len(b) < fileNameLen+2*int(b[64]) {
		return fileName{}, false
	}
	le := binary.LittleEndian
	return fileName{
		parent:    decodeRef(le.Uint64(b[0:])),
		times:     decodeTimes(b[8:]),
		allocated: le.Uint64(b[40:]),
		size:      le.Uint64(b[48:]),
		attr:      le.Uint32(b[56:]),
		tag:       le.Uint32(b[60:]),
		namespace: b[65],
		name:      b[fileNameLen:][:2*int(b[64])],
	}, true
}

// Times are the four times of a file.
type Times struct {
	Created  wintype.Filetime
	Modified wintype.Filetime // of the content
	Changed  wintype.Filetime // of the file record
	Accessed wintype.Filetime
}

// decodeTimes decodes the four times that $STANDARD_INFORMATION and $FILE_NAME keep in this order.
func decodeTimes(b []byte) Times {
	le := binary.LittleEndian
	return Times{
		Created:  wintype.Filetime(le.Uint64(b[0:])),
		Modified: wintype.Filetime(le.Uint64(b[8:])),
		Changed:  wintype.Filetime(le.Uint64(b[16:])),
		Accessed: wintype.Filetime(le.Uint64(b[24:])),
	}
}

// A Name is one $FILE_NAME of a node: a hard link, or the 8.3 name beside one.
type Name struct {
	Parent    Ref
	Name      string // WTF-8
	Namespace uint8
	Times     Times // as of when the name was given, mostly
}

// NodeIn is Named for a directory of which only the reference is known.
func (t *Tree) NodeIn(dir Ref, name string, r Ref) (*Node, error) {
	d, err := t.Node(dir)
	if err != nil {
		d = &Node{Ref: dir, tree: t}
	}
	return d.Named(name, r)
}

// Named returns the node that an entry of the directory names: r, as Tree.Node does, and of that very name, WTF-8, in it.
// Where its record has no such name there, the file is that of the record that has, or the one that no other entry leads
// to: the contradiction is a warning. It wraps layer.ErrCorrupt when there is neither.
func (n *Node) Named(name string, r Ref) (*Node, error) {
	c, err := n.entryNode(encodeUTF16(name), r)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	return c, nil
}

// entryNode is Named for a name in UTF-16LE.
func (n *Node) entryNode(name []byte, ref Ref) (*Node, error) {
	child, err := n.tree.Node(ref)
	if err == nil {
		err = child.mustBe(name, n.Ref)
	}
	if err != nil {
		return n.meant(name, ref, err)
	}
	return child, nil
}

// mustBe is an error when the node has no such name in that directory: its index entry then leads to another file. What
// damage hides of the node's names is not held against it.
func (n *Node) mustBe(name []byte, dir Ref) error {
	list, damage := n.list, n.Damage
	if list == nil {
		r, err := n.tree.record(n.Ref.Record)
		if err != nil {
			return err
		}
		for c := r.cursor(); c.next(); {
			if c.typ == typeFileName && isNameIn(c.value, name, dir) {
				return nil
			}
		}
	}
	for i := range list {
		if list[i].typ == typeFileName && isNameIn(list[i].value, name, dir) {
			return nil
		}
	}
	if damage != nil {
		return nil
	}
	return fmt.Errorf("%v: the file record has no such name in directory %v: %w", n.Ref, dir, layer.ErrCorrupt)
}

func isNameIn(value, name []byte, dir Ref) bool {
	f, ok := decodeFileName(value)
	return ok && f.parent.Record == dir.Record && bytes.Equal(f.name, name)
}

// fileNames yields every $FILE_NAME of the node that can be read. What it yields aliases the record.
func (n *Node) fileNames() iter.Seq[fileName] {
	return func(yield func(fileName) bool) {
		_ = n.each(func(a *attribute) bool { // damage is told with the node
			f, ok := decodeFileName(a.value)
			return !ok || a.typ != typeFileName || yield(f)
		})
	}
}

// Names lists every $FILE_NAME of the node, 8.3 names included. With an error, what could be read is there too.
func (n *Node) Names() ([]Name, error) {
	var out []Name
	var broken error
	damage := n.each(func(a *attribute) bool {
		if a.typ != typeFileName {
			return true
		}
		f, ok := decodeFileName(a.value)
		switch {
		case a.err != nil:
			broken = errors.Join(broken, a.err)
		case !ok:
			broken = errors.Join(broken, fmt.Errorf("%v: $FILE_NAME: %w", n.Ref, errTooShort))
		default:
			out = append(out, Name{f.parent, wintype.DecodeUTF16(f.name), f.namespace, f.times})
		}
		return true
	})
	if broken != nil {
		damage = errors.Join(damage, broken)
	}
	return out, damage
}
